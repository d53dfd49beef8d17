/* Reads a process from outside, by procfs (declared in posture.h). What cannot be
 * read is said to be so: that init cannot is part of the posture. */
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/file.h"
#include "tests/escape/posture.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

void posture_add(struct posture *p, const char *fmt, ...) {
    _cleanup_buf_ struct buf line = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&line, fmt, ap);
    va_end(ap);
    if (buf_failed(&line) || strv_push(&p->lines, buf_text(&line)) < 0) p->failed = true;
}

static int read_file(pid_t pid, const char *name, struct buf *out) {
    char path[128];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return file_read(path, 1 << 20, out, NULL);
}

/* The rest of the line "Key:…", without the blanks around it. */
static char *field_of(const char *text, const char *key) {
    size_t len = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, key, len) != 0 || line[len] != ':') continue;
        const char *value = line + len + 1;
        value += strspn(value, " \t");
        size_t n = strcspn(value, "\n");
        while (n && isblank((unsigned char)value[n - 1])) n--;
        return strndup(value, n);
    }
    return NULL;
}

/* ---- ids ---- */

struct id_map {
    unsigned long inside[4], outside[4], count[4];
    int ranges;
};

static struct id_map read_map(pid_t pid, const char *name) {
    struct id_map m = {0};
    _cleanup_buf_ struct buf text = {0};
    if (read_file(pid, name, &text) < 0) return m;
    char *p = text.data, *end;
    for (; p && *p && m.ranges < 4; m.ranges++) {
        m.inside[m.ranges] = strtoul(p, &end, 10);
        if (end == p) break;
        m.outside[m.ranges] = strtoul(end, &end, 10);
        m.count[m.ranges] = strtoul(end, &end, 10);
        p = end + strspn(end, "\n");
    }
    return m;
}

/* As the namespace sees them; what has no id inside is shown as "host:<id>". */
static void add_ids(struct posture *p, const char *who, const char *what, const char *list,
                    const struct id_map *m) {
    _cleanup_buf_ struct buf text = {0};
    char *end = NULL;
    for (const char *s = list; s && *s; s = end + strspn(end, " \t")) {
        unsigned long id = strtoul(s, &end, 10);
        if (end == s) break;
        int i = 0;
        while (i < m->ranges && (id < m->outside[i] || id >= m->outside[i] + m->count[i])) i++;
        if (i < m->ranges) buf_printf(&text, " %lu", id - m->outside[i] + m->inside[i]);
        else buf_printf(&text, " host:%lu", id);
    }
    posture_add(p, "%s.%s%s", who, what, text.len ? buf_text(&text) : " none");
}

static void add_map(struct posture *p, const char *who, const char *what, const struct id_map *m,
                    unsigned long self) {
    for (int i = 0; i < m->ranges; i++) {
        unsigned long from = m->outside[i];
        const char *name = from == self                                      ? "@self"
                           : from >= 0x40000000 && from % 65536 == 0         ? "@range"
                           : from >= 65536 && from + m->count[i] < 1UL << 32 ? "@subordinate"
                                                                             : "@other";
        posture_add(p, "%s.%s %lu %s %lu", who, what, m->inside[i], name, m->count[i]);
    }
}

static void read_ids(struct posture *p, const char *who, pid_t pid, const char *status) {
    struct id_map uids = read_map(pid, "uid_map"), gids = read_map(pid, "gid_map");
    _cleanup_free_ char *uid = field_of(status, "Uid");
    _cleanup_free_ char *gid = field_of(status, "Gid");
    _cleanup_free_ char *groups = field_of(status, "Groups");
    add_map(p, who, "uid-map", &uids, geteuid());
    add_map(p, who, "gid-map", &gids, getegid());
    add_ids(p, who, "uid", uid, &uids);
    add_ids(p, who, "gid", gid, &gids);
    add_ids(p, who, "groups", groups, &gids);
}

/* ---- status ---- */

static const char *const told[] = {"CapInh", "CapPrm",     "CapEff",  "CapBnd",
                                   "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters",
                                   "SigIgn", "SigBlk",     "Umask",   "TracerPid"};

static void read_status(struct posture *p, const char *who, const char *status) {
    for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
        _cleanup_free_ char *value = field_of(status, told[i]);
        posture_add(p, "%s.%s %s", who, told[i], value ? value : "absent");
    }
}

static void read_stat(struct posture *p, const char *who, pid_t pid) {
    _cleanup_buf_ struct buf text = {0};
    long numbers[5] = {0}; /* ppid pgrp session tty_nr tpgid */
    char *s = read_file(pid, "stat", &text) < 0 ? NULL : strrchr(text.data, ')');
    if (!s || !s[1] || !s[2]) return;
    s += 3;
    for (int i = 0; i < 5; i++) numbers[i] = strtol(s, &s, 10);
    posture_add(p, "%s.session %s", who, numbers[2] == pid ? "own" : "other");
    posture_add(p, "%s.terminal %s", who, numbers[3] == 0 ? "none" : "some");
}

