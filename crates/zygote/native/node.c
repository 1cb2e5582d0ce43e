/* For Node, as an addon by N-API. The few symbols are declared by hand (nodejs.org/api/n-api.html), so that no header of
   any version is needed; they are found in the node program. */
#define _GNU_SOURCE
#include "template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
struct uv_loop_s;

extern int napi_create_function(napi_env, const char *, size_t, napi_callback, void *, napi_value *);
extern int napi_set_named_property(napi_env, napi_value, const char *, napi_value);
extern int napi_get_cb_info(napi_env, napi_callback_info, size_t *, napi_value *, napi_value *, void **);
extern int napi_get_value_int32(napi_env, napi_value, int32_t *);
extern int napi_create_int32(napi_env, int32_t, napi_value *);
extern int napi_get_uv_event_loop(napi_env, struct uv_loop_s **);
extern int uv_loop_fork(struct uv_loop_s *);

/* V8 marks its pages as "not for children" (MADV_DONTFORK), because it expects an exec after each fork. Takes the marks
   away. Unmapped holes are no obstacle (ENOMEM after all the rest was done). The last pages before the vDSO are the
   kernel's own and refuse. */
static int for_children(void) {
    uintptr_t end = getauxval(AT_SYSINFO_EHDR);
    if (end == 0) return -ENOSYS;
    end = (end - 0x20000) & ~(uintptr_t)0xffff;
    if (madvise((void *)0x10000, end - 0x10000, MADV_DOFORK) == 0 || errno == ENOMEM) return 0;
    return -errno;
}

/* Two kinds of descriptors must not vanish in a child. libuv guards its signal handlers with a pipe, makes a new one in
   every child (inside of `fork`), and ends the process if it is not there; its numbers are known to nobody: they are the
   pipes that the template does not have. And node wakes threads by eventfds when it exits, and ends the process by a signal
   if it cannot write to one, though in a child there is no such thread: these become `/dev/null`. */
#define LOOKED_AT 512
static struct { uint64_t inode; int wakes; } known[LOOKED_AT];
static int highest;

static uint64_t inode(int fd, int pipes_only) {
    struct stat found;
    if (fstat(fd, &found) < 0 || (pipes_only && !S_ISFIFO(found.st_mode))) return 0;
    return found.st_ino;
}

static int wakes(int fd) {
    char path[32], to[32];
    memset(to, 0, sizeof to);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return readlink(path, to, sizeof to - 1) > 0 && strcmp(to, "anon_inode:[eventfd]") == 0;
}

static void remember_descriptors(void) {
    for (int fd = NUMBER_MAX + 1; fd < LOOKED_AT; fd++) {
        known[fd].inode = inode(fd, 0);
        if (known[fd].inode == 0) continue;
        known[fd].wakes = wakes(fd);
        highest = fd;
    }
}

/* In the child: what stays open, ascending. */
static int to_keep(int *found) {
    int count = 0, end = highest + ATTACHED_MAX + 4;
    for (int fd = NUMBER_MAX + 1; fd < LOOKED_AT && fd <= end && count < KEPT_MAX; fd++) {
        if (template_holds(fd)) continue;
        uint64_t pipe = inode(fd, 1);
        if (pipe != 0 && pipe != known[fd].inode) found[count++] = fd;
        else if (known[fd].wakes && dup2(0, fd) == fd) found[count++] = fd;
    }
    return count;
}

/* Forks for every order of the helper. Returns only in a child (0), or when the template is to end (an error below 0; 1
   when the helper is gone). */
static int serve(int fd, struct uv_loop_s *loop) {
    int said = template_open(fd);
    if (said < 0) return said;
    for (;;) {
        if (highest == 0) remember_descriptors();
        said = template_wait();
        if (said <= 0) return said == 0 ? 1 : said;
        int pid = for_children();
        if (pid == 0) {
            pid = fork();
            if (pid == 0) {
                int kept[KEPT_MAX], count = to_keep(kept);
                int entered = template_enter(kept, count);
                /* The loop's descriptors were closed there; this makes new ones. */
                if (entered == 0 && uv_loop_fork(loop) != 0) entered = -EIO;
                if (entered < 0) _exit(70);
                return 0;
            }
            if (pid < 0) pid = -errno;
        }
        said = template_born(pid);
        if (said < 0) return said;
    }
}

static napi_value call(napi_env env, napi_callback_info info) {
    size_t count = 1;
    napi_value argument = 0, result = 0;
    int32_t fd = -1, said = -EINVAL;
    struct uv_loop_s *loop = 0;
    if (napi_get_cb_info(env, info, &count, &argument, 0, 0) == 0 && count == 1 &&
        napi_get_value_int32(env, argument, &fd) == 0 && napi_get_uv_event_loop(env, &loop) == 0)
        said = serve(fd, loop);
    napi_create_int32(env, said, &result);
    return result;
}

/* Ends a child at once. Node's own way out waits for threads that are not there. */
static napi_value leave(napi_env env, napi_callback_info info) {
    size_t count = 1;
    napi_value argument = 0;
    int32_t code = 0;
    if (napi_get_cb_info(env, info, &count, &argument, 0, 0) == 0 && count == 1)
        napi_get_value_int32(env, argument, &code);
    _exit(code);
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports);

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
    napi_value function = 0;
    if (napi_create_function(env, "serve", 5, call, 0, &function) == 0)
        napi_set_named_property(env, exports, "serve", function);
    if (napi_create_function(env, "leave", 5, leave, 0, &function) == 0)
        napi_set_named_property(env, exports, "leave", function);
    return exports;
}
