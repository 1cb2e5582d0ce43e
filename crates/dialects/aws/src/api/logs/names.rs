//! Groups by name or ARN.

use crate::api::{
    arn::Home,
    fault::{Fault, logs as say},
};

#[cfg(test)]
mod tests;

/// The group that a request names in one of two ways.
pub(super) fn group(home: &Home, name: Option<String>, identifier: Option<String>) -> Result<String, Fault> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => by_identifier(home, &identifier),
        (Some(_), Some(_)) | (None, None) => {
            Err(say::invalid("Exactly one of logGroupName and logGroupIdentifier must be specified."))
        }
    }
}

/// A name, or the ARN of a group of this account and region, with or without `:*`.
pub(super) fn by_identifier(home: &Home, identifier: &str) -> Result<String, Fault> {
    if !identifier.starts_with("arn:") {
        return Ok(identifier.to_owned());
    }
    let parts: Vec<&str> = identifier.splitn(7, ':').collect();
    match parts.as_slice() {
        ["arn", _, "logs", region, account, "log-group", name] => {
            if *region != home.region || *account != home.account {
                return Err(say::no_such_group());
            }
            Ok(name.strip_suffix(":*").unwrap_or(name).to_owned())
        }
        _ => Err(say::invalid(format!("The ARN {identifier} is invalid."))),
    }
}
