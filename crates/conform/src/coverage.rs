//! Every route that the gateway serves has a case.

use std::collections::BTreeSet;

use anyfn_gateway::Route;

use crate::case::Case;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    pub(crate) routes: usize,
    /// Served, and no case judges it.
    pub(crate) missing: Vec<String>,
    /// A case names it, and nothing serves it.
    pub(crate) unknown: Vec<String>,
}

pub(crate) fn of(routes: &[Route], cases: &[Case]) -> Coverage {
    let served: BTreeSet<&str> = routes.iter().map(|route| route.operation.as_str()).collect();
    let judged: BTreeSet<&str> =
        cases.iter().flat_map(|case| &case.toml.operations).map(|o| operation(o)).collect();
    let missing = served.difference(&judged).map(|name| (*name).to_owned()).collect();
    let name = |case: &Case, one: &String| format!("{} names {one}", case.path);
    let unknown = cases.iter().flat_map(|case| {
        let not_served = case.toml.operations.iter().filter(|one| !served.contains(operation(one)));
        not_served.map(|one| name(case, one)).collect::<Vec<_>>()
    });
    Coverage { routes: served.len(), missing, unknown: unknown.collect() }
}

/// `GET /healthz` is written with its method for the reader's sake; the table names system routes by path.
fn operation(text: &str) -> &str {
    match text.strip_prefix("GET ") {
        Some(path) if !path.starts_with("/_anyfn/") && !path.starts_with("/api/") => path,
        _ => text,
    }
}

#[cfg(test)]
mod tests;
