use super::*;

#[test]
fn versions_are_found_in_what_programs_say() {
    let found = [
        "nginx version: nginx/1.22.1",
        "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/",
        "v20.20.2",
        "wrk debian/4.1.0-3+b2 ",
        "sh: 1: runsc: not found",
    ]
    .map(version_in);
    let versions = ["1.22.1", "2.6.12-1+deb12u4", "v20.20.2", "4.1.0-3+b2"].map(|text| Some(text.to_owned()));
    assert_eq!(found[..4], versions);
    assert_eq!(found[4], None);
}