static void read_score(struct posture *p, const char *who, pid_t pid) {
    char path[64];
    _cleanup_buf_ struct buf text = {0};
    struct stat st;
    if (read_file(pid, "oom_score_adj", &text) == 0)
        posture_add(p, "%s.oom-score-adj %ld", who, strtol(text.data, NULL, 10));
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    _cleanup_buf_ struct buf status = {0};
    if (stat(path, &st) < 0 || read_file(pid, "status", &status) < 0) return;
    /* The files of one that is not dumpable belong to root (proc(5)). */
    _cleanup_free_ char *uid = field_of(buf_text(&status), "Uid");
    posture_add(p, "%s.dumpable %s", who,
                uid && strtoul(uid, NULL, 10) == st.st_uid ? "yes" : "no");
}

/* ---- namespaces, threads ---- */

static const char *const kinds[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};

static ssize_t read_namespace(pid_t pid, int tid, const char *kind, char out[64]) {
    char path[96];
    if (tid) snprintf(path, sizeof path, "/proc/%d/task/%d/ns/%s", (int)pid, tid, kind);
    else snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kind);
    ssize_t n = readlink(path, out, 63);
    out[n < 0 ? 0 : n] = '\0';
    return n;
}

static void read_namespaces(struct posture *p, const char *who, pid_t pid) {
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        char theirs[64], ours[64];
        bool seen = read_namespace(pid, 0, kinds[i], theirs) > 0;
        read_namespace(getpid(), 0, kinds[i], ours);
        posture_add(p, "%s.namespace %s %s", who, kinds[i],
                    !seen                       ? "unreadable"
                    : strcmp(theirs, ours) == 0 ? "host"
                                                : "own");
    }
}

/* What a thread has for itself: ids, capabilities, filter, namespaces. */
static void thread_text(pid_t pid, int tid, struct buf *out) {
    char name[48], ns[64];
    _cleanup_buf_ struct buf status = {0};
    snprintf(name, sizeof name, "task/%d/status", tid);
    read_file(pid, name, &status);
    for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
        _cleanup_free_ char *value = field_of(buf_text(&status), told[i]);
        buf_printf(out, "%s ", value ? value : "");
    }
    static const char *const ids[] = {"Uid", "Gid", "Groups"};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        _cleanup_free_ char *value = field_of(buf_text(&status), ids[i]);
        buf_printf(out, "%s ", value ? value : "");
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        read_namespace(pid, tid, kinds[i], ns);
        buf_printf(out, "%s ", ns);
    }
}

static void read_threads(struct posture *p, const char *who, pid_t pid) {
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    _cleanup_closedir_ DIR *d = opendir(path);
    _cleanup_buf_ struct buf first = {0};
    int count = 0, different = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        int tid = (int)strtol(e->d_name, NULL, 10);
        if (tid <= 0) continue;
        _cleanup_buf_ struct buf text = {0};
        thread_text(pid, tid, &text);
        if (count++ == 0) buf_append(&first, buf_text(&text), text.len);
        else different += strcmp(buf_text(&first), buf_text(&text)) != 0;
    }
    posture_add(p, "%s.threads %d, %s", who, count, different ? "different" : "equal");
}

/* ---- mounts, descriptors, links ---- */

/* Options that depend on how the host mounted its own file systems. */
static void strip_times(char *options) {
    static const char *const words[] = {",relatime", ",noatime", ",nodiratime", ",strictatime"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        char *at = strstr(options, words[i]);
        if (at) memmove(at, at + strlen(words[i]), strlen(at + strlen(words[i])) + 1);
    }
}

static void add_option(struct buf *out, const char *options, const char *key) {
    for (const char *o = options; o; o = strchr(o, ',')) {
        o += *o == ',';
        if (strncmp(o, key, strlen(key)) == 0) buf_printf(out, " %.*s", (int)strcspn(o, ","), o);
    }
}

static void read_mount(struct posture *p, const char *who, const char *line) {
    char point[512], options[256], type[64], source[512], super[512];
    const char *dash = strstr(line, " - ");
    if (!dash || sscanf(line, "%*s %*s %*s %*s %511s %255s", point, options) != 2 ||
        sscanf(dash + 3, "%63s %511s %511s", type, source, super) != 3)
        return;
    _cleanup_buf_ struct buf text = {0};
    bool shared = memmem(line, (size_t)(dash - line), "shared:", 7) ||
                  memmem(line, (size_t)(dash - line), "master:", 7);
    strip_times(options);
    buf_printf(&text, "%s", strcmp(source, "none") == 0 ? type : "bind");
    if (strcmp(source, "none") == 0) {
        static const char *const keys[] = {"size=", "nr_inodes=", "mode=", "hidepid="};
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) add_option(&text, super, keys[i]);
    }
    posture_add(p, "%s.mount %s %s %s%s", who, point, options, buf_text(&text),
                shared ? " SHARED" : "");
}

static void read_mounts(struct posture *p, const char *who, pid_t pid) {
    _cleanup_buf_ struct buf text = {0};
    if (read_file(pid, "mountinfo", &text) < 0 || !text.len) {
        posture_add(p, "%s.mount unreadable", who);
        return;
    }
    for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n"))
        read_mount(p, who, line);
}

