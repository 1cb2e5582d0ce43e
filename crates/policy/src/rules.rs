//! Allow and deny: two rights per key, and an account's wall that no right reaches over.

use anyfn_types::{Error, Kind};
use serde::{Deserialize, Serialize};

use crate::keys::KeyId;

/// What a key may do within its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// Call functions.
    pub invoke: bool,
    /// Read and change everything; does not include `invoke`.
    pub admin: bool,
}

/// Who is calling, after proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub key: KeyId,
    pub rights: Rights,
}

/// What a dialect's operation comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Invoke,
    /// Everything else: to read or change definitions, keys, logs.
    Admin,
}

/// What the operation is about.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    pub account: &'a str,
    /// For messages only, for example `function:hello`.
    pub name: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow,
    /// The caller lacks the right.
    Deny,
    /// Another account's: answer exactly as if it did not exist.
    Hidden,
}

impl Decision {
    /// As an error: `access_denied` for `Deny`; for `Hidden` whatever the dialect says of things that do not exist.
    pub fn or_else(self, not_found: impl FnOnce() -> Error) -> Result<(), Error> {
        match self {
            Self::Allow => Ok(()),
            Self::Deny => Err(Error::new(Kind::Denied, "access_denied", "this key has no right to do that")),
            Self::Hidden => Err(not_found()),
        }
    }
}

/// The rule. The wall comes first, so that a key without rights learns nothing about other accounts either.
pub fn allow(caller: &Caller, action: Action, resource: &Resource<'_>) -> Decision {
    let right = match action {
        Action::Invoke => caller.rights.invoke,
        Action::Admin => caller.rights.admin,
    };
    match (caller.account == resource.account, right) {
        (false, _) => Decision::Hidden,
        (true, true) => Decision::Allow,
        (true, false) => Decision::Deny,
    }
}

#[cfg(test)]
mod tests {
    use anyfn_types::{Error, Kind};

    use super::{Action, Caller, Decision, Resource, Rights, allow};
    use crate::keys::KeyId;

    #[test]
    fn f9_an_invoke_only_key_is_denied_everything_else() {
        let ask = |invoke, admin, action, account| {
            let rights = Rights { invoke, admin };
            let caller = Caller { account: "1".into(), key: KeyId("k".into()), rights };
            allow(&caller, action, &Resource { account, name: "function:hello" })
        };
        assert_eq!(ask(true, false, Action::Invoke, "1"), Decision::Allow);
        assert_eq!(ask(true, false, Action::Admin, "1"), Decision::Deny);
        assert_eq!(ask(false, true, Action::Admin, "1"), Decision::Allow);
        assert_eq!(ask(false, true, Action::Invoke, "1"), Decision::Deny);
        assert_eq!(ask(false, false, Action::Invoke, "1"), Decision::Deny);
        for (invoke, admin) in [(false, false), (true, true)] {
            assert_eq!(ask(invoke, admin, Action::Admin, "2"), Decision::Hidden);
        }
        let gone = || Error::not_found("function_not_found", "no");
        assert_eq!(Decision::Deny.or_else(gone).unwrap_err().kind, Kind::Denied);
        assert_eq!(Decision::Hidden.or_else(gone).unwrap_err().kind, Kind::NotFound);
        assert!(Decision::Allow.or_else(gone).is_ok());
    }
}
