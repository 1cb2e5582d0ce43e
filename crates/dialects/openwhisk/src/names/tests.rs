use super::*;

#[test]
fn an_action_is_a_function_and_back() {
    for (package, name, function) in [
        (None, "hello", "hello"),
        (Some("tools"), "hello", "tools.hello"),
        (None, "v1.2", "v1..2"),
        (Some("a.b"), "c d@e", "a..b.c.-20d.-40e"),
        (Some("a."), "b", "a...b"),
        (None, "x-y_z", "x-y_z"),
    ] {
        let action = ActionName::new(package, name).unwrap();
        assert_eq!(action.function().unwrap().as_str(), function);
        assert_eq!(ActionName::of(&FunctionName::new(function).unwrap()), Some(action));
    }
    for none in ["-a", "a.b.c", "a.-zz", "a.-2", "a."] {
        assert_eq!(ActionName::of(&FunctionName::new(none).unwrap()), None, "{none}");
    }
}

#[test]
fn illegal_names_are_refused() {
    for name in ["", " a", "a ", "-a", "a/b", "ä", "a\0", ".", &"x".repeat(257)] {
        assert!(check(name).is_err(), "{name:?}");
    }
    assert!(ActionName::new(None, &"x".repeat(200)).unwrap().function().is_err());
}

#[test]
fn the_user_picks_the_namespace() {
    let home = Namespace::new("000000000000.eu-west-1").unwrap();
    for (user, namespace) in [
        ("123456789012", "123456789012.eu-west-1"),
        ("123456789012.us-east-1", "123456789012.us-east-1"),
        ("00000000-0000-0000-0000-123456789012", "123456789012.eu-west-1"),
        ("23bc46b1-71f6-4ed5-8c54-816aa4f8c502", "23bc46b1-71f6-4ed5-8c54-816aa4f8c502"),
        ("guest", "guest"),
    ] {
        assert_eq!(namespace_of(user, &home).unwrap().as_str(), namespace);
    }
    for user in ["", "a b", "../x", ".."] {
        assert!(namespace_of(user, &home).is_err(), "{user}");
    }
}

#[test]
fn full_names() {
    let own = Namespace::new("me").unwrap();
    for (text, full) in [
        ("a", "/me/a"),
        ("p/a", "/me/p/a"),
        ("/_/a", "/me/a"),
        ("/you/p/a", "/you/p/a"),
        ("/you/a", "/you/a"),
    ] {
        assert_eq!(FullName::parse(text).unwrap().qualified(&own), full);
    }
    for text in ["/a", "a/b/c/d", "/you/p/a/x", "", "/"] {
        assert!(FullName::parse(text).is_err(), "{text}");
    }
}
