use super::*;

#[test]
fn a_family_is_the_root_and_all_below() {
    let parents = BTreeMap::from([(1, 0), (2, 1), (3, 1), (4, 3), (5, 4), (6, 0)]);
    assert_eq!(family(&parents, 3), [3, 4, 5]);
    assert_eq!(family(&parents, 1).len(), 5);
    assert_eq!(family(&parents, 6), [6]);
}

#[test]
fn a_name_with_brackets_does_not_shift_the_fields() {
    assert_eq!(after_name("12 (a) b) S 1 2"), Some(" S 1 2"));
}

#[test]
fn the_memory_group_is_found_in_both_versions() {
    let hybrid = "4:memory:/a/b\n3:cpu,cpuacct:/\n0::/\n";
    assert_eq!(group_of(hybrid).as_deref(), Some("/sys/fs/cgroup/memory/a/b"));
    assert_eq!(group_of("0::/x\n").as_deref(), Some("/sys/fs/cgroup/x"));
    assert_eq!(group_of("4:memory:/\n0::/x\n"), None);
    assert_eq!(group_of("0::/\n"), None);
}

#[test]
fn this_process_has_memory_and_used_a_processor() {
    let me = std::process::id();
    assert_eq!(tree(me).first(), Some(&me));
    assert!(pss_kib(&[me]).unwrap() > 100.0);
    assert!(cpu_seconds(&[me]) >= 0.0);
    assert_eq!(run_nanos("814000 73000 5\n"), Some(814_000.0));
    assert!(same_program(me).contains(&me));
}
