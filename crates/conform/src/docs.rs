//! The pages of `docs/compat` from the cases: what works, what differs, what is not here yet, each with the case that shows it.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{
    case::{Case, Docs},
    place,
};

/// One platform's page.
struct Page {
    file: &'static str,
    title: &'static str,
    /// The folder of its cases.
    dialect: &'static str,
    /// Orders of topics on the page; others follow by name.
    topics: &'static [&'static str],
}

const PAGES: [Page; 2] = [
    Page { file: "lambda.md", title: "AWS Lambda", dialect: "aws", topics: &LAMBDA },
    Page { file: "openwhisk.md", title: "Apache OpenWhisk", dialect: "openwhisk", topics: &OPENWHISK },
];

const OPENWHISK: [&str; 9] = [
    "Actions",
    "Packages",
    "Triggers and rules",
    "Activations",
    "Web actions",
    "Sequences and compositions",
    "Errors",
    "One function, all dialects",
    "Clients",
];

const LAMBDA: [&str; 16] = [
    "Functions",
    "Code and layers",
    "Versions and aliases",
    "Invoke",
    "Errors of functions",
    "The function's surroundings",
    "Runtimes",
    "Extensions",
    "Function URLs",
    "Permissions",
    "Concurrency",
    "Asynchronous invocation",
    "Tags and other settings",
    "CloudWatch Logs",
    "STS",
    "Clients",
];

impl Page {
    fn path(&self) -> PathBuf {
        place::root().join("docs/compat").join(self.file)
    }

    fn head(&self) -> String {
        let Self { title, dialect, .. } = self;
        format!(
            "# {title}: what works, what differs, what is not here yet

Written by `cargo run -p anyfn-conform -- --docs` from `crates/conform/cases/{dialect}/*/case.toml`; do not edit by hand. Each line
names the case that shows it: a real client against the real server.
"
        )
    }

    fn text(&self, cases: &[Case]) -> String {
        let mine: Vec<_> = cases.iter().filter(|case| case.dialect() == self.dialect).collect();
        let mut text = self.head();
        section(&mut text, "Works", self.topics, &mine, |docs| &docs.works);
        section(&mut text, "Differs", self.topics, &mine, |docs| &docs.differs);
        section(&mut text, "Not yet", self.topics, &mine, |docs| &docs.not_yet);
        text.push_str("\n## Operations\n\n| operation | cases |\n|---|---|\n");
        let mut operations: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for case in &mine {
            for operation in &case.toml.operations {
                operations.entry(operation).or_default().push(&case.path);
            }
        }
        for (operation, paths) in operations {
            let _ = writeln!(text, "| {operation} | {} |", paths.join(", "));
        }
        text
    }
}

pub(crate) fn write(cases: &[Case]) -> Result<()> {
    for page in &PAGES {
        let file = page.path();
        fs::create_dir_all(file.parent().context("a folder for the page")?).context("make docs/compat")?;
        fs::write(&file, page.text(cases)).with_context(|| format!("write {}", file.display()))?;
        println!("wrote {}", file.display());
    }
    Ok(())
}

/// Whether the pages in the tree are what the cases say.
pub(crate) fn is_current(cases: &[Case]) -> bool {
    PAGES.iter().all(|page| fs::read_to_string(page.path()).is_ok_and(|text| text == page.text(cases)))
}

fn section(
    text: &mut String,
    title: &str,
    order: &[&str],
    cases: &[&Case],
    lines: impl Fn(&Docs) -> &Vec<String>,
) {
    let mut topics: BTreeMap<(usize, &str), Vec<String>> = BTreeMap::new();
    for case in cases {
        let docs = &case.toml.docs;
        let place = order.iter().position(|topic| *topic == docs.topic).unwrap_or(order.len());
        let said = lines(docs).iter().map(|line| format!("- {line} (`{}`)\n", case.path));
        let said: Vec<_> = said.collect();
        if !said.is_empty() {
            topics.entry((place, &docs.topic)).or_default().extend(said);
        }
    }
    let _ = write!(text, "\n## {title}\n");
    if topics.is_empty() {
        text.push_str("\nNothing that a case shows.\n");
    }
    for ((_, topic), lines) in topics {
        let _ = write!(text, "\n### {topic}\n\n{}", lines.concat());
    }
}

#[cfg(test)]
mod tests;
