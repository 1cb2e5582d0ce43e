/* What both libraries share: how a template talks to the helper, and what a forked child does before it goes on. */
#ifndef ANYFN_TEMPLATE_H
#define ANYFN_TEMPLATE_H

#include <stdint.h>

/* Words of the control socket (SOCK_SEQPACKET, machine byte order). The other side is crates/sandbox, helper/fork.rs. */

/* Helper to template. Beside it travel descriptors: the namespaces in the order of `enum at`, then `procs` files to join
   cgroups by, then `fds` descriptors for the child. */
struct order {
    uint32_t serial;
    uint32_t uid; /* of the sandbox, as the host knows it; also its group */
    uint64_t open_files;
    uint64_t signals;
    uint32_t procs;
    uint32_t fds;
    int32_t numbers[16]; /* what the child's descriptors are called */
};

enum at { AT_PID, AT_MNT, AT_NET, AT_IPC, AT_UTS, AT_CGROUP, AT_USER, NAMESPACES };

#define PROCS_MAX 8
#define FDS_MAX 16
#define ATTACHED_MAX (NAMESPACES + PROCS_MAX + FDS_MAX)
/* The highest number that a child's descriptor may get. The helper starts a template with all of these taken, so whatever
   the language opens, and whatever comes with an order, lies above. */
#define NUMBER_MAX 31
#define KEPT_MAX 16

/* Template to helper. */
enum word {
    READY = 1,  /* it can be forked from now on */
    FORKED = 2, /* serial, pid; a pidfd travels with it */
    BECAME = 3, /* serial, error (0: the child is in its sandbox), step; sent by the child, or by the template if there is none */
    EXITED = 4  /* pid, code or -1, signal */
};

struct told {
    uint32_t word;
    uint32_t serial;
    int32_t a;
    int32_t b;
};

/* Says that the template can be forked. 0, or -errno. */
int template_open(int control);
/* Waits for an order; reports children that end. 1: fork now; 0: the helper is gone; or -errno. */
int template_wait(void);
/* In the template after the fork: the child's pid, or -errno if there is none. 0, or -errno. */
int template_born(int pid);
/* In the child: becomes a process of the sandbox. 0, or -errno; then the child must end at once. `kept` are descriptors
   above NUMBER_MAX that stay open. */
int template_enter(const int *kept, int kept_len);
/* Whether a descriptor came with the order. */
int template_holds(int fd);

#endif
