/* The folder of the live registry and its locks. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/live_internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* Where the folder is: an existing place that we trust and the folders below it
 * that are ours to make. */
struct place {
    const char *base;
    char below[2][64];
};

static void choose_place(struct place *p) {
    *p = (struct place){.below = {"paddock", "live"}};
    const char *chosen = getenv("PADDOCK_LIVE");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (chosen && chosen[0] == '/') {
        p->base = chosen;
        p->below[0][0] = '\0';
    } else if (geteuid() == 0) {
        p->base = "/run";
    } else if (runtime && runtime[0] == '/') {
        p->base = runtime;
    } else {
        p->base = "/tmp";
        snprintf(p->below[0], sizeof p->below[0], "paddock-%u", (unsigned)geteuid());
    }
}

int live_dir_path(char *out, size_t size) {
    struct place p;
    choose_place(&p);
    int n = p.below[0][0] ? snprintf(out, size, "%s/%s/%s", p.base, p.below[0], p.below[1])
                          : snprintf(out, size, "%s/%s", p.base, p.below[1]);
    return n > 0 && (size_t)n < size ? 0 : -1;
}

/* Makes and opens one folder that nobody else may have put there. The service's
 * own user may hold the folder in the middle (`strict` is false): what is in it
 * is checked by itself. */
static int enter(int dir, const char *name, bool strict, struct error *err) {
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (mkdirat(dir, name, strict ? 0700 : 0755) < 0 && errno != EEXIST)
            return error_sys(err, errno, "mkdir %s", name);
        fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0) return error_sys(err, errno, "%s", name);
    struct stat st;
    bool ours = fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 0022);
    if (ours || (!strict && geteuid() == 0 && !(st.st_mode & 0022))) return fd;
    close(fd);
    return error_set(err, ERROR_DENIED, "%s: belongs to somebody else or is open to others", name);
}

int live_dir_open(struct error *err) {
    struct place p;
    choose_place(&p);
    int fd = openat(AT_FDCWD, p.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) error_sys(err, errno, "%s", p.base);
    for (size_t i = 0; i < ARRAY_SIZE(p.below) && fd >= 0; i++) {
        if (!p.below[i][0]) continue;
        int next = enter(fd, p.below[i], i == 1, err);
        close(fd);
        fd = next;
    }
    if (fd >= 0 && mkdirat(fd, "ids", 0700) < 0 && errno != EEXIST) {
        error_sys(err, errno, "mkdir ids");
        close(fd);
        fd = -1;
    }
    if (fd < 0) error_wrap(err, "live registry in %s", p.base);
    return fd;
}

int live_lock(int dir, const char *name, bool create) {
    for (;;) {
        int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
        if (fd < 0) return -1;
        struct stat held;
        struct stat named;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &held) < 0) {
            int saved = errno;
            close(fd);
            errno = saved;
            return -1;
        }
        /* Between open and lock its owner may have removed it: then the lock is
         * on a file nobody will find. */
        if (fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_ino == held.st_ino &&
            named.st_dev == held.st_dev)
            return fd;
        close(fd);
    }
}
