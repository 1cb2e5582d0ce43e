use std::collections::BTreeMap;

use anyfn_types::{Code, Config, Contract, Digest, Ephemeral, Logging, Placement, VersionState};

use super::*;

fn function(name: &str, description: &str) -> Arc<Function> {
    let config = Config {
        contract: Contract::Lambda,
        runtime: String::new(),
        handler: String::new(),
        command: Vec::new(),
        description: description.to_owned(),
        role: String::new(),
        env: Default::default(),
        memory_mib: 128,
        timeout_ms: 0,
        ephemeral: Ephemeral { mib: 512 },
        layers: Vec::new(),
        architecture: String::new(),
        logging: Logging::default(),
        placement: Placement::default(),
        extra: BTreeMap::new(),
    };
    let latest = Version {
        id: VersionId(1),
        number: 0,
        code: Code { digest: Digest([0; 32]), size: 0, unpacked: 0 },
        config,
        modified: 0,
        revision: String::new(),
        state: VersionState::Active,
        notice: None,
    };
    Arc::new(Function {
        namespace: namespace(),
        name: FunctionName::new(name).unwrap(),
        created: 0,
        latest,
        versions: BTreeMap::new(),
        next_version: 1,
        aliases: BTreeMap::new(),
        policy: Vec::new(),
        urls: BTreeMap::new(),
        async_configs: BTreeMap::new(),
        reserved: None,
        provisioned: BTreeMap::new(),
        tags: BTreeMap::new(),
        extra: BTreeMap::new(),
    })
}

fn namespace() -> Namespace {
    Namespace::new("n").unwrap()
}

fn look(cache: &Cache, name: &str) -> Result<String, Unwritten> {
    let known = cache.function(&namespace(), &FunctionName::new(name).unwrap())?;
    Ok(known.function.latest.config.description.clone())
}

fn keep(cache: &Cache, name: &str, description: &str, since: Unwritten) {
    cache.keep_function(Arc::new(Known::new(function(name, description), 1)), 100, since);
}

fn wrote(cache: &Cache, name: &str, now: Option<(&str, u64)>) {
    let name = FunctionName::new(name).unwrap();
    let now = now.map(|(description, revision)| (function(name.as_str(), description), revision));
    cache.wrote_function((&namespace(), &name), now, 100);
}

#[test]
fn what_was_read_before_a_write_is_not_kept_after_it() {
    let cache = Cache::default();
    let since = look(&cache, "f").unwrap_err();
    wrote(&cache, "f", Some(("new", 2)));
    keep(&cache, "f", "old", since);
    assert!(look(&cache, "f").is_err(), "the old one would stay for ever");
    let since = look(&cache, "f").unwrap_err();
    wrote(&cache, "f", None);
    keep(&cache, "f", "deleted", since);
    assert!(look(&cache, "f").is_err());
}

#[test]
fn what_is_known_is_replaced_by_the_newer_only_and_forgotten_when_deleted() {
    let cache = Cache::default();
    keep(&cache, "f", "first", look(&cache, "f").unwrap_err());
    wrote(&cache, "f", Some(("third", 3)));
    wrote(&cache, "f", Some(("second", 2)));
    assert_eq!(look(&cache, "f").unwrap(), "third");
    wrote(&cache, "f", None);
    assert!(look(&cache, "f").is_err());
    assert!(cache.functions.iter().all(|shard| read(shard).ring.is_empty()));
    wrote(&cache, "g", Some(("only written", 4)));
    assert!(look(&cache, "g").is_err());
}

#[test]
fn the_bytes_are_bounded_and_what_is_asked_for_stays() {
    let cache = Cache::sized(SHARDS * 20 * LEAST);
    keep(&cache, "busy", "", look(&cache, "busy").unwrap_err());
    for n in 0..10_000 {
        let name = format!("f{n}");
        keep(&cache, &name, "", look(&cache, &name).unwrap_err());
        assert!(look(&cache, "busy").is_ok(), "after {n}");
    }
    for shard in &cache.functions {
        let shard = read(shard);
        assert!(shard.bytes <= 20 * LEAST, "{} bytes", shard.bytes);
        assert_eq!(shard.bytes, shard.kept.values().map(|entry| entry.bytes).sum::<usize>());
        assert_eq!(shard.ring.len(), shard.kept.len());
    }
    assert!((0..10_000).filter(|n| look(&cache, &format!("f{n}")).is_ok()).count() > 100);
}

#[test]
fn one_that_is_larger_than_its_shard_is_not_kept_and_does_no_harm() {
    let cache = Cache::sized(SHARDS * 2 * LEAST);
    let known = Arc::new(Known::new(function("f", ""), 1));
    cache.keep_function(known, 10 * LEAST, look(&cache, "f").unwrap_err());
    assert!(look(&cache, "f").is_err());
    keep(&cache, "f", "", look(&cache, "f").unwrap_err());
    assert!(look(&cache, "f").is_ok());
}
