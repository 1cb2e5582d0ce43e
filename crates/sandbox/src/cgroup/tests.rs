use super::*;

#[test]
fn mounts_are_found_by_type_and_option() {
    let text = "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
                32 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n\
                33 30 0:29 / /proc rw - proc proc rw\n\
                a line that makes no sense\n";
    let v1: Vec<PathBuf> =
        mounts(text, "cgroup").filter(|m| m.options.contains(&"cpuacct")).map(|m| m.point).collect();
    assert_eq!(v1, [PathBuf::from("/sys/fs/cgroup/cpu,cpuacct")]);
    assert_eq!(mounts(text, "cgroup").filter(|m| m.options.contains(&"memory")).count(), 0);
    assert_eq!(mounts(text, "cgroup2").map(|m| m.point).next(), Some("/sys/fs/cgroup/unified".into()));
}

#[test]
fn d3_the_quota_is_the_share_of_the_period() {
    for (millis, period, quota) in [
        (1000, 20_000, 20_000),
        (72, 20_000, 1440),
        (50, 20_000, 1000),
        (6000, 20_000, 120_000),
        (20, 100_000, 2000),
    ] {
        assert_eq!(cpu_quota(millis), (period, quota), "{millis}");
    }
    // The kernel takes no quota under a millisecond.
    assert_eq!(cpu_quota(1), (100_000, 1000));
}

#[test]
fn a_name_is_claimed_once() {
    let folder = tempfile::tempdir().unwrap();
    let held = claim(folder.path()).unwrap();
    assert_eq!(claim(folder.path()).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    drop(held);
    claim(folder.path()).unwrap();
}
