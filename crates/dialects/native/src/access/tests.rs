use anyfn_policy::{Action, Caller, KeyId, Rights};
use anyfn_types::{Kind, Namespace};

use super::namespace;

fn caller(account: &str, key: &str, invoke: bool, admin: bool) -> Caller {
    Caller { account: account.into(), key: KeyId(key.into()), rights: Rights { invoke, admin } }
}

fn ask(caller: &Caller, action: Action, asked: Option<&str>) -> Result<String, Kind> {
    let home = Namespace::new("000000000000.eu-west-1").unwrap();
    let found = namespace(&home, caller, action, asked.map(str::to_owned).as_ref());
    found.map(|n| n.to_string()).map_err(|e| e.kind)
}

#[test]
fn local_callers_work_at_home_and_where_they_say() {
    let local = caller("000000000000", "", true, true);
    assert_eq!(ask(&local, Action::Admin, None).unwrap(), "000000000000.eu-west-1");
    assert_eq!(ask(&local, Action::Admin, Some("111111111111.x")).unwrap(), "111111111111.x");
    assert_eq!(ask(&local, Action::Admin, Some("../x")), Err(Kind::Invalid));
}

#[test]
fn f3_a_key_opens_its_own_account_only() {
    let key = caller("111111111111", "AKIA", true, true);
    assert_eq!(ask(&key, Action::Admin, None).unwrap(), "111111111111.eu-west-1");
    assert_eq!(ask(&key, Action::Admin, Some("111111111111.us-east-1")).unwrap(), "111111111111.us-east-1");
    for other in ["222222222222.eu-west-1", "000000000000.eu-west-1", "111111111111", "1.eu-west-1"] {
        let found = ask(&key, Action::Admin, Some(other));
        let expected = if other == "111111111111" { Ok(other.to_owned()) } else { Err(Kind::NotFound) };
        assert_eq!(found, expected, "{other}");
    }
}

#[test]
fn f9_rights_count_within_the_account_and_nothing_is_told_of_others() {
    let invoker = caller("111111111111", "AKIA", true, false);
    assert!(ask(&invoker, Action::Invoke, None).is_ok());
    assert_eq!(ask(&invoker, Action::Admin, None), Err(Kind::Denied));
    assert_eq!(ask(&invoker, Action::Admin, Some("222222222222.eu-west-1")), Err(Kind::NotFound));
    assert_eq!(ask(&caller("", "", false, false), Action::Invoke, None), Err(Kind::Denied));
}
