//! Which process serves a function: its command, an interpreter with its file, or its executable.

use anyfn_core::ports::{Bind, BringUp};
use anyfn_types::Failure;

use crate::{
    failure,
    interpreters::{Interpreters, Language},
};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// `argv[0]` is an absolute path inside.
    pub(super) argv: Vec<String>,
    /// The interpreter's folder, first in `PATH`.
    pub(super) bin: Option<String>,
    pub(super) bind: Option<Bind>,
}

/// Looks at the package's names, never at what is in its files.
pub(super) fn plan(with: &BringUp, interpreters: &Interpreters) -> Result<Plan, Failure> {
    let config = &with.version.config;
    let mut argv = config.command.clone();
    if argv.is_empty() {
        let handler = config.handler.trim_start_matches("./");
        let is_there =
            |name: &str| !name.is_empty() && !name.contains("..") && with.code.path.join(name).is_file();
        let file = [handler, "bootstrap"].into_iter().find(|name| is_there(name)).ok_or_else(|| {
            let text =
                "the package has neither the file that the handler names nor an executable `bootstrap`";
            failure::found("Runtime.InvalidEntrypoint", None, text)
        })?;
        argv = match file.rsplit_once('.').map(|(_, kind)| kind) {
            Some("py") => vec!["python".to_owned(), file.to_owned()],
            Some("js" | "mjs" | "cjs") => vec!["node".to_owned(), file.to_owned()],
            _ => vec![format!("/var/task/{file}")],
        };
    }
    let language = match argv[0].as_str() {
        "python" | "python3" => Some(Language::Python),
        "node" => Some(Language::Node),
        _ => None,
    };
    if let Some(found) = language.and_then(|language| interpreters.newest(language)) {
        argv[0].clone_from(&found.inside);
        let bin = found.inside.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        return Ok(Plan { argv, bin, bind: found.bind.clone() });
    }
    if !argv[0].starts_with('/') {
        let own = argv[0].trim_start_matches("./").to_owned();
        if !own.contains("..") && with.code.path.join(&own).is_file() {
            argv[0] = format!("/var/task/{own}");
        } else {
            // `env` looks it up in the guest's own PATH.
            argv.insert(0, "/usr/bin/env".to_owned());
        }
    }
    Ok(Plan { argv, bin: None, bind: None })
}
