#include "sandbox/identity.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/weaken.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { MAP_COUNT = 65536 };

static const char *const privilege_names[] = {"root", "subid", "plain"};

const char *privilege_name(enum privilege p) {
    return privilege_names[p];
}

/* ---- what we can do ---- */

static bool has_capabilities(uint64_t wanted) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return false;
    uint64_t effective = data[0].effective | (uint64_t)data[1].effective << 32;
    return (effective & wanted) == wanted;
}

/* The account's name without NSS: a static program must not load modules that
 * an installation configures. NULL when it has none. */
static char *account_name(uid_t uid) {
    _cleanup_fclose_ FILE *f = fopen("/etc/passwd", "re");
    if (!f) return NULL;
    for (struct passwd *p; (p = fgetpwent(f));)
        if (p->pw_uid == uid) return strdup(p->pw_name);
    return NULL;
}

bool identity_subid_range(const char *path, const char *name, uid_t uid, uint32_t *start,
                          uint32_t *count) {
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    _cleanup_free_ char *line = NULL;
    size_t room = 0;
    char number[16];
    snprintf(number, sizeof number, "%u", (unsigned)uid);
    while (f && getline(&line, &room, f) >= 0) {
        char *first = strchr(line, ':');
        char *second = first ? strchr(first + 1, ':') : NULL;
        if (!second) continue;
        *first = *second = '\0';
        if (!(name && strcmp(line, name) == 0) && strcmp(line, number) != 0) continue;
        unsigned long long begin = strtoull(first + 1, NULL, 10);
        unsigned long long length = strtoull(second + 1, NULL, 10);
        /* Each on its own first: the sum of two large ones wraps. */
        if (begin == 0 || begin > UINT32_MAX || length > UINT32_MAX) continue;
        if (length < PAYLOAD_UID || begin + length > UINT32_MAX) continue;
        *start = (uint32_t)begin;
        *count = length > MAP_COUNT - 1 ? MAP_COUNT - 1 : (uint32_t)length;
        return true;
    }
    return false;
}

static const char *find_helper(const char *name, char out[64]) {
    static const char *const dirs[] = {"/usr/bin", "/bin", "/usr/local/bin"};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        snprintf(out, 64, "%s/%s", dirs[i], name);
        if (access(out, X_OK) == 0) return out;
    }
    return NULL;
}

static bool has_subids(struct identity *id) {
    char path[64];
    if (!find_helper("newuidmap", path) || !find_helper("newgidmap", path)) {
        snprintf(id->why, sizeof id->why, "newuidmap and newgidmap (package uidmap) are missing");
        return false;
    }
    _cleanup_free_ char *name = account_name(id->own_uid);
    if (identity_subid_range("/etc/subuid", name, id->own_uid, &id->sub_uid, &id->sub_uid_count) &&
        identity_subid_range("/etc/subgid", name, id->own_uid, &id->sub_gid, &id->sub_gid_count))
        return true;
    snprintf(id->why, sizeof id->why,
             "/etc/subuid and /etc/subgid give uid %u no range of %d ids or more",
             (unsigned)id->own_uid, PAYLOAD_UID);
    return false;
}

int identity_detect(struct identity *out, struct error *err) {
    *out = (struct identity){.own_uid = geteuid(), .own_gid = getegid()};
    if (getuid() != geteuid() || getgid() != getegid())
        return error_set(err, ERROR_DENIED,
                         "started with changed ids (setuid or setgid program): "
                         "Paddock is never installed like that");
    const uint64_t needed = UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_SETUID |
                            UINT64_C(1) << CAP_SETGID | UINT64_C(1) << CAP_CHOWN |
                            UINT64_C(1) << CAP_DAC_OVERRIDE;
    if (out->own_uid == 0 && has_capabilities(needed)) {
        out->privilege = PRIVILEGE_ROOT;
        return 0;
    }
    if (out->own_uid != 0 && has_subids(out)) {
        out->privilege = PRIVILEGE_SUBID;
        snprintf(out->why, sizeof out->why, "not root");
        return 0;
    }
    out->privilege = PRIVILEGE_PLAIN;
    gid_t groups[64];
    int n = getgroups(ARRAY_SIZE(groups), groups);
    out->other_groups = n < 0;
    for (int i = 0; i < n; i++) out->other_groups |= groups[i] != out->own_gid;
    if (out->own_uid == 0)
        snprintf(out->why, sizeof out->why, "root without CAP_SYS_ADMIN, CAP_SETUID or CAP_SETGID");
    return 0;
}

/* ---- maps ---- */

static int write_proc(pid_t pid, const char *file, const char *text, struct error *err) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    _cleanup_close_ int fd = openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return error_sys(err, errno, "write \"%.60s\" to %s", text, path);
    return 0;
}

