/*
 * Theory of operation. The parent makes `artifacts/.partial-<random>/`, forks
 * the collector and waits with a deadline. The collector joins the sandbox's
 * user namespace, keeps one capability at most (reading what the sandbox's ids
 * closed to themselves), copies entry i to `.partial-…/i` and sends one report
 * for each over a pipe. Only when all came back does the parent rename each
 * copy to its final name, so that a final name never holds what a dead
 * collector left.
 */
#include "sandbox/collect.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/file.h"
#include "sandbox/collect_internal.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* How much longer than the collector's own deadline the parent waits. */
#define KILL_AFTER_MS 2000

/* ---- the collector's side ---- */

enum { FD_WORKSPACE = 3, FD_USERNS, FD_TARGET, FD_PIPE, FD_FREE };

/* Moves our descriptors to fixed places and closes all others. */
static int arrange_fds(const int fds[4]) {
    int high[4];
    for (int i = 0; i < 4; i++) {
        high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD, 32);
        if (fds[i] >= 0 && high[i] < 0) return -1;
    }
    for (int i = 0; i < 4; i++) {
        if (high[i] < 0) close(FD_WORKSPACE + i);
        else if (dup2(high[i], FD_WORKSPACE + i) < 0) return -1;
    }
    return (int)syscall(SYS_close_range, FD_FREE, ~0U, 0);
}

static int keep_one_capability(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return -1;
    unsigned kept = data[0].permitted & (1U << CAP_DAC_READ_SEARCH);
    memset(data, 0, sizeof data);
    data[0].permitted = kept;
    data[0].effective = kept;
    return (int)syscall(SYS_capset, &header, data);
}

static int become_collector(bool userns, pid_t parent, int timeout_ms, struct error *err) {
    struct rlimit none = {0};
    sigset_t empty;
    sigemptyset(&empty);
    signal(SIGALRM, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &empty, NULL);
    umask(077);
    if (setrlimit(RLIMIT_CORE, &none) < 0) return error_sys(err, errno, "no core files");
    if (userns && setns(FD_USERNS, CLONE_NEWUSER) < 0)
        return error_sys(err, errno, "join the sandbox's user namespace");
    close(FD_USERNS);
    if (keep_one_capability() < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_sys(err, errno, "drop privileges");
    /* After the change of credentials, which would have cleared it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) return error_set(err, ERROR_CANCELLED, "the launcher is gone");
    alarm((unsigned)timeout_ms / 1000 + KILL_AFTER_MS / 1000 + 1);
    return 0;
}

static void send_failure(const struct error *err) {
    struct collect_report report = {.failed = (int32_t)err->kind};
    snprintf(report.reason, sizeof report.reason, "%s", error_text(err));
    (void)write_all(FD_PIPE, &report, sizeof report);
}

static int collect_all(const struct spec_collect *entries, size_t count, int64_t deadline,
                       struct error *err) {
    for (size_t i = 0; i < count; i++) {
        char name[24];
        struct collect_report report;
        snprintf(name, sizeof name, "%zu", i);
        if (collect_entry(FD_WORKSPACE, &entries[i], FD_TARGET, name, deadline, &report, err) < 0)
            return error_wrap(err, "%s", entries[i].path);
        if (write_all(FD_PIPE, &report, sizeof report) < 0) return error_sys(err, errno, "report");
    }
    return 0;
}

static _Noreturn void collector(const int fds[4], pid_t parent, const struct spec_collect *entries,
                                size_t count, int timeout_ms) {
    int64_t deadline = clock_mono_ns() + timeout_ms * NS_PER_MS;
    struct error err = {0};
    if (arrange_fds(fds) < 0) _exit(1);
    if (become_collector(fds[1] >= 0, parent, timeout_ms, &err) < 0 ||
        collect_all(entries, count, deadline, &err) < 0) {
        send_failure(&err);
        _exit(1);
    }
    _exit(0);
}

/* ---- the parent's side ---- */

static int read_report(int fd, int64_t deadline, struct collect_report *out, struct error *err) {
    size_t have = 0;
    while (have < sizeof *out) {
        int64_t left = deadline - clock_mono_ns();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = left <= 0 ? 0 : poll(&p, 1, (int)(left / NS_PER_MS) + 1);
        if (ready < 0 && errno == EINTR) continue;
        if (ready == 0) return error_set(err, ERROR_LIMIT, "the collector did not end in time");
        ssize_t n = ready < 0 ? -1 : read(fd, (char *)out + have, sizeof *out - have);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_sys(err, errno, "the collector's report");
        if (n == 0) return error_set(err, ERROR_INTERNAL, "the collector died");
        have += (size_t)n;
    }
    out->reason[sizeof out->reason - 1] = '\0';
    if (out->failed) return error_set(err, (enum error_kind)out->failed, "%s", out->reason);
    return 0;
}

static int reap(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0)
        if (errno != EINTR) return -1;
    return 0;
}

/* Runs the collector; reports[count] are filled in. */
static int run_collector(const int fds[3], const struct spec_collect *entries, size_t count,
                         int timeout_ms, struct collect_report *reports, struct error *err) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return error_sys(err, errno, "pipe");
    _cleanup_close_ int in = ends[0];
    _cleanup_close_ int out = ends[1];
    int64_t deadline = clock_mono_ns() + ((int64_t)timeout_ms + KILL_AFTER_MS) * NS_PER_MS;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) return error_sys(err, errno, "fork");
    if (pid == 0) {
        const int all[4] = {fds[0], fds[1], fds[2], out};
        collector(all, parent, entries, count, timeout_ms);
    }
    close(steal_fd(&out));
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = read_report(in, deadline, &reports[i], err);
    if (result < 0) kill(pid, SIGKILL);
    reap(pid);
    return result;
}

