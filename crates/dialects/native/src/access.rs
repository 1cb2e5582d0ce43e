//! Which namespace a call works in, and whether its caller may.

use anyfn_policy::{Action, Caller, Resource, allow};
use anyfn_types::{Error, Namespace, Result};

/// `<account>.<region>`; callers that a listener takes at their word bring no key and may name any. A key opens its own
/// account and nothing else: other accounts answer alike whether they exist or not.
///
/// Errors: `namespace_invalid`, `namespace_not_found`, `access_denied`.
pub(crate) fn namespace(
    home: &Namespace,
    caller: &Caller,
    action: Action,
    asked: Option<&String>,
) -> Result<Namespace> {
    let asked = asked.map(|text| Namespace::new(text.clone())).transpose()?;
    if caller.key.0.is_empty() {
        let resource = Resource { account: &caller.account, name: "" };
        allow(caller, action, &resource).or_else(hidden)?;
        return Ok(asked.unwrap_or_else(|| home.clone()));
    }
    let namespace = match asked {
        Some(namespace) => namespace,
        None => {
            let region = home.as_str().split_once('.').map_or("local", |(_, region)| region);
            Namespace::new(format!("{}.{region}", caller.account))?
        }
    };
    let account = namespace.as_str().split_once('.').map_or(namespace.as_str(), |(account, _)| account);
    allow(caller, action, &Resource { account, name: "" }).or_else(hidden)?;
    Ok(namespace)
}

fn hidden() -> Error {
    Error::not_found("namespace_not_found", "there is no such namespace")
}

#[cfg(test)]
mod tests;
