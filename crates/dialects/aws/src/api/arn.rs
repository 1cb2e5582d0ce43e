//! Names as AWS writes them. A namespace is `<account>.<region>`; everything else of an ARN follows from it.

use anyfn_types::{Error, FunctionName, Namespace, Qualifier};

use super::fault::{Fault, lambda as say};

#[cfg(test)]
mod tests;

/// The account and region that a request plays in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) namespace: Namespace,
}

impl Home {
    pub(crate) fn new(account: &str, region: &str) -> Result<Self, Error> {
        let namespace = Namespace::new(format!("{account}.{region}"))?;
        Ok(Self { account: account.to_owned(), region: region.to_owned(), namespace })
    }

    /// The home that a namespace names.
    pub(crate) fn of(namespace: &Namespace) -> Self {
        let text = namespace.as_str();
        let (account, region) = text.split_once('.').unwrap_or((text, "us-east-1"));
        Self { account: account.to_owned(), region: region.to_owned(), namespace: namespace.clone() }
    }

    pub(crate) fn partition(&self) -> &'static str {
        partition(&self.region)
    }

    pub(crate) fn function(&self, name: &FunctionName) -> String {
        self.lambda(&["function:", name.as_str()].concat())
    }

    pub(crate) fn qualified(&self, name: &FunctionName, qualifier: &str) -> String {
        self.lambda(&["function:", name.as_str(), ":", qualifier].concat())
    }

    /// With a qualifier if there is one.
    pub(crate) fn function_at(&self, name: &FunctionName, qualifier: Option<&str>) -> String {
        qualifier.map_or_else(|| self.function(name), |q| self.qualified(name, q))
    }

    pub(crate) fn layer(&self, name: &str) -> String {
        self.lambda(&format!("layer:{name}"))
    }

    pub(crate) fn layer_version(&self, name: &str, version: u64) -> String {
        self.lambda(&format!("layer:{name}:{version}"))
    }

    fn lambda(&self, tail: &str) -> String {
        ["arn:", self.partition(), ":lambda:", &self.region, ":", &self.account, ":", tail].concat()
    }

    pub(crate) fn log_group(&self, name: &str) -> String {
        format!("arn:{}:logs:{}:{}:log-group:{name}", self.partition(), self.region, self.account)
    }
}

pub(crate) fn partition(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// A function as a client names it: `name`, `account:function:name`, a whole ARN, each with `:qualifier` if it likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) account: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) name: String,
    pub(crate) qualifier: Option<String>,
}

impl Named {
    /// None where the text is no name of a function.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let mut rest = match parts.as_slice() {
            ["arn", partition, "lambda", rest @ ..] if partition.starts_with("aws") => rest,
            ["arn", ..] => return None,
            all => all,
        };
        let mut take = |fits: fn(&str) -> bool| match rest {
            [head, tail @ ..] if !tail.is_empty() && fits(head) => {
                rest = tail;
                Some((*head).to_owned())
            }
            _ => None,
        };
        let region = take(is_region);
        let account = take(is_account);
        take(|part| part == "function");
        let (name, qualifier) = match rest {
            [name] => (name, None),
            [name, qualifier] => (name, Some((*qualifier).to_owned())),
            _ => return None,
        };
        FunctionName::new(*name).ok()?;
        Some(Self { account, region, name: (*name).to_owned(), qualifier })
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// `eu-west-1`, `us-gov-east-1`: words of letters, then a digit.
fn is_region(text: &str) -> bool {
    let mut words: Vec<&str> = text.split('-').collect();
    let number = words.pop().unwrap_or_default();
    words.len() >= 2
        && words[0].len() == 2
        && number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
        && words.iter().all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase()))
}

/// A function and a qualifier that the request asks for, checked against each other and against the caller's home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) name: FunctionName,
    pub(crate) qualifier: Option<String>,
}

impl Wanted {
    pub(crate) fn parse(home: &Home, text: &str, qualifier: Option<&str>) -> Result<Self, Fault> {
        let named = Named::parse(text).ok_or_else(|| bad_name(text))?;
        if named.account.as_ref().is_some_and(|account| *account != home.account) {
            return Err(say::access_denied("The caller has no access to functions of another account."));
        }
        if let Some(region) = named.region.filter(|region| *region != home.region) {
            let text =
                format!("Functions from '{region}' are not reachable in this region ('{}')", home.region);
            return Err(say::not_found(text));
        }
        if let (Some(one), Some(other)) = (named.qualifier.as_deref(), qualifier)
            && one != other
        {
            return Err(say::invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        let qualifier = qualifier.map(str::to_owned).or(named.qualifier);
        Ok(Self { name: FunctionName::new(named.name)?, qualifier })
    }

    /// For operations that take no qualifier of their own.
    pub(crate) fn unqualified(home: &Home, text: &str) -> Result<FunctionName, Fault> {
        Ok(Self::parse(home, text, None)?.name)
    }

    pub(crate) fn parsed_qualifier(&self) -> Result<Option<Qualifier>, Fault> {
        self.qualifier.as_deref().map(Qualifier::parse).transpose().map_err(Fault::from)
    }

    pub(crate) fn arn(&self, home: &Home) -> String {
        home.function_at(&self.name, self.qualifier.as_deref())
    }
}

fn bad_name(text: &str) -> Fault {
    const PATTERN: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
    say::validation(format!(
        "1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: {PATTERN}"
    ))
}

/// A layer's version by its ARN: account, region, name, version.
pub(crate) fn parse_layer_version(arn: &str) -> Option<(Home, String, u64)> {
    match arn.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "lambda", region, account, "layer", name, version] if is_account(account) => {
            let home = Home::new(account, region).ok()?;
            Some((home, (*name).to_owned(), version.parse().ok()?))
        }
        _ => None,
    }
}

/// A layer by name or ARN (without its version).
pub(crate) fn parse_layer(home: &Home, text: &str) -> Option<(Home, String)> {
    match text.split(':').collect::<Vec<_>>().as_slice() {
        [name] => Some((home.clone(), (*name).to_owned())),
        ["arn", _, "lambda", region, account, "layer", name, ..] if is_account(account) => {
            Some((Home::new(account, region).ok()?, (*name).to_owned()))
        }
        _ => None,
    }
}