static void read_descriptors(struct posture *p, const char *who, pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    _cleanup_closedir_ DIR *d = opendir(path);
    if (!d) posture_add(p, "%s.descriptor unreadable", who);
    for (struct dirent *e; d && (e = readdir(d));) {
        char target[512];
        ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
        if (n < 0) continue;
        target[n] = '\0';
        target[strcspn(target, ":")] = '\0';
        posture_add(p, "%s.descriptor %s %s", who, e->d_name, target);
    }
}

static void read_links(struct posture *p, const char *who, pid_t pid) {
    static const char *const names[] = {"root", "cwd", "exe"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char path[64], target[512];
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, names[i]);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n >= 0) target[n] = '\0';
        posture_add(p, "%s.%s %s", who, names[i], n < 0 ? "unreadable" : target);
    }
}

/* ---- limits, groups, filter ---- */

static void read_limits(struct posture *p, const char *who, pid_t pid) {
    static const char *const ours[] = {"core file size", "locked memory",     "open files",
                                       "stack size",     "msgqueue size",     "nice priority",
                                       "file size",      "realtime priority", "processes"};
    _cleanup_buf_ struct buf text = {0};
    if (read_file(pid, "limits", &text) < 0) {
        posture_add(p, "%s.limit unreadable", who);
        return;
    }
    for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n"))
        for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
            char soft[32], hard[32];
            size_t len = strlen(ours[i]);
            if (strncmp(line, "Max ", 4) != 0 || strncmp(line + 4, ours[i], len) != 0 ||
                line[4 + len] != ' ' || sscanf(line + 4 + len, "%31s %31s", soft, hard) != 2)
                continue;
            posture_add(p, "%s.limit %s %s %s", who, ours[i], soft, hard);
        }
}

static void read_membership(struct posture *p, const char *who, pid_t pid, const char *id) {
    _cleanup_buf_ struct buf text = {0};
    if (read_file(pid, "cgroup", &text) < 0) return;
    int own = 0;
    for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n"))
        own += str_ends(line, id);
    posture_add(p, "%s.groups-own %s", who, own ? "yes" : "no");
}

void posture_read_groups(struct posture *p, const char *dir, const char *id, int depth) {
    static const char *const files[][2] = {{"memory.max", "memory"},
                                           {"memory.limit_in_bytes", "memory"},
                                           {"memory.swap.max", "swap"},
                                           {"memory.oom.group", "oom-group"},
                                           {"pids.max", "pids"}};
    _cleanup_closedir_ DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.') continue;
        _cleanup_free_ char *path = path_join(dir, e->d_name);
        if (strcmp(e->d_name, id) != 0) {
            if (depth > 0) posture_read_groups(p, path, id, depth - 1);
            continue;
        }
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
            _cleanup_free_ char *file = path_join(path, files[i][0]);
            _cleanup_buf_ struct buf text = {0};
            if (file_read(file, 256, &text, NULL) < 0) continue;
            posture_add(p, "group.%s %.*s", files[i][1], (int)strcspn(buf_text(&text), "\n"),
                        buf_text(&text));
        }
    }
}

/* The filter that the kernel really runs; root only (ptrace(2)). */
static void read_filter(struct posture *p, const char *who, pid_t pid) {
    static struct sock_filter insns[4096];
    char hex[DIGEST_HEX];
    int status;
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0) {
        posture_add(p, "%s.filter unreadable", who);
        return;
    }
    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
    waitpid(pid, &status, __WALL);
    long count = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, NULL, NULL);
    if (count > 0 && count <= (long)ARRAY_SIZE(insns) &&
        ptrace(PTRACE_SECCOMP_GET_FILTER, pid, NULL, insns) == count) {
        digest_hex_of(insns, (size_t)count * sizeof *insns, hex);
        posture_add(p, "%s.filter %s", who, hex);
    } else {
        posture_add(p, "%s.filter unreadable", who);
    }
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

void posture_read_process(struct posture *p, const char *who, pid_t pid, const char *id) {
    _cleanup_buf_ struct buf status = {0};
    if (read_file(pid, "status", &status) < 0) {
        posture_add(p, "%s gone", who);
        return;
    }
    read_ids(p, who, pid, buf_text(&status));
    read_status(p, who, buf_text(&status));
    read_stat(p, who, pid);
    read_score(p, who, pid);
    read_namespaces(p, who, pid);
    read_threads(p, who, pid);
    read_mounts(p, who, pid);
    read_descriptors(p, who, pid);
    read_links(p, who, pid);
    read_limits(p, who, pid);
    read_membership(p, who, pid, id);
    read_filter(p, who, pid);
}

pid_t posture_child(pid_t pid) {
    char name[64];
    _cleanup_buf_ struct buf text = {0};
    snprintf(name, sizeof name, "task/%d/children", (int)pid);
    if (read_file(pid, name, &text) < 0 || !text.len) return -1;
    return (pid_t)strtol(text.data, NULL, 10);
}
