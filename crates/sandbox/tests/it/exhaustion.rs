//! Guests that take all they can get.

use std::fs;

use anyfn_core::ports::ExitKind;

use crate::house::{House, MIB, python, read_all, root, run, start};

#[tokio::test]
async fn d1_a_fork_bomb_ends_at_the_pids_limit() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let neighbour = house.sandbox().await;
    let sandbox = house.sandbox_with(|spec| spec.pids = 32).await;
    let script = r"
import os, signal
n = 0
while True:
    try: pid = os.fork()
    except BlockingIOError: break
    if pid == 0:
        while True: signal.pause()
    n += 1
print(n, flush=True)
signal.pause()
";
    let (_, output) = start(&*sandbox, &["/usr/bin/python3", "-I", "-S", "-c", script]).await;
    let mut line = [0; 8];
    let len =
        tokio::task::spawn_blocking(move || rustix::io::read(&output, &mut line).map(|len| (len, line)));
    let (len, line) = len.await.unwrap().unwrap();
    // Init and the first process count too.
    assert_eq!(&line[..len], b"30\n");
    assert_eq!(sandbox.usage().await.unwrap().processes, 32);
    assert_eq!(run(&*neighbour, &["/bin/true"]).await.0.kind, ExitKind::Code(0));
    sandbox.destroy().await.unwrap();
    neighbour.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn d2_a_memory_bomb_kills_only_its_own_sandbox() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let neighbour = house.sandbox().await;
    let (_, output) = start(&*neighbour, &["/bin/cat", "/proc/self/comm"]).await;
    let sandbox = house.sandbox_with(|spec| spec.memory_bytes = 64 * MIB).await;
    let heap = "x = []\nwhile True: x.append(bytearray(1 << 20))";
    let (exit, _) = run(&*sandbox, &["/usr/bin/python3", "-I", "-S", "-c", heap]).await;
    assert_eq!((exit.kind, exit.out_of_memory), (ExitKind::Signal(9), true));
    assert!(sandbox.usage().await.unwrap().memory_peak_bytes <= 64 * MIB);
    sandbox.destroy().await.unwrap();
    assert_eq!(read_all(output).await, "cat\n");
    let exit = neighbour.next_exit().await.unwrap();
    assert_eq!((exit.kind, exit.out_of_memory), (ExitKind::Code(0), false));
    neighbour.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn d2_shared_memory_and_locks_count_too() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox_with(|spec| spec.memory_bytes = 64 * MIB).await;
    let script = r"
import ctypes, errno, mmap, os
n = 0
try:
    with open('/dev/shm/x', 'wb', buffering=0) as f:
        while True: n += f.write(b'x' * 65536)
except OSError as e: print(errno.errorcode[e.errno], n == 32 << 20)
os.unlink('/dev/shm/x')
libc = ctypes.CDLL(None, use_errno=True)
m = mmap.mmap(-1, 1 << 20)
print(libc.mlock(ctypes.addressof(ctypes.c_char.from_buffer(m)), 1 << 20), errno.errorcode[ctypes.get_errno()])
";
    let said = python(&*sandbox, script).await;
    assert!(said == "ENOSPC True\n-1 ENOMEM\n" || said == "ENOSPC True\n-1 EPERM\n", "{said}");
    // Memory without any owner: files of a memory file system that nobody frees.
    let memfd = "import os\nk = []\nwhile True:\n  f = os.memfd_create('x'); os.write(f, b'x' * (1 << 20)); k.append(f)";
    let (exit, text) = run(&*sandbox, &["/usr/bin/python3", "-I", "-S", "-c", memfd]).await;
    assert_eq!((exit.kind, exit.out_of_memory), (ExitKind::Signal(9), true), "{text}");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn d3_threads_beyond_the_share_are_throttled() {
    if !root() {
        return;
    }
    if !std::path::Path::new("/sys/fs/cgroup/cpu").is_dir() {
        eprintln!("skipped: reads the counters of cgroup version 1");
        return;
    }
    let house = House::open().await;
    let spec = house.spec();
    let id = spec.id;
    let sandbox = house.sandbox_with(|spec| (spec.id, spec.cpu_millis) = (id, 200)).await;
    let script = r"
import os
for _ in range(8):
    if os.fork() == 0:
        for _ in range(200000): pass
        os._exit(0)
for _ in range(8): os.wait()
";
    python(&*sandbox, script).await;
    let group = format!("/sys/fs/cgroup/cpu/anyfn-{}/{id}", house.name);
    let number =
        |file: &str| fs::read_to_string(format!("{group}/{file}")).unwrap().trim().parse::<u64>().unwrap();
    assert_eq!(number("cpu.cfs_quota_us") * 5, number("cpu.cfs_period_us"));
    let stat = fs::read_to_string(format!("{group}/cpu.stat")).unwrap();
    let throttled = stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")).unwrap();
    assert!(throttled.parse::<u64>().unwrap() > 0, "{stat}");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn d5_descriptors_end_inside_only() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox_with(|spec| spec.open_files = 64).await;
    let script = r"
import errno, os
k = []
try:
    while True: k.append(os.open('/dev/null', 0))
except OSError as e: print(errno.errorcode[e.errno], len(k))
";
    assert_eq!(python(&*sandbox, script).await, "EMFILE 61\n");
    assert_eq!(run(&*sandbox, &["/bin/true"]).await.0.kind, ExitKind::Code(0));
    sandbox.destroy().await.unwrap();
    house.close().await;
}
