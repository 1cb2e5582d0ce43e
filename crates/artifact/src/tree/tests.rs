use super::{Node, Refusal, SafePath, Tree};

fn tree(names: &[&'static str], links: &[(&'static str, &str)]) -> Result<(), String> {
    let mut tree = Tree::new(1000);
    let insert = |tree: &mut Tree<'static>, name, node| {
        tree.insert(SafePath::parse(name).unwrap(), node).map_err(|e| format!("{e:?}"))
    };
    for name in names {
        insert(&mut tree, name, if name.ends_with('/') { Node::Dir } else { Node::File })?;
    }
    for (name, target) in links {
        insert(&mut tree, name, Node::Link((*target).into()))?;
    }
    tree.check_links().map_err(|(path, why)| format!("{path}: {why}"))
}

#[test]
fn a1_names_that_mean_another_place_are_refused() {
    for name in [
        "../x",
        "a/../x",
        "a/..",
        "..",
        "/x",
        "//x",
        "C:\\x",
        "C:/x",
        "c:x",
        "a\\b",
        "\\x",
        "a\0b",
        "a//b",
        "",
        "a/../../x",
        "./../x",
    ] {
        assert!(SafePath::parse(name).is_err(), "{name:?}");
    }
    for (name, path) in
        [("./a", "a"), ("a/./b", "a/b"), ("a/", "a"), ("...", "..."), ("..a/b..", "..a/b.."), (".", "")]
    {
        assert_eq!(SafePath::parse(name).unwrap().join(), path, "{name:?}");
    }
    assert!(SafePath::parse(&"a/".repeat(129)).is_err());
    assert!(SafePath::parse(&"a".repeat(256)).is_err());
    assert!(SafePath::parse(&"a".repeat(255)).is_ok());
}

#[test]
fn a_link_may_point_inside_and_nowhere_but_not_out() {
    let names = ["d/e/", "f"];
    for (name, target, inside) in [
        ("l", "f", true),
        ("l", "d/e/../../f", true),
        ("d/l", "../f", true),
        ("l", "nowhere/at/../all", true),
        ("l", ".", true),
        ("d/e/l", "../..", true),
        ("l", "..", false),
        ("l", "d/../..", false),
        ("d/e/l", "../../..", false),
        ("l", "nowhere/../..", false),
        ("l", "f/../..", false),
        ("l", "/etc/passwd", false),
        ("l", "/", false),
        ("l", "", false),
        ("l", "l", false),
    ] {
        assert_eq!(tree(&names, &[(name, target)]).is_ok(), inside, "{name} -> {target}");
    }
}

#[test]
fn a_link_that_leads_out_only_through_another_is_found() {
    // up -> d/e says "two down", up/../.. says "two up from there", which the text alone would count as one up.
    assert!(tree(&["d/e/"], &[("up", "d"), ("l", "up/../..")]).is_err());
    assert!(tree(&["d/e/"], &[("up", "d/e"), ("l", "up/../..")]).is_ok());
    assert!(tree(&["d/"], &[("d/top", ".."), ("l", "d/top/../x")]).is_err());
    assert!(tree(&[], &[("a", "b"), ("b", "a")]).is_err());
}

#[test]
fn tangled_links_end() {
    // Each link runs twice through the next: 2^40 steps if nobody counted.
    let names: Vec<String> = (0..40).map(|i| format!("l{i}")).collect();
    let mut tree = Tree::new(1000);
    for i in 0..39 {
        let path = SafePath::parse(&names[i]).unwrap();
        tree.insert(path, Node::Link(format!("{n}/../{n}", n = names[i + 1]).into())).unwrap();
    }
    tree.insert(SafePath::parse("l39").unwrap(), Node::Link(".".into())).unwrap();
    assert!(tree.check_links().is_err());
}

#[test]
fn one_name_has_one_meaning() {
    assert_eq!(tree(&["a/", "a/", "a/b"], &[]), Ok(()));
    assert!(tree(&["a", "a"], &[]).is_err());
    assert!(tree(&["a", "a/"], &[]).is_err());
    assert!(tree(&["a/b", "a"], &[]).is_err());
    assert!(tree(&["a", "a/b"], &[]).is_err());
    assert!(tree(&["a", "./a"], &[]).is_err());
    let mut links = Tree::new(10);
    links.insert(SafePath::parse("a").unwrap(), Node::Link("b".into())).unwrap();
    assert!(matches!(links.insert(SafePath::parse("a/x").unwrap(), Node::File), Err(Refusal::Bad(_))));
}

#[test]
fn folders_that_only_stand_in_a_path_count() {
    let mut tree = Tree::new(3);
    tree.insert(SafePath::parse("a/b/c").unwrap(), Node::File).unwrap();
    assert_eq!(tree.insert(SafePath::parse("d").unwrap(), Node::File), Err(Refusal::Full));
}
