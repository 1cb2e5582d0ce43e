use super::*;

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
}

/// What a rule says of these files, a line each.
#[track_caller]
fn check(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expected: &[&str]) {
    let found: Vec<String> = rule(&tree(files)).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[track_caller]
fn check_ourselves(rule: fn(&Tree) -> Vec<Finding>) {
    let tree = Tree::read(&sh::root()).unwrap();
    assert!(tree.get("Cargo.toml").is_some(), "the tree was not read");
    let found: Vec<String> = rule(&tree)
        .iter()
        .filter(|finding| finding.weight == Weight::Fail)
        .map(|f| format!("\n  {f}"))
        .collect();
    assert!(found.is_empty(), "{} findings:{}", found.len(), found.concat());
}

#[test]
fn the_tree_keeps_its_floors() {
    check_ourselves(floors::find);
}

#[test]
fn the_tree_keeps_its_manifests() {
    check_ourselves(manifests::find);
}

#[test]
fn the_tree_keeps_its_sizes() {
    check_ourselves(sizes::find);
}

#[test]
fn the_tree_keeps_its_layout() {
    check_ourselves(layout::find);
}

#[test]
fn the_tree_has_its_readme_and_the_twin() {
    check_ourselves(readme::find);
}

#[test]
fn the_tree_has_a_page_for_every_error_code() {
    check_ourselves(errors::find);
}

#[test]
fn the_tree_names_no_machine() {
    check_ourselves(places::find);
}

fn room(name: &str, floor: u8, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\n[package.metadata.room]\nfloor = {floor}\n{rest}")
}

#[test]
fn floors_refuse_upward_and_sideways() {
    let types = room("types", 0, "[dependencies]\nbase.workspace = true\n");
    let base = room("base", 0, "");
    let testkit = room("anyfn-testkit", 2, "[dependencies]\ntypes.workspace = true\n");
    let store = room(
        "store",
        2,
        "[dependencies]\ntypes.workspace = true\n[dev-dependencies]\nanyfn-testkit.workspace = true\n",
    );
    let bad = room(
        "bad",
        2,
        "[dependencies]\nstore.workspace = true\n[target.'cfg(unix)'.dependencies]\nengine = { workspace = true } # up\n",
    );
    let engine = room("engine", 3, "[dependencies]\nstore.workspace = true\n");
    let none = "[package]\nname = \"none\"\n";
    check(
        floors::find,
        &[
            ("crates/types/Cargo.toml", &types),
            ("crates/base/Cargo.toml", &base),
            ("crates/testkit/Cargo.toml", &testkit),
            ("crates/store/Cargo.toml", &store),
            ("crates/bad/Cargo.toml", &bad),
            ("crates/engine/Cargo.toml", &engine),
            ("crates/none/Cargo.toml", none),
        ],
        &[
            "FAIL crates/none/Cargo.toml: it does not say its floor (`[package.metadata.room]` `floor = N`)",
            "FAIL crates/bad/Cargo.toml:6: `bad` on floor 2 must not know `store` on floor 2",
            "FAIL crates/bad/Cargo.toml:8: `bad` on floor 2 must not know `engine` on floor 3",
        ],
    );
}

#[test]
fn manifests_say_their_purpose_and_inherit() {
    let good = "[package]\ndescription = \"One room.\"\n[lints]\nworkspace = true\n[dependencies]\na.workspace = true\nb = { workspace = true, features = [\"x\"] }\n";
    let bad = "[package]\ndescription = \"Two. Sentences.\"\n[dependencies]\na = \"1\"\nb = { path = \"../b\" }\n[dependencies.c]\nversion = \"1\"\n";
    check(
        manifests::find,
        &[("crates/good/Cargo.toml", good), ("crates/bad/Cargo.toml", bad), ("Cargo.toml", bad)],
        &[
            "FAIL crates/bad/Cargo.toml: its `description` is not one sentence with a full stop, at most 240 bytes",
            "FAIL crates/bad/Cargo.toml: it does not inherit the lints (`[lints]` `workspace = true`)",
            "FAIL crates/bad/Cargo.toml:4: `a` is not taken from the workspace (`a.workspace = true`)",
            "FAIL crates/bad/Cargo.toml:5: `b` is not taken from the workspace (`b.workspace = true`)",
            "FAIL crates/bad/Cargo.toml:7: a dependency stands in one line, not in a section",
        ],
    );
}

#[test]
fn sizes_warn_and_stop() {
    let lines = |count: usize| "x\n".repeat(count);
    check(
        sizes::find,
        &[
            ("crates/a/src/fits.rs", &lines(500)),
            ("crates/a/src/long.rs", &lines(501)),
            ("crates/a/src/edge.rs", &lines(800)),
            ("crates/a/src/huge.rs", &lines(801)),
            ("crates/a/src/huge/tests.rs", &lines(2000)),
            ("crates/a/tests/it/main.rs", &lines(2000)),
            ("crates/a/src/generated/lambda.rs", &lines(9000)),
        ],
        &[
            "warn crates/a/src/long.rs: 501 lines, more than 500",
            "warn crates/a/src/edge.rs: 800 lines, more than 500",
            "FAIL crates/a/src/huge.rs: 801 lines, more than 800",
        ],
    );
}

#[test]
fn layout_refuses_mod_rs_and_globs() {
    check(
        layout::find,
        &[
            ("crates/a/src/b/mod.rs", ""),
            (
                "crates/a/src/lib.rs",
                "use b::*;\npub use b::C;\n    pub use b::*;\npub(crate) use d::{*};\n// pub use e::*;\n",
            ),
        ],
        &[
            "FAIL crates/a/src/b/mod.rs: a module lies in `foo.rs`, not in `foo/mod.rs`",
            "FAIL crates/a/src/lib.rs:3: a glob hides which names are exported",
            "FAIL crates/a/src/lib.rs:4: a glob hides which names are exported",
        ],
    );
}

#[test]
fn readme_is_short_and_has_its_twin() {
    check(readme::find, &[], &["FAIL README.md: it is missing", "FAIL README.zh-CN.md: it is missing"]);
    let page = "# anyfn\n## Start\n```sh\n# a comment\n```\n#no heading\n";
    check(readme::find, &[("README.md", page), ("README.zh-CN.md", "# anyfn\n## 开始\n")], &[]);
    check(
        readme::find,
        &[("README.md", page), ("README.zh-CN.md", &"# anyfn\n".repeat(201))],
        &[
            "FAIL README.zh-CN.md: 201 lines, more than 200: depth lives elsewhere",
            &format!(
                "FAIL README.zh-CN.md: its headings (levels {:?}) are not those of README.md ([1, 2])",
                vec![1; 201]
            ),
        ],
    );
}

#[test]
fn all_missing_error_pages_are_named_at_once() {
    let source = r#"
        fn f() {
            Err(Error::invalid("a_bad", "text"))?;
            Error::new(
                Kind::TooLarge,
                "b_large",
                "text",
            );
            let pair = (Kind::NotFound, "c_none");
            Error::not_found(
                "d_none", format!("x"));
            match error.kind { Kind::Other => "not_this", _ => "" };
            Error::internal("has_page", e);
            Ulid::invalid("Not this either");
        }
        #[cfg(test)]
mod tests { fn g() { Error::invalid("only_in_tests", ""); } }
    "#;
    check(
        errors::find,
        &[
            ("crates/a/src/lib.rs", source),
            ("crates/a/src/lib/tests.rs", "Error::invalid(\"test_only\", x)"),
            ("docs/errors/has_page.md", "# has_page"),
            ("docs/errors/d_none.md", "  "),
            ("docs/errors/old.md", "# old"),
            ("docs/errors/README.md", "# Errors"),
        ],
        &[
            "FAIL crates/a/src/lib.rs:3: the error code `a_bad` has no page docs/errors/a_bad.md",
            "FAIL crates/a/src/lib.rs:5: the error code `b_large` has no page docs/errors/b_large.md",
            "FAIL crates/a/src/lib.rs:9: the error code `c_none` has no page docs/errors/c_none.md",
            "FAIL crates/a/src/lib.rs:10: the error code `d_none` has no page docs/errors/d_none.md",
            "FAIL docs/errors/old.md: no error has this code any more",
        ],
    );
}

#[test]
fn places_of_a_machine_are_found() {
    check(
        places::find,
        &[
            ("a.rs", "let a = \"/work/x\";\nlet b = \"guest/work/x\";\nlet c = \"/network/\";\n"),
            ("b.json", "\"resolved\": \"https://registry.npmjs.org/x\"\n"),
            ("c.sh", "PATH=$HOME/.pyenv/shims\n"),
        ],
        &[
            "FAIL a.rs:1: names `/work/`: let a = \"/work/x\";",
            "FAIL b.json:1: names `//registry.npmjs.org`: \"resolved\": \"https://registry.npmjs.org/x\"",
            "FAIL c.sh:1: names `/.pyenv/`: PATH=$HOME/.pyenv/shims",
        ],
    );
}