static int spawn_helper(const char *name, pid_t pid, uint32_t own, uint32_t start, uint32_t count,
                        pid_t *out, struct error *err) {
    char path[64], numbers[4][16];
    if (!find_helper(name, path)) return error_set(err, ERROR_NOT_FOUND, "%s is missing", name);
    snprintf(numbers[0], sizeof numbers[0], "%d", (int)pid);
    snprintf(numbers[1], sizeof numbers[1], "%u", own);
    snprintf(numbers[2], sizeof numbers[2], "%u", start);
    snprintf(numbers[3], sizeof numbers[3], "%u", count);
    char *argv[] = {path, numbers[0], "0", numbers[1], "1", "1", numbers[2], numbers[3], NULL};
    char *env[] = {NULL};
    int r = posix_spawn(out, path, NULL, NULL, argv, env);
    return r ? error_sys(err, r, "%s", path) : 0;
}

static int await_helper(const char *name, pid_t pid, struct error *err) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return error_sys(err, errno, "wait for %s", name);
    if (status != 0)
        return error_set(err, ERROR_DENIED, "%s refused the range (status 0x%x): %s", name,
                         (unsigned)status, "is it installed setuid or with file capabilities?");
    return 0;
}

/* Both helpers at once: each costs an exec. */
static int map_subids(const struct identity *id, pid_t pid, struct error *err) {
    pid_t first = 0, second = 0;
    if (spawn_helper("newuidmap", pid, id->own_uid, id->sub_uid, id->sub_uid_count, &first, err) <
        0)
        return -1;
    int r =
        spawn_helper("newgidmap", pid, id->own_gid, id->sub_gid, id->sub_gid_count, &second, err);
    if (await_helper("newuidmap", first, r < 0 ? NULL : err) < 0) r = -1;
    if (second && await_helper("newgidmap", second, r < 0 ? NULL : err) < 0) r = -1;
    return r;
}

int identity_map(const struct identity *id, pid_t pid, struct error *err) {
    if (weaken("user-namespace")) return 0;
    char text[64];
    switch (id->privilege) {
    case PRIVILEGE_SUBID: return map_subids(id, pid, err);
    case PRIVILEGE_ROOT:
        snprintf(text, sizeof text, "0 %u %d\n", id->base, MAP_COUNT);
        if (write_proc(pid, "uid_map", text, err) < 0) return -1;
        return write_proc(pid, "gid_map", text, err);
    case PRIVILEGE_PLAIN: break;
    }
    /* An unprivileged map of groups needs setgroups(2) denied (user_namespaces(7)). */
    if (write_proc(pid, "setgroups", "deny", err) < 0) return -1;
    snprintf(text, sizeof text, "%d %u 1\n", PAYLOAD_UID, (unsigned)id->own_uid);
    if (write_proc(pid, "uid_map", text, err) < 0) return -1;
    snprintf(text, sizeof text, "%d %u 1\n", PAYLOAD_GID, (unsigned)id->own_gid);
    return write_proc(pid, "gid_map", text, err);
}

/* ---- changing ids ---- */

/* A set*id call that half worked would be worse than one that failed: read all
 * six ids and the groups back. */
static int become(uid_t uid, gid_t gid, bool groups, struct error *err) {
    if (groups && syscall(SYS_setgroups, 0, NULL) < 0) return error_sys(err, errno, "setgroups");
    if (syscall(SYS_setresgid, gid, gid, gid) < 0) return error_sys(err, errno, "setresgid");
    if (syscall(SYS_setresuid, uid, uid, uid) < 0) return error_sys(err, errno, "setresuid");
    uid_t u[3];
    gid_t g[3];
    if (getresuid(&u[0], &u[1], &u[2]) < 0 || getresgid(&g[0], &g[1], &g[2]) < 0)
        return error_sys(err, errno, "read the ids back");
    for (int i = 0; i < 3; i++)
        if (u[i] != uid || g[i] != gid)
            return error_set(err, ERROR_INTERNAL, "ids are not %u:%u after setting them", uid, gid);
    if (groups && getgroups(0, NULL) != 0)
        return error_set(err, ERROR_INTERNAL, "supplementary groups are left");
    return 0;
}

int identity_become_init(const struct identity *id, struct error *err) {
    bool plain = id->privilege == PRIVILEGE_PLAIN;
    return plain ? become(PAYLOAD_UID, PAYLOAD_GID, false, err) : become(0, 0, true, err);
}

int identity_become_payload(const struct identity *id, struct error *err) {
    return become(PAYLOAD_UID, PAYLOAD_GID, id->privilege != PRIVILEGE_PLAIN, err);
}
