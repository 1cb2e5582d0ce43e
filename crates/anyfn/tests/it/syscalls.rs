//! System calls made by a function itself.

use serde_json::json;

use crate::{
    isolation::PROBE,
    world::{Server, root, shared},
};

const CALL: &str = r"
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def call(nr, *args):
    ctypes.set_errno(0)
    r = libc.syscall(nr, *[ctypes.c_long(a) for a in args])
    return 'ok' if r >= 0 else errno.errorcode.get(ctypes.get_errno(), '?')
";

#[test]
fn c5_c16_privileged_system_calls_are_denied_to_functions() {
    let _machine = shared();
    if !root("c5_c16_privileged_system_calls_are_denied_to_functions") || cfg!(not(target_arch = "x86_64")) {
        return;
    }
    let server = Server::fresh(&[]);
    server.deploy("probe", PROBE);
    let calls = [
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
        ("io_uring_register", 427),
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
        ("settimeofday", 164),
        ("clock_settime", 227),
        ("adjtimex", 159),
        ("sethostname", 170),
        ("setdomainname", 171),
        ("ptrace", 101),
        ("process_vm_readv", 310),
        ("process_vm_writev", 311),
        ("kcmp", 312),
        ("syslog", 103),
        ("iopl", 172),
        ("ioperm", 173),
        ("vhangup", 153),
    ];
    let numbers: Vec<i32> = calls.iter().map(|(_, number)| *number).collect();
    // All ones, not zeros: `unshare(0)` does nothing and may be allowed.
    let code = format!("{CALL}\nout = [call(n, 0x10000000, 0, 0, 0, 0) for n in {numbers:?}]");
    let said = server.returned("probe", &json!({ "code": code }));
    for ((name, _), one) in calls.iter().zip(said.as_array().unwrap()) {
        assert!(["EPERM", "EACCES", "ENOSYS"].contains(&one.as_str().unwrap()), "{name}: {one}");
    }
    let sysctl = "out = err(lambda: open('/proc/sys/kernel/hostname', 'w').write('x'))[0]";
    assert_eq!(server.returned("probe", &json!({ "code": sysctl })), "EROFS");
}

/// Ways round the filter: other system call tables and a call that hides its flags in memory.
#[test]
fn c6_other_ways_to_call_the_kernel_are_closed() {
    let _machine = shared();
    if !root("c6_other_ways_to_call_the_kernel_are_closed") || cfg!(not(target_arch = "x86_64")) {
        return;
    }
    let server = Server::fresh(&[]);
    server.deploy("probe", PROBE);
    let clone3 = format!("{CALL}\nout = call(435, 0, 0)");
    assert_eq!(server.returned("probe", &json!({ "code": clone3 })), "ENOSYS");
    for flag in
        [0x1000_0000_u32, 0x0002_0000, 0x2000_0000, 0x0800_0000, 0x0400_0000, 0x4000_0000, 0x0200_0000]
    {
        let code = format!("{CALL}\nout = call(56, {flag} | 17, 0, 0, 0, 0)");
        assert_eq!(server.returned("probe", &json!({ "code": code })), "EPERM", "clone {flag:#x}");
    }
    let x32 = format!("{CALL}\nout = call(0x40000000 | 165, 0, 0, 0, 0, 0)");
    let int80 = "import ctypes, mmap\nm = mmap.mmap(-1, 4096, prot=7)\nm.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\nctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()\nout = 'alive'";
    for code in [x32.as_str(), int80] {
        let answer = server.invoke("probe", &json!({ "code": code }));
        assert_eq!(answer.header("anyfn-outcome"), "failed", "{}", answer.text());
        assert_eq!(answer.json()["errorType"], "Runtime.ExitError", "{}", answer.text());
    }
}
