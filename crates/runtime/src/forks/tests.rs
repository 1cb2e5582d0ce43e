use super::*;

const PYTHON: (Language, Release) = (Language::Python, (3, 11));

fn key(set: Set) -> Key {
    Key { language: PYTHON.0, release: PYTHON.1, set }
}

fn way(memory: &Memory, version: u128) -> Option<Way> {
    memory.way(VersionId(version), PYTHON.0, PYTHON.1)
}

#[test]
fn a_version_is_forked_from_what_its_code_loads() {
    let memory = Memory::default();
    let generic = Way { key: key(None), instead: None };
    assert_eq!(way(&memory, 1), Some(generic));
    memory.learned(VersionId(1), Language::Python, "numpy,boto3");
    let set = Way { key: key(Some("boto3")), instead: Some(key(None)) };
    assert_eq!(way(&memory, 1), Some(set));
    assert_eq!(way(&memory, 2), Some(generic), "another version is not meant");
    memory.learned(VersionId(2), Language::Python, "numpy");
    assert_eq!(way(&memory, 2), Some(generic));
}

#[test]
fn what_declines_a_set_is_forked_from_the_generic_one_and_then_not_at_all() {
    let memory = Memory::default();
    memory.learned(VersionId(1), Language::Python, "boto3");
    memory.declined(VersionId(1), key(Some("boto3")));
    assert_eq!(way(&memory, 1), Some(Way { key: key(None), instead: None }));
    memory.declined(VersionId(1), key(None));
    assert_eq!(way(&memory, 1), None);
}

#[test]
fn a_template_asks_a_version_once() {
    let memory = Memory::default();
    assert!(memory.unchecked(VersionId(1), key(None)));
    memory.suits(VersionId(1), key(None));
    assert!(!memory.unchecked(VersionId(1), key(None)));
    assert!(memory.unchecked(VersionId(1), key(Some("boto3"))), "another template, other modules");
    assert!(memory.never_again(VersionId(1)));
    assert!(!memory.never_again(VersionId(1)), "said once");
}

#[test]
fn the_memory_is_bounded() {
    let memory = Memory::default();
    for version in 0..REMEMBERED as u128 + 10 {
        memory.never_again(VersionId(version));
    }
    let seen = memory.look();
    assert_eq!((seen.known.len(), seen.order.len()), (REMEMBERED, REMEMBERED));
    assert!(!seen.known.contains_key(&VersionId(0)));
}

#[test]
fn variables_that_are_read_at_the_start_need_a_start() {
    let cases = [
        (Language::Python, "PYTHONPATH", true),
        (Language::Python, "PYTHONHASHSEED", true),
        (Language::Python, "NODE_OPTIONS", false),
        (Language::Python, "LD_PRELOAD", true),
        (Language::Python, "LC_ALL", true),
        (Language::Python, "TABLE", false),
        (Language::Python, "TZ", false),
        (Language::Node, "NODE_OPTIONS", true),
        (Language::Node, "NODE_EXTRA_CA_CERTS", true),
        (Language::Node, "NODE_ENV", false),
        (Language::Node, "NODE_PATH", false),
        (Language::Node, "PYTHONPATH", false),
        (Language::Node, "LANG", true),
    ];
    for (language, name, at_start) in cases {
        assert_eq!(read_at_start(language, name), at_start, "{language:?} {name}");
    }
}
