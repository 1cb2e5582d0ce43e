/* For Python, by ctypes. The interpreter forks itself (`os.fork`), so that what it and its modules do at a fork is done. */
#include "template.h"

#define SHOWN __attribute__((visibility("default")))

SHOWN int template_ready(int fd);
SHOWN int template_next(int fd);
SHOWN int template_forked(int pid);
SHOWN int template_become(void);

int template_ready(int fd) { return template_open(fd); }

int template_next(int fd) {
    (void)fd;
    return template_wait();
}

int template_forked(int pid) { return template_born(pid); }

int template_become(void) { return template_enter(0, 0); }
