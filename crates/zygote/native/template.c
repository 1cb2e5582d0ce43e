/* The template's side of a fork. One thread, no allocation, and nothing of the C library but thin wrappers: the library is
   loaded into a process that it does not know. */
#define _GNU_SOURCE
#include "template.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static int control = -1;
/* Readable when a child ended. A handler writes: a signal descriptor would miss what another thread of the language takes. */
static int woken = -1, waker = -1;
static struct sigaction old_action;
static int own_pid_namespace = -1;
static struct order order;
static int attached[ATTACHED_MAX];
static unsigned attached_len;
static int tell(uint32_t word, uint32_t serial, int32_t a, int32_t b, int fd) {
    struct told told = {word, serial, a, b};
    struct iovec part = {&told, sizeof told};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } space;
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (fd >= 0) {
        memset(&space, 0, sizeof space);
        message.msg_control = space.bytes;
        message.msg_controllen = sizeof space.bytes;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    while (sendmsg(control, &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR) return -errno;
    return 0;
}

static void child_ended(int signal) {
    int before = errno;
    (void)signal;
    /* A full pipe wakes as well. */
    if (write(waker, "x", 1) < 0) errno = before;
    errno = before;
}

static void let_go(void) {
    for (unsigned i = 0; i < attached_len; i++)
        if (attached[i] >= 0) close(attached[i]);
    attached_len = 0;
}

int template_holds(int fd) {
    for (unsigned i = 0; i < attached_len; i++)
        if (attached[i] == fd) return 1;
    return 0;
}

int template_open(int fd) {
    if (control >= 0) return -EALREADY;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
    woken = ends[0];
    waker = ends[1];
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = child_ended;
    action.sa_flags = SA_NOCLDSTOP | SA_RESTART;
    if (sigaction(SIGCHLD, &action, &old_action) < 0) return -errno;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_UNBLOCK, &set, NULL) < 0) return -errno;
    own_pid_namespace = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (own_pid_namespace < 0) return -errno;
    /* Above the numbers of the child's descriptors. */
    control = fcntl(fd, F_DUPFD_CLOEXEC, NUMBER_MAX + 1);
    if (control < 0) return -errno;
    if (dup2(0, fd) < 0) return -errno;
    return tell(READY, 0, 0, 0, -1);
}

static int reap(void) {
    char drained[64];
    while (read(woken, drained, sizeof drained) > 0) {}
    for (;;) {
        siginfo_t ended;
        memset(&ended, 0, sizeof ended);
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG) < 0) return errno == ECHILD || errno == EINTR ? 0 : -errno;
        if (ended.si_pid == 0) return 0;
        int exited = ended.si_code == CLD_EXITED;
        int said = tell(EXITED, (uint32_t)ended.si_pid, exited ? ended.si_status : -1, exited ? 0 : ended.si_status, -1);
        if (said < 0) return said;
    }
}

/* One order and its descriptors. 1, 0 at the end of the socket, or -errno. */
static int receive(void) {
    struct iovec part = {&order, sizeof order};
    union {
        char bytes[CMSG_SPACE(sizeof(int) * ATTACHED_MAX)];
        struct cmsghdr align;
    } space;
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space.bytes;
    message.msg_controllen = sizeof space.bytes;
    ssize_t got = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    if (got < 0) return errno == EINTR || errno == EAGAIN ? -EAGAIN : -errno;
    if (got == 0) return 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        unsigned count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (unsigned i = 0; i < count && attached_len < ATTACHED_MAX; i++)
            memcpy(&attached[attached_len++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
    int whole = got == (ssize_t)sizeof order && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    int fits = order.procs <= PROCS_MAX && order.fds <= FDS_MAX && attached_len == NAMESPACES + order.procs + order.fds;
    if (!whole || !fits || order.uid == 0) return -EBADMSG;
    for (uint32_t i = 0; i < order.fds; i++)
        if (order.numbers[i] < 0 || order.numbers[i] > NUMBER_MAX) return -EBADMSG;
    for (unsigned i = 0; i < attached_len; i++)
        if (attached[i] <= NUMBER_MAX) return -EBADF;
    return 1;
}

int template_wait(void) {
    for (;;) {
        struct pollfd ready[2] = {{control, POLLIN, 0}, {woken, POLLIN, 0}};
        if (poll(ready, 2, -1) < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        if (ready[1].revents) {
            int said = reap();
            if (said < 0) return said;
        }
        if (!ready[0].revents) continue;
        let_go();
        int got = receive();
        if (got == -EAGAIN) continue;
        if (got <= 0) return got;
        /* The child will be born in there: a process cannot move to another pid namespace. */
        if (setns(attached[AT_PID], CLONE_NEWPID) == 0) return 1;
        int said = tell(BECAME, order.serial, errno, AT_PID, -1);
        if (said < 0) return said;
    }
}

int template_born(int pid) {
    int said;
    if (pid > 0) {
        /* Nobody reaps before the next wait, so the number is still the child's. */
        int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        said = pidfd < 0 ? -errno : tell(FORKED, order.serial, pid, 0, pidfd);
        if (pidfd >= 0) close(pidfd);
    } else {
        said = tell(BECAME, order.serial, pid < 0 ? -pid : EINVAL, NAMESPACES, -1);
    }
    let_go();
    if (setns(own_pid_namespace, CLONE_NEWPID) < 0 && said == 0) said = -errno;
    return said;
}

/* In the child. `step` is for the log. */
#define STEP(call) \
    do { \
        step++; \
        if ((call) < 0) goto failed; \
    } while (0)

static int join(int procs) { return write(procs, "0", 1) == 1 ? 0 : -1; }

static int lower(int resource, uint64_t most) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0) return -1;
    if (limit.rlim_max > most) limit.rlim_max = most;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit);
}

