//! System calls that are not for guests.

use anyfn_core::ports::ExitKind;

use crate::house::{House, python, root, run};

/// Calls each of `calls` (name, number, arguments) and prints the name and the error of each.
pub(crate) fn script(calls: &str) -> String {
    format!(
        r"
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    ctypes.set_errno(0)
    result = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    code = ctypes.get_errno() if result < 0 else 0
    print(name, errno.errorcode.get(code, code))
{calls}"
    )
}

/// Calls all privileged ones.
pub(crate) fn privileged() -> String {
    let one = |(name, number): &(&str, u32)| format!("call('{name}', {number}, 0, 0, 0, 0, 0)\n");
    script(&PRIVILEGED.iter().map(one).collect::<String>())
}

/// What the above prints.
pub(crate) fn all_denied() -> String {
    PRIVILEGED.iter().map(|(name, _)| format!("{name} EPERM\n")).collect()
}

/// Privileged ones, with their numbers here.
const PRIVILEGED: &[(&str, u32)] = &[
    ("mount", 165),
    ("umount2", 166),
    ("pivot_root", 155),
    ("chroot", 161),
    ("fsopen", 430),
    ("open_tree", 428),
    ("move_mount", 429),
    ("mount_setattr", 442),
    ("unshare", 272),
    ("setns", 308),
    ("bpf", 321),
    ("perf_event_open", 298),
    ("userfaultfd", 323),
    ("io_uring_setup", 425),
    ("io_uring_enter", 426),
    ("keyctl", 250),
    ("add_key", 248),
    ("request_key", 249),
    ("init_module", 175),
    ("finit_module", 313),
    ("delete_module", 176),
    ("open_by_handle_at", 304),
    ("name_to_handle_at", 303),
    ("kexec_load", 246),
    ("reboot", 169),
    ("swapon", 167),
    ("acct", 163),
    ("quotactl", 179),
    ("vhangup", 153),
    ("iopl", 172),
    ("ioperm", 173),
    ("syslog", 103),
];

#[tokio::test]
async fn c5_privileged_system_calls_are_denied() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let said = python(&*sandbox, &privileged()).await;
    assert_eq!(said, all_denied());
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn c5_clone_with_namespaces_is_denied_one_by_one() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let flags =
        [0x1000_0000_u32, 0x0002_0000, 0x2000_0000, 0x0800_0000, 0x0400_0000, 0x4000_0000, 0x0200_0000];
    let lines: String =
        flags.iter().map(|flag| format!("call('clone', 56, {flag} | 17, 0, 0, 0, 0)\n")).collect();
    assert_eq!(python(&*sandbox, &script(&lines)).await, "clone EPERM\n".repeat(7));
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn c4_other_processes_memory_is_out_of_reach() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let lines = "for name, nr in [('ptrace', 101), ('process_vm_readv', 310), ('process_vm_writev', 311), ('kcmp', 312), ('pidfd_getfd', 438)]:\n    call(name, nr, 16, os.getppid(), 0, 0, 0)";
    let said = python(&*sandbox, &script(lines)).await;
    assert_eq!(said.matches("EPERM").count(), 5, "{said}");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn c6_clone3_does_not_exist_and_threads_work_without_it() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    assert_eq!(python(&*sandbox, &script("call('clone3', 435, 0, 0)")).await, "clone3 ENOSYS\n");
    let threads = "import threading\nt = threading.Thread(target=lambda: print('ran')); t.start(); t.join()";
    assert_eq!(python(&*sandbox, threads).await, "ran\n");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn c6_other_ways_to_call_the_kernel_are_deadly() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    // mount by its x32 number; getpid through the 32-bit gate: `mov eax, 20; int 0x80; ret`.
    let x32 = script("call('x32', 0x40000000 | 165, 0, 0, 0, 0, 0)");
    let int80 = "import ctypes, mmap\nm = mmap.mmap(-1, 4096, prot=7)\nm.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\nctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()\nprint('alive')";
    for script in [x32.as_str(), int80] {
        let (exit, text) = run(&*sandbox, &["/usr/bin/python3", "-I", "-S", "-c", script]).await;
        assert_eq!((exit.kind, text.as_str()), (ExitKind::Signal(libc_sigsys()), ""), "{script}");
    }
    sandbox.destroy().await.unwrap();
    house.close().await;
}

fn libc_sigsys() -> i32 {
    rustix::process::Signal::SYS.as_raw()
}

#[tokio::test]
async fn c16_clock_and_names_cannot_be_set() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let lines = "import time\nfor name, nr in [('settimeofday', 164), ('clock_settime', 227), ('adjtimex', 159), ('clock_adjtime', 305), ('sethostname', 170), ('setdomainname', 171), ('personality', 135)]:\n    call(name, nr, 8, 0, 0)\ncall('query', 135, 0xffffffff)";
    let said = python(&*sandbox, &script(lines)).await;
    assert_eq!(said.matches("EPERM").count(), 7, "{said}");
    assert!(said.ends_with("query 0\n"), "{said}");
    sandbox.destroy().await.unwrap();
    house.close().await;
}
