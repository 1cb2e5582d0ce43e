//! `anyfn new TEMPLATE`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::print::Printer;

/// Name, what it is, and its files. The examples of the repository are the templates, so they cannot drift apart.
const TEMPLATES: [Template; 3] = [
    Template {
        name: "hello-python",
        about: "a Python function that greets",
        files: &[(
            "lambda_function.py",
            include_str!("../../../../examples/hello-python/lambda_function.py"),
        )],
    },
    Template {
        name: "hello-node",
        about: "a JavaScript function that greets",
        files: &[("index.mjs", include_str!("../../../../examples/hello-node/index.mjs"))],
    },
    Template {
        name: "url-webapp",
        about: "a web page and a JSON API behind a function URL, in Python",
        files: &[
            ("app.py", include_str!("../../../../examples/url-webapp/app.py")),
            ("anyfn.toml", include_str!("../../../../examples/url-webapp/anyfn.toml")),
        ],
    },
];

struct Template {
    name: &'static str,
    about: &'static str,
    files: &'static [(&'static str, &'static str)],
}

#[derive(Args, Debug)]
pub(crate) struct NewArgs {
    /// The template; without one, those there are are listed.
    template: Option<String>,
    /// The folder to make; the template's name unless given.
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &NewArgs, print: &Printer) -> anyhow::Result<ExitCode> {
    let Some(name) = &args.template else {
        if print.json {
            let all: Vec<_> =
                TEMPLATES.iter().map(|t| serde_json::json!({ "name": t.name, "about": t.about })).collect();
            print.value(&all);
        } else {
            let rows: Vec<_> =
                TEMPLATES.iter().map(|t| vec![t.name.to_owned(), t.about.to_owned()]).collect();
            print.table(&["TEMPLATE", "WHAT IT IS"], &rows);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(template) = TEMPLATES.iter().find(|t| t.name == name) else {
        let names: Vec<_> = TEMPLATES.iter().map(|t| t.name).collect();
        bail!("there is no template `{name}`; there are: {}", names.join(", "));
    };
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(template.name));
    if dir.exists() && std::fs::read_dir(&dir).is_ok_and(|mut d| d.next().is_some()) {
        bail!("{} is there already and not empty; name another folder: anyfn new {name} DIR", dir.display());
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    for (file, text) in template.files {
        std::fs::write(dir.join(file), text).with_context(|| format!("write {file}"))?;
    }
    if print.json {
        print.value(&serde_json::json!({ "dir": dir, "template": name }));
    } else {
        print.line(&format!("made {}; run it with: anyfn dev {}", dir.display(), dir.display()));
    }
    Ok(ExitCode::SUCCESS)
}
