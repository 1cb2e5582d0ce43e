use super::*;

#[test]
fn an_address_opens_what_it_names_until_it_ends() {
    let key = CodeKey::new(&Random::seeded(1));
    let digest = Digest([7; 32]);
    let address = key.address("http://h:1", digest, 1000);
    let (path, query) = address.strip_prefix("http://h:1").unwrap().split_once('?').unwrap();
    assert_eq!(key.open(path, query, 1000), Some(digest));
    assert_eq!(key.open(path, query, 1000 + GOOD_FOR), Some(digest));
    assert_eq!(key.open(path, query, 1001 + GOOD_FOR), None);
    let other = format!("{PREFIX}{}", Digest([8; 32]));
    assert_eq!(key.open(&other, query, 1000), None);
    assert_eq!(key.open(path, &query.replace("until=6", "until=7"), 1000), None);
    assert_eq!(key.open(path, "", 1000), None);
    assert_eq!(CodeKey::new(&Random::seeded(2)).open(path, query, 1000), None);
}