/* When memory runs out the kernel takes guests first. */
static int oom_score(void) {
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t wrote = write(file, "1000", 4);
    close(file);
    return wrote == 4 ? 0 : -1;
}

static int no_capabilities(void) {
    /* Entering the user namespace filled all sets. The bounding set first: that needs a capability. */
    for (unsigned long one = 0; one < 64; one++)
        if (prctl(PR_CAPBSET_DROP, one, 0, 0, 0) < 0) {
            if (errno == EINVAL && one > 0) break; /* the kernel knows no more of them */
            return -1;
        }
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    return (int)syscall(SYS_capset, &header, none);
}

/* The template's filter is the guests' one but for `setns`. Numbers of other architectures never come here: they are
   deadly by the filters before. */
static int no_setns(void) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setns, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof steps / sizeof steps[0], steps};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program);
}

/* Only the given descriptors stay, under their numbers, and `keep` (ascending, above NUMBER_MAX). */
static int descriptors(const int *keep, int keep_len) {
    const int *given = attached + NAMESPACES + order.procs;
    uint64_t used = 7;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0) return -1;
    for (int number = 0; number <= 2; number++)
        if (dup2(nothing, number) < 0) return -1;
    for (uint32_t i = 0; i < order.fds; i++) {
        if (dup2(given[i], order.numbers[i]) < 0) return -1;
        used |= (uint64_t)1 << order.numbers[i];
    }
    for (int number = 3; number <= NUMBER_MAX; number++)
        if (!(used >> number & 1)) close(number);
    unsigned from = NUMBER_MAX + 1;
    for (int i = 0; i < keep_len; i++) {
        if ((unsigned)keep[i] > from && syscall(SYS_close_range, from, (unsigned)keep[i] - 1, 0) < 0) return -1;
        from = (unsigned)keep[i] + 1;
    }
    return (int)syscall(SYS_close_range, from, ~0U, 0);
}

int template_enter(const int *kept, int kept_len) {
    int step = NAMESPACES, error, keep[KEPT_MAX + 1], keep_len = 0;
    if (kept_len > KEPT_MAX) return -EINVAL;
    /* The control socket stays until the last word. */
    for (int i = 0, placed = 0; i < kept_len || !placed;) {
        if (!placed && (i == kept_len || control < kept[i])) {
            keep[keep_len++] = control;
            placed = 1;
        } else {
            keep[keep_len++] = kept[i++];
        }
    }
    for (uint32_t i = 0; i < order.procs; i++) STEP(join(attached[NAMESPACES + i]));
    step = 20;
    STEP(setns(attached[AT_MNT], CLONE_NEWNS)); /* 21: also root and working folder */
    STEP(setns(attached[AT_NET], CLONE_NEWNET));
    STEP(setns(attached[AT_IPC], CLONE_NEWIPC));
    STEP(setns(attached[AT_UTS], CLONE_NEWUTS));
    STEP(setns(attached[AT_CGROUP], CLONE_NEWCGROUP)); /* 25 */
    STEP(setsid());
    STEP(lower(RLIMIT_SIGPENDING, order.signals));
    STEP(oom_score());
    /* By number and not by the C library: its wrappers would look for other threads to change. 29: */
    STEP(syscall(SYS_setgroups, 0, NULL));
    STEP(syscall(SYS_setresgid, order.uid, order.uid, order.uid));
    STEP(syscall(SYS_setresuid, order.uid, order.uid, order.uid));
    /* 32: The owner of a user namespace may enter it; that is the sandbox's user, in its parent, as we are now. */
    STEP(setns(attached[AT_USER], CLONE_NEWUSER));
    STEP(no_capabilities());
    /* The change of ids took it away; without it `/proc/self` would belong to root. */
    STEP(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    STEP(no_setns()); /* 35 */
    umask(022);
    STEP(sigaction(SIGCHLD, &old_action, NULL));
    sigset_t none;
    sigemptyset(&none);
    STEP(sigprocmask(SIG_SETMASK, &none, NULL));
    STEP(descriptors(keep, keep_len));
    STEP(lower(RLIMIT_NOFILE, order.open_files));
    error = tell(BECAME, order.serial, 0, 0, -1);
    close(control);
    control = woken = waker = own_pid_namespace = -1;
    attached_len = 0;
    return error;
failed:
    error = errno;
    tell(BECAME, order.serial, error, step, -1);
    return -error;
}
