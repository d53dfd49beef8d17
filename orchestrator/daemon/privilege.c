#include "orchestrator/daemon/privilege.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/log.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

int account_find(const char *name, struct account *out, struct error *err) {
    char space[8192];
    struct passwd entry, *found = NULL;
    int rc = getpwnam_r(name, &entry, space, sizeof space, &found);
    if (rc != 0) return error_sys(err, rc, "account %s", name);
    if (!found)
        return error_set(err, ERROR_NOT_FOUND,
                         "started as root, and there is no account %s to become; make it with"
                         " `adduser --system --group --home /var/lib/paddock %s`, or stay root"
                         " with --stay-root",
                         name, name);
    if (found->pw_uid == 0) return error_set(err, ERROR_INVALID, "account %s is root", name);
    *out = (struct account){strdup(found->pw_name), strdup(found->pw_dir), found->pw_uid,
                            found->pw_gid};
    return out->name && out->home ? 0 : error_sys(err, ENOMEM, "account");
}

void account_clear(struct account *a) {
    free(a->name);
    free(a->home);
    *a = (struct account){0};
}

/* Whether a folder of root's holds nothing but what paddock itself puts there as
 * root; any other may be /tmp. */
static bool is_fresh(int fd) {
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) return false;
    for (struct dirent *e; (e = readdir(dir));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") && !str_eq(e->d_name, "live") &&
            !str_eq(e->d_name, "paddockd.sock"))
            return false;
    return true;
}

int privilege_give_dir(const char *path, const struct account *a, struct error *err) {
    struct stat st;
    if (lstat(path, &st) < 0 && dir_make(path, 0700, err) < 0) return -1;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) return error_sys(err, errno, "%s", path);
    if (st.st_uid == a->uid) return 0;
    if (st.st_uid != 0)
        return error_set(err, ERROR_DENIED, "%s belongs to neither root nor %s", path, a->name);
    if (!is_fresh(fd))
        return error_set(err, ERROR_DENIED,
                         "%s is root's and holds other things: name a folder of paddockd's own",
                         path);
    if (fchown(fd, a->uid, a->gid) < 0 || fchmod(fd, 0700) < 0)
        return error_sys(err, errno, "%s", path);
    return 0;
}

/* One line of /proc/self/cgroup: "<id>:<controllers>:<path>". */
static char *hierarchy_folder(char *line) {
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path || strstr(path, "..")) return NULL;
    *path++ = '\0';
    controllers++;
    if (str_starts(controllers, "name=")) controllers += strlen("name=");
    if (*controllers) return str_printf("/sys/fs/cgroup/%s%s/paddock", controllers, path);
    struct stat st;
    bool pure = stat("/sys/fs/cgroup/cgroup.controllers", &st) == 0;
    return str_printf("/sys/fs/cgroup%s%s/paddock", pure ? "" : "/unified", path);
}

static void give_group(const char *folder, const struct account *a) {
    static const char *const files[] = {"", "/cgroup.procs", "/cgroup.subtree_control",
                                        "/cgroup.threads", "/tasks"};
    if (mkdir(folder, 0755) < 0 && errno != EEXIST) {
        log_debug("cgroup %s: %s", folder, strerror(errno));
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *path = str_printf("%s%s", folder, files[i]);
        if (path && lchown(path, a->uid, a->gid) < 0 && errno != ENOENT)
            log_debug("cgroup %s: %s", path, strerror(errno));
    }
}

void privilege_delegate_cgroups(const struct account *a) {
    _cleanup_buf_ struct buf text = {0};
    if (file_read("/proc/self/cgroup", 1 << 16, &text, NULL) < 0 || !text.data) return;
    char *rest = text.data;
    for (char *line; (line = strsep(&rest, "\n"));) {
        _cleanup_free_ char *folder = *line ? hierarchy_folder(line) : NULL;
        if (folder) give_group(folder, a);
    }
}

/* Nothing must be left that would lead back. */
static int check_dropped(const struct account *a, struct error *err) {
    uid_t r, e, s;
    gid_t gr, ge, gs;
    if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0)
        return error_sys(err, errno, "read the ids back");
    bool same =
        r == a->uid && e == a->uid && s == a->uid && gr == a->gid && ge == a->gid && gs == a->gid;
    if (!same || setuid(0) == 0 || seteuid(0) == 0)
        return error_set(err, ERROR_INTERNAL, "root could not be given up");
    return 0;
}

int privilege_drop(const struct account *a, struct error *err) {
    if (initgroups(a->name, a->gid) < 0 || setresgid(a->gid, a->gid, a->gid) < 0 ||
        setresuid(a->uid, a->uid, a->uid) < 0)
        return error_sys(err, errno, "become %s", a->name);
    if (check_dropped(a, err) < 0) return -1;
    /* A change of ids makes /proc/self root's; our own tools read it. */
    if (prctl(PR_SET_DUMPABLE, 1) < 0) return error_sys(err, errno, "dumpable");
    setenv("HOME", a->home, 1);
    setenv("USER", a->name, 1);
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("XDG_STATE_HOME");
    unsetenv("XDG_CONFIG_HOME");
    return chdir("/") < 0 ? error_sys(err, errno, "/") : 0;
}