/* ---- final names ---- */

static bool is_root(const char *path) {
    return strcmp(path, ".") == 0;
}

static const char *name_of(const struct spec_collect *entry) {
    return entry->as ? entry->as : entry->path;
}

static int open_below(int dir, const char *name, bool make, struct error *err) {
    if (make && mkdirat(dir, name, 0700) < 0 && errno != EEXIST) {
        error_sys(err, errno, "mkdir %s", name);
        return -1;
    }
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0) error_sys(err, errno, "%s", name);
    else if (fstat(fd, &st) < 0 || st.st_uid != geteuid()) {
        error_set(err, ERROR_DENIED, "%s: not ours", name);
        close(fd);
        fd = -1;
    }
    return fd;
}

static void not_published(struct collect_report *report, const char *as) {
    report->truncated = true;
    if (report->reason[0]) return;
    snprintf(report->reason, sizeof report->reason, "artifacts/%.200s: %s", as, strerror(errno));
}

/* Moves what is inside a copied folder up into artifacts/. */
static void publish_inside(int partial, const char *name, int artifacts,
                           struct collect_report *report) {
    int fd = openat(partial, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        not_published(report, ".");
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (rename_exclusive(fd, e->d_name, artifacts, e->d_name) < 0)
            not_published(report, e->d_name);
    }
}

static void publish(int partial, size_t index, int artifacts, const char *as,
                    struct collect_report *report) {
    char name[24];
    snprintf(name, sizeof name, "%zu", index);
    if (!report->present) return;
    if (is_root(as)) {
        publish_inside(partial, name, artifacts, report);
        return;
    }
    _cleanup_close_ int folder = openat(artifacts, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_free_ char *copy = strdup(as);
    char *part = copy;
    for (char *slash; part && (slash = strchr(part, '/')); part = slash + 1) {
        *slash = '\0';
        int next = open_below(folder, part, true, NULL);
        if (folder >= 0) close(folder);
        folder = next;
    }
    if (!part || rename_exclusive(partial, name, folder, part) < 0) not_published(report, as);
}

/* ---- all together ---- */

static int check_entries(const struct spec_collect *entries, size_t count, struct error *err) {
    for (size_t i = 0; i < count; i++) {
        const char *as = name_of(&entries[i]);
        if (!is_root(entries[i].path) && !path_is_confined(entries[i].path))
            return error_set(err, ERROR_INVALID, "entry %zu: not a path inside the workspace", i);
        if (!path_is_confined(as) && !(is_root(as) && is_root(entries[i].path)))
            return error_set(err, ERROR_INVALID, "entry %zu: not a name below artifacts", i);
    }
    return 0;
}

static int fill(const struct spec_collect *entries, size_t count,
                const struct collect_report *reports, struct collected *out, struct error *err) {
    for (size_t i = 0; i < count; i++) {
        const struct collect_report *r = &reports[i];
        out[i] = (struct collected){
            .path = strdup(entries[i].path),
            .as = strdup(name_of(&entries[i])),
            .present = r->present,
            .files = r->files,
            .bytes = r->bytes,
            .skipped = r->skipped,
            .truncated = r->truncated,
            .reason = r->reason[0] ? str_printable(r->reason, strlen(r->reason)) : NULL,
        };
        if (!out[i].path || !out[i].as) return error_sys(err, ENOMEM, "collect");
    }
    return 0;
}

static int collect_into(const int fds[2], int artifacts, const char *partial_name,
                        const struct spec_collect *entries, size_t count, int timeout_ms,
                        struct collect_report *reports, struct error *err) {
    _cleanup_close_ int partial = open_below(artifacts, partial_name, true, err);
    if (partial < 0) return -1;
    const int all[3] = {fds[0], fds[1], partial};
    if (run_collector(all, entries, count, timeout_ms, reports, err) < 0) return -1;
    for (size_t i = 0; i < count; i++)
        publish(partial, i, artifacts, name_of(&entries[i]), &reports[i]);
    return 0;
}

int collect_run(int workspace_fd, int userns_fd, int dir_fd, const struct spec_collect *entries,
                size_t count, int timeout_ms, struct collected *out, struct error *err) {
    memset(out, 0, count * sizeof *out);
    if (check_entries(entries, count, err) < 0) return error_wrap(err, "collect");
    _cleanup_close_ int artifacts = open_below(dir_fd, "artifacts", true, err);
    if (artifacts < 0) return error_wrap(err, "collect");
    if (count == 0) return 0;
    _cleanup_free_ struct collect_report *reports = calloc(count, sizeof *reports);
    if (!reports) return error_sys(err, ENOMEM, "collect");
    uint8_t random[8];
    char hex[17];
    char partial[32];
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, hex);
    snprintf(partial, sizeof partial, ".partial-%s", hex);
    const int fds[2] = {workspace_fd, userns_fd};
    int result = collect_into(fds, artifacts, partial, entries, count, timeout_ms, reports, err);
    if (tree_remove_at(artifacts, partial, result < 0 ? NULL : err) < 0) result = -1;
    if (result < 0) return error_wrap(err, "collect");
    return fill(entries, count, reports, out, err);
}
