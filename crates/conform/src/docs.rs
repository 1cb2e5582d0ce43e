//! `docs/compat/lambda.md` from the cases: what works, what differs, what is not here yet, each with the case that shows it.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{
    case::{Case, Docs},
    place,
};

const HEAD: &str = "# AWS Lambda: what works, what differs, what is not here yet

Written by `cargo run -p anyfn-conform -- --docs` from `crates/conform/cases/aws/*/case.toml`; do not edit by hand. Each line
names the case that shows it: a real client against the real server.
";

/// Orders of topics on the page; others follow by name.
const TOPICS: [&str; 16] = [
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

fn file() -> PathBuf {
    place::root().join("docs/compat/lambda.md")
}

pub(crate) fn write(cases: &[Case]) -> Result<()> {
    let file = file();
    fs::create_dir_all(file.parent().context("a folder for the page")?).context("make docs/compat")?;
    fs::write(&file, page(cases)).with_context(|| format!("write {}", file.display()))?;
    println!("wrote {}", file.display());
    Ok(())
}

/// Whether the page in the tree is what the cases say.
pub(crate) fn is_current(cases: &[Case]) -> bool {
    fs::read_to_string(file()).is_ok_and(|text| text == page(cases))
}

fn page(cases: &[Case]) -> String {
    let aws: Vec<_> = cases.iter().filter(|case| case.dialect() == "aws").collect();
    let mut text = HEAD.to_owned();
    section(&mut text, "Works", &aws, |docs| &docs.works);
    section(&mut text, "Differs", &aws, |docs| &docs.differs);
    section(&mut text, "Not yet", &aws, |docs| &docs.not_yet);
    text.push_str("\n## Operations\n\n| operation | cases |\n|---|---|\n");
    let mut operations: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for case in &aws {
        for operation in &case.toml.operations {
            operations.entry(operation).or_default().push(&case.path);
        }
    }
    for (operation, paths) in operations {
        let _ = writeln!(text, "| {operation} | {} |", paths.join(", "));
    }
    text
}

fn section(text: &mut String, title: &str, cases: &[&Case], lines: impl Fn(&Docs) -> &Vec<String>) {
    let mut topics: BTreeMap<(usize, &str), Vec<String>> = BTreeMap::new();
    for case in cases {
        let docs = &case.toml.docs;
        let order = TOPICS.iter().position(|topic| *topic == docs.topic).unwrap_or(TOPICS.len());
        let said = lines(docs).iter().map(|line| format!("- {line} (`{}`)\n", case.path));
        let said: Vec<_> = said.collect();
        if !said.is_empty() {
            topics.entry((order, &docs.topic)).or_default().extend(said);
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
