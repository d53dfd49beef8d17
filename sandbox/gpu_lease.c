#include "sandbox/gpu_lease.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/live_internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define FOLDER      ".gpus"
#define SICK_SUFFIX ".sick"
#define TEXT_MOST   4096

int gpu_lease_folder(struct error *err) {
    _cleanup_close_ int live = live_dir_open(err);
    if (live < 0) return -1;
    if (mkdirat(live, FOLDER, 0700) < 0 && errno != EEXIST)
        return error_sys(err, errno, "mkdir %s", FOLDER);
    int fd = openat(live, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_sys(err, errno, "%s", FOLDER) : fd;
}

static char *first_line(int folder, const char *name) {
    _cleanup_buf_ struct buf text = {0};
    if (file_read_at(folder, name, TEXT_MOST, &text, NULL) < 0) return strdup("");
    return str_printable(buf_text(&text), strcspn(buf_text(&text), "\n"));
}

#define _cleanup_lease_ __attribute__((cleanup(gpu_lease_end)))

/* Whoever asks who has a lock tries it for a moment, and a taker meanwhile would be told
 * that it is busy, by the name of a holder long gone. So each has the folder while it
 * tries; a lease of its own, since threads share the folder's descriptor. */
static int guard(int folder) {
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -1 : 0;
    while (fd >= 0 && (r = flock(fd, LOCK_EX)) < 0 && errno == EINTR) {
    }
    if (r < 0 && fd >= 0) close(fd);
    return r < 0 ? -1 : fd;
}

int gpu_lease_take(int folder, const char *name, const char *holder, bool shared,
                   struct error *err) {
    _cleanup_lease_ int alone = guard(folder);
    if (alone < 0) return error_sys(err, errno, "the folder of the leases");
    _cleanup_close_ int fd = openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return error_sys(err, errno, "%s", name);
    if (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK) return error_sys(err, errno, "%s", name);
        _cleanup_free_ char *other = first_line(folder, name);
        return error_set(err, ERROR_BUSY, "%s: %s has it", name,
                         other && *other ? other : "somebody");
    }
    if (!shared && (ftruncate(fd, 0) < 0 || write_all(fd, holder, strlen(holder)) < 0))
        return error_sys(err, errno, "%s", name);
    return steal_fd(&fd);
}

void gpu_lease_end(int *lease) {
    if (*lease < 0) return;
    flock(*lease, LOCK_UN);
    close(*lease);
    *lease = -1;
}

char *gpu_lease_holder(int folder, const char *name) {
    _cleanup_lease_ int alone = guard(folder);
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return NULL;
    bool held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    gpu_lease_end(&fd);
    return held ? first_line(folder, name) : NULL;
}

static char *sick_name(const char *uuid) {
    return strchr(uuid, '/') ? NULL : str_printf("%s" SICK_SUFFIX, uuid);
}

char *gpu_sick_reason(int folder, const char *uuid) {
    _cleanup_free_ char *name = sick_name(uuid);
    if (!name || faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0) return NULL;
    return first_line(folder, name);
}

int gpu_sick_set(int folder, const char *uuid, const char *reason, struct error *err) {
    _cleanup_free_ char *name = sick_name(uuid);
    if (!name) return error_set(err, ERROR_INVALID, "%s: is no GPU's name", uuid);
    if (reason) return file_write_atomic_at(folder, name, reason, strlen(reason), 0600, err);
    return unlinkat(folder, name, 0) < 0 && errno != ENOENT ? error_sys(err, errno, "%s", name) : 0;
}
