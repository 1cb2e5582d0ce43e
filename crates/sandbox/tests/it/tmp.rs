//! `/tmp`: private, with a quota, and not the function's memory.

use anyfn_core::ports::Isolation as _;

use crate::house::{House, MIB, python, root};

const FILL: &str = r"
import os, errno
total = 0
try:
    with open('/tmp/fill', 'wb', buffering=0) as f:
        while True:
            total += f.write(b'x' * 65536)
except OSError as e:
    print(errno.errorcode[e.errno], total)
os.unlink('/tmp/fill')
open('/tmp/again', 'w').write('room again')
";

#[tokio::test]
async fn d4_bytes_end_at_the_quota_and_are_not_memory() {
    if !root() {
        return;
    }
    let house = House::open().await;
    assert!(house.processes.capabilities().parts.iter().any(|p| p.0 == "disk-backed /tmp" && p.1));
    let sandbox = house
        .sandbox_with(|spec| {
            spec.memory_bytes = 64 * MIB;
            spec.tmp_bytes = 200 * MIB;
        })
        .await;
    let text = python(&*sandbox, FILL).await;
    let (code, total) = text.trim().split_once(' ').unwrap();
    assert_eq!(code, "ENOSPC");
    let total: u64 = total.parse().unwrap();
    assert!((198 * MIB..=204 * MIB).contains(&total), "{total}");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn d4_inodes_end_at_the_quota() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox_with(|spec| spec.tmp_inodes = 512).await;
    let script = r"
import os, errno
n = 0
try:
    while n < 5000:
        open('/tmp/%d' % n, 'w').close(); n += 1
except OSError as e:
    print(errno.errorcode[e.errno], n)
";
    let text = python(&*sandbox, script).await;
    let (code, count) = text.trim().split_once(' ').unwrap();
    assert_eq!(code, "ENOSPC");
    assert!((400..=640).contains(&count.parse::<u32>().unwrap()), "{count}");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn d4_a_sparse_file_takes_no_more_than_the_quota() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let script = r"
import os, errno
f = os.open('/tmp/s', os.O_RDWR | os.O_CREAT)
os.ftruncate(f, 1 << 40)
n = 0
try:
    while n < 1 << 20:
        n += os.pwrite(f, b'x' * 4096, n * 4096 * 16) and 1
except OSError as e:
    print(errno.errorcode[e.errno], n * 4096 <= 70 << 20)
";
    assert_eq!(python(&*sandbox, script).await, "ENOSPC True\n");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn tmp_is_empty_private_and_open_to_the_guest() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let (one, two) = (house.sandbox().await, house.sandbox().await);
    let script = "import os; print(os.listdir('/tmp'), oct(os.stat('/tmp').st_mode)); open('/tmp/mine', 'w')";
    for sandbox in [&one, &two] {
        assert_eq!(python(&**sandbox, script).await, "[] 0o41777\n");
    }
    one.destroy().await.unwrap();
    two.destroy().await.unwrap();
    house.close().await;
}
