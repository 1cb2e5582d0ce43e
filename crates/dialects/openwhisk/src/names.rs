//! Names, and the one place that says how OpenWhisk's words for names lie over the core's.
//!
//! - A *namespace* of OpenWhisk is the core's namespace, by the same name. Who calls picks it: a user of 12 digits is an
//!   account in the server's own region, as for AWS's clients; a UUID that ends in 12 digits is the account of those
//!   digits; `<account>.<region>` is itself; anything else is a namespace of its own name.
//! - An *action* is a function. `hello` is the function `hello`; `tools/hello`, in a package, is `tools.hello`. Characters
//!   that functions cannot have are escaped: `.` is `..`, and any other is `.-` and two hexadecimal digits.
//!   So every function whose name begins with a letter, a digit or `_` is an action too.

use anyfn_types::{FunctionName, Namespace};

use crate::fault::{Fault, Result};

/// The name that stands for the caller's own namespace.
pub(crate) const OWN: &str = "_";
/// Web actions name the default package so.
pub(crate) const DEFAULT_PACKAGE: &str = "default";

/// `\A([\w]|[\w][\w@ .-]*[\w@.-]+)\z`, at most 256 characters.
pub(crate) fn check(name: &str) -> Result<&str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = |c: char| word(c) || "@ .-".contains(c);
    let right = name.starts_with(word) && !name.ends_with(' ') && name.chars().all(fits) && name.len() <= 256;
    right.then_some(name).ok_or_else(|| {
        Fault::invalid("The name of the entity contains illegal characters or is longer than 256 characters.")
    })
}

/// The namespace that a caller's user picks.
pub(crate) fn namespace_of(user: &str, home: &Namespace) -> Result<Namespace> {
    let digits = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let region = home.as_str().split_once('.').map_or("us-east-1", |(_, region)| region);
    let account = if digits(user) {
        Some(user)
    } else {
        user.rsplit_once('-').filter(|(_, end)| user.len() == 36 && digits(end)).map(|(_, end)| end)
    };
    let name = account.map_or_else(|| user.to_owned(), |account| format!("{account}.{region}"));
    Namespace::new(name).map_err(|_| Fault::unauthorized())
}

/// An action within a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActionName {
    pub(crate) package: Option<String>,
    pub(crate) name: String,
}

impl std::fmt::Display for ActionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.package {
            Some(package) => write!(f, "{package}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

fn escaped(name: &str, out: &mut String) {
    for byte in name.bytes() {
        match byte {
            b'.' => out.push_str(".."),
            b if b.is_ascii_alphanumeric() || b == b'_' || b == b'-' => out.push(char::from(b)),
            b => out.push_str(&format!(".-{b:02x}")),
        }
    }
}

impl ActionName {
    pub(crate) fn new(package: Option<&str>, name: &str) -> Result<Self> {
        let package = package.map(check).transpose()?.map(str::to_owned);
        Ok(Self { package, name: check(name)?.to_owned() })
    }

    pub(crate) fn function(&self) -> Result<FunctionName> {
        let mut text = String::new();
        if let Some(package) = &self.package {
            escaped(package, &mut text);
            text.push('.');
        }
        escaped(&self.name, &mut text);
        FunctionName::new(text).map_err(|_| Fault::invalid("The action's name is too long for this server."))
    }

    /// The action that a function is, if it can be one.
    pub(crate) fn of(function: &FunctionName) -> Option<Self> {
        let (mut parts, mut now) = (Vec::new(), String::new());
        let mut rest = function.as_str();
        while let Some(at) = rest.find('.') {
            now.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('.') {
                now.push('.');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('-') {
                let byte = u8::from_str_radix(after.get(..2)?, 16).ok().filter(u8::is_ascii)?;
                now.push(char::from(byte));
                rest = &after[2..];
            } else {
                parts.push(std::mem::take(&mut now));
            }
        }
        now.push_str(rest);
        let package = match parts.as_slice() {
            [] => None,
            [package] => Some(package.as_str()),
            _ => return None,
        };
        Self::new(package, &now).ok()
    }
}

/// An action as one names it from anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FullName {
    /// None: the caller's own.
    pub(crate) namespace: Option<String>,
    pub(crate) action: ActionName,
}

impl FullName {
    /// `/ns/pkg/name`, `/ns/name`, `pkg/name`, `name`; `_` as namespace is the caller's own.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (namespace, rest) = match text.strip_prefix('/') {
            Some(whole) => match whole.split_once('/') {
                Some((namespace, rest)) => (Some(namespace), rest),
                None => return Err(Fault::invalid("The name of the entity is not fully qualified.")),
            },
            None => (None, text),
        };
        let action = match rest.split_once('/') {
            Some((package, name)) => ActionName::new(Some(package), name)?,
            None => ActionName::new(None, rest)?,
        };
        let namespace = namespace.filter(|name| *name != OWN).map(str::to_owned);
        Ok(Self { namespace, action })
    }

    /// `/ns/pkg/name`.
    pub(crate) fn qualified(&self, own: &Namespace) -> String {
        format!("/{}/{}", self.namespace.as_deref().unwrap_or(own.as_str()), self.action)
    }
}

#[cfg(test)]
mod tests;
