//! The system call filter: two small programs, compiled once by the helper and installed once per sandbox, in its init;
//! every guest process inherits them.
//!
//! `deny` answers EPERM and asks the kernel for an audit record: nothing that a guest needs is in it. `shape` is written
//! by hand for what a table cannot say: the x32 numbers are denied, and `clone3` does not exist, because its flags lie in
//! memory where no filter sees them; C libraries then use `clone`.

use std::{collections::BTreeMap, io};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, sock_filter,
};

use crate::sys::process::install_filter;

/// Compiled.
#[derive(Clone, Debug)]
pub(crate) struct Filters {
    deny: BpfProgram,
    /// For templates: `deny` but for `setns`, which a forked child denies itself at the end.
    template: BpfProgram,
    shape: Vec<sock_filter>,
}

impl Filters {
    pub(crate) fn compile() -> io::Result<Self> {
        let broken = |e: seccompiler::BackendError| io::Error::other(e.to_string());
        let arch = std::env::consts::ARCH.try_into().map_err(broken)?;
        let compile = |rules| {
            let errno = SeccompAction::Errno(libc::EPERM as u32);
            let filter = SeccompFilter::new(rules, SeccompAction::Allow, errno, arch);
            filter.and_then(BpfProgram::try_from).map_err(broken)
        };
        let rules = rules().map_err(broken)?;
        let mut template = rules.clone();
        template.remove(&libc::SYS_setns);
        Ok(Self { deny: compile(rules)?, template: compile(template)?, shape: shape() })
    }

    pub(super) fn install_for_template(&self) -> io::Result<()> {
        install_filter(&self.shape, false)?;
        install_filter(&self.template, true)
    }

    /// `shape` first: installing more filters stays allowed, and programs may add their own.
    pub(super) fn install(&self) -> io::Result<()> {
        install_filter(&self.shape, false)?;
        install_filter(&self.deny, true)
    }
}

/// Denied whatever the arguments are.
const NEVER: &[libc::c_long] = &[
    // mounts and roots
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    // namespaces
    libc::SYS_unshare,
    libc::SYS_setns,
    // other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // large kernel surfaces
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_fanotify_init,
    libc::SYS_lookup_dcookie,
    libc::SYS_vmsplice,
    // keys
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // modules, kexec, the machine
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_nfsservctl,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    // names and clocks
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    // files by handle escape mounts
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // memory policy of the whole machine
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];

#[cfg(target_arch = "x86_64")]
const NEVER_HERE: &[libc::c_long] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
];
#[cfg(not(target_arch = "x86_64"))]
const NEVER_HERE: &[libc::c_long] = &[];

/// An old way to raw packets; the C library's header calls it obsolete, the kernel still has it.
const SOCK_PACKET: i32 = 10;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Condition = Result<SeccompCondition, seccompiler::BackendError>;

fn masked(argument: u8, mask: u64, value: u64) -> Condition {
    SeccompCondition::new(argument, Dword, SeccompCmpOp::MaskedEq(mask), value)
}

fn equal(argument: u8, value: i32) -> Condition {
    SeccompCondition::new(argument, Dword, SeccompCmpOp::Eq, u64::from(value as u32))
}

fn other_than(argument: u8, value: i32) -> Condition {
    SeccompCondition::new(argument, Dword, SeccompCmpOp::Ne, u64::from(value as u32))
}

fn rules() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = NEVER.iter().chain(NEVER_HERE).map(|number| (*number, Vec::new())).collect();
    let mut deny = |number: libc::c_long, all_of: Vec<Condition>| {
        let rule = SeccompRule::new(all_of.into_iter().collect::<Result<_, _>>()?)?;
        rules.entry(number).or_default().push(rule);
        Ok::<(), seccompiler::BackendError>(())
    };
    for flag in [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWCGROUP,
    ] {
        deny(libc::SYS_clone, vec![masked(0, flag as u64, flag as u64)])?;
    }
    for (mode, number) in MAKE_NODE {
        for kind in [libc::S_IFCHR, libc::S_IFBLK] {
            deny(*number, vec![masked(*mode, u64::from(libc::S_IFMT), u64::from(kind))])?;
        }
    }
    // Nobody inside has a terminal to push bytes into, and none should be found.
    deny(libc::SYS_ioctl, vec![equal(1, 0x5412)])?;
    // Turning randomisation off is what debuggers and sanitizers ask for; anything else is an old personality.
    deny(
        libc::SYS_personality,
        vec![other_than(0, 0), other_than(0, -1), other_than(0, libc::ADDR_NO_RANDOMIZE)],
    )?;
    // A limit of 0 instead of 1 would start the host's core program.
    let core = libc::RLIMIT_CORE as i32;
    deny(libc::SYS_setrlimit, vec![equal(0, core)])?;
    let given = SeccompCondition::new(2, seccompiler::SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0);
    deny(libc::SYS_prlimit64, vec![equal(1, core), given])?;
    sockets(&mut deny)?;
    Ok(rules)
}

/// Which argument is the mode.
#[cfg(target_arch = "x86_64")]
const MAKE_NODE: &[(u8, libc::c_long)] = &[(1, libc::SYS_mknod), (2, libc::SYS_mknodat)];
#[cfg(not(target_arch = "x86_64"))]
const MAKE_NODE: &[(u8, libc::c_long)] = &[(2, libc::SYS_mknodat)];

/// Local, IPv4 and IPv6 sockets, streams and datagrams only. Of netlink only the part about routes, which C libraries and
/// runtimes ask for the list of interfaces.
fn sockets(
    deny: &mut impl FnMut(libc::c_long, Vec<Condition>) -> Result<(), seccompiler::BackendError>,
) -> Result<(), seccompiler::BackendError> {
    let others = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    deny(libc::SYS_socket, others.iter().map(|family| other_than(0, *family)).collect())?;
    deny(libc::SYS_socket, vec![equal(0, libc::AF_NETLINK), other_than(2, libc::NETLINK_ROUTE)])?;
    for kind in [libc::SOCK_RAW, SOCK_PACKET] {
        deny(libc::SYS_socket, vec![other_than(0, libc::AF_NETLINK), masked(1, 0xf, kind as u64)])?;
    }
    // "Ping" sockets: datagrams that carry ICMP.
    for (family, protocol) in [(libc::AF_INET, libc::IPPROTO_ICMP), (libc::AF_INET6, libc::IPPROTO_ICMPV6)] {
        deny(libc::SYS_socket, vec![equal(0, family), equal(2, protocol)])?;
    }
    deny(libc::SYS_socketpair, vec![other_than(0, libc::AF_UNIX)])
}

/// Offset of the number in `struct seccomp_data`.
const NUMBER: u32 = 0;
const X32_BIT: u32 = 0x4000_0000;

fn shape() -> Vec<sock_filter> {
    let step = |code: u32, jt, jf, k| sock_filter { code: code as u16, jt, jf, k };
    vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, NUMBER),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 3, 0, X32_BIT),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_clone3 as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
    ]
}
