#include "sandbox/fence.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static const char *const layer_names[FENCE_LAYERS] = {
    [FENCE_USER] = "user-namespace",
    [FENCE_MOUNT] = "mount-namespace",
    [FENCE_PID] = "pid-namespace",
    [FENCE_NETWORK] = "network-namespace",
    [FENCE_IPC] = "ipc-namespace",
    [FENCE_UTS] = "uts-namespace",
    [FENCE_CGROUP_NAMESPACE] = "cgroup-namespace",
    [FENCE_TIME] = "time-namespace",
    [FENCE_ROOT] = "root-filesystem",
    [FENCE_PROC] = "proc-masks",
    [FENCE_DEVICES] = "devices",
    [FENCE_CAPABILITIES] = "capabilities",
    [FENCE_NO_NEW_PRIVS] = "no-new-privs",
    [FENCE_SECCOMP] = "seccomp",
    [FENCE_LANDLOCK] = "landlock",
    [FENCE_KEYRING] = "keyring",
    [FENCE_DESCRIPTORS] = "descriptors",
    [FENCE_CGROUP] = "cgroup",
};

const char *fence_layer_name(enum fence_layer layer) {
    return layer_names[layer];
}

struct fence_page *fence_page_new(struct error *err) {
    void *page = mmap(NULL, sizeof(struct fence_page), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (page != MAP_FAILED) return page;
    error_sys(err, errno, "shared page");
    return NULL;
}

void fence_note(struct fence *f, enum fence_layer layer, enum layer_state state, const char *fmt,
                ...) {
    struct fence_note *note = &f->noting[layer];
    va_list ap;
    va_start(ap, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
    vsnprintf(note->detail, sizeof note->detail, fmt, ap);
    va_end(ap);
    note->state = state;
    note->written = true;
}

void fence_fail(struct fence *f, const struct error *err) {
    f->page->failure_errno = err->sys;
    snprintf(f->page->failure_text, sizeof f->page->failure_text, "%s", error_text(err));
    f->page->failure = err->kind == ERROR_NONE ? ERROR_INTERNAL : err->kind;
}

int fence_failure(const struct fence *f, struct error *err) {
    if (f->page->failure == ERROR_NONE)
        return error_set(err, ERROR_SYSTEM, "the sandbox's init died while it built the fence");
    error_set(err, f->page->failure, "%.*s", (int)sizeof f->page->failure_text,
              f->page->failure_text);
    if (err) err->sys = f->page->failure_errno;
    return -1;
}
