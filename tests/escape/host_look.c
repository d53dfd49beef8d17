/* Whether the host is as it was (declared in host.h). */
#include "tests/escape/host.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SETTLE_TRIES = 200, SETTLE_US = 10000 }; /* two seconds and what looking takes */

/* ---- what a run left ---- */

static bool has_id(const char *pid, const char *id) {
    char path[64];
    _cleanup_buf_ struct buf line = {0};
    snprintf(path, sizeof path, "/proc/%.20s/cmdline", pid);
    if (file_read(path, 1 << 20, &line, NULL) < 0) return false;
    return line.len && memmem(line.data, line.len, id, strlen(id));
}

static int each_process(const char *id, int signal_number) {
    _cleanup_closedir_ DIR *d = opendir("/proc");
    int found = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid <= 1 || pid == getpid() || !has_id(e->d_name, id)) continue;
        found++;
        if (signal_number) kill(pid, signal_number);
    }
    return found;
}

int host_end(const char *id) {
    int first = each_process(id, SIGKILL);
    for (int i = 0; i < 200 && each_process(id, SIGKILL); i++) usleep(5000);
    return first;
}

/* Groups named after the run, in whatever hierarchy. */
static void look_for_groups(const char *dir, const char *id, int depth, struct buf *out) {
    _cleanup_closedir_ DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.') continue;
        _cleanup_free_ char *path = path_join(dir, e->d_name);
        if (strcmp(e->d_name, id) == 0) buf_printf(out, "left the group %s; ", path);
        else if (depth > 0) look_for_groups(path, id, depth - 1, out);
    }
}

void host_remove_groups(const char *dir, const char *id) {
    _cleanup_closedir_ DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.') continue;
        _cleanup_free_ char *path = path_join(dir, e->d_name);
        if (strcmp(e->d_name, id) == 0) rmdir(path);
        else host_remove_groups(path, id);
    }
}

static void look_for_leftovers(const struct host *h, const char *id, struct buf *out) {
    int processes = each_process(id, 0);
    if (processes) buf_printf(out, "left %d processes; ", processes);
    look_for_groups("/sys/fs/cgroup", id, 6, out);
    _cleanup_free_ char *entry = str_printf("%s/live/live/%s", h->work, id);
    if (access(entry, F_OK) == 0) buf_puts(out, "left its entry in the registry; ");
    _cleanup_buf_ struct buf mounts = {0};
    if (file_read("/proc/self/mountinfo", 4 << 20, &mounts, NULL) == 0 &&
        strstr(buf_text(&mounts), h->work))
        buf_puts(out, "left a mount; ");
}

/* The launcher's janitor removes groups and entry after it, and pid 1 of the
 * sandbox may end a moment later (sandbox/janitor.h). */
void host_settle(const struct host *h, const char *id) {
    for (int i = 0; i < SETTLE_TRIES; i++) {
        _cleanup_buf_ struct buf left = {0};
        look_for_leftovers(h, id, &left);
        if (!left.len) return;
        usleep(SETTLE_US);
    }
}

/* ---- what must not change ---- */

static void look_at_file(const char *dir, const char *name, const char *wanted, mode_t mode,
                         struct buf *out) {
    _cleanup_free_ char *path = path_join(dir, name);
    _cleanup_buf_ struct buf text = {0};
    struct stat st;
    if (stat(path, &st) < 0 || file_read(path, 4096, &text, NULL) < 0 ||
        strcmp(buf_text(&text), wanted) != 0 || (st.st_mode & 07777) != mode)
        buf_printf(out, "%s/%s was changed; ", dir, name);
}

/* Nothing may be made in the folder that every trap leads to. */
static void look_at_secret(const struct host *h, struct buf *out) {
    _cleanup_closedir_ DIR *d = opendir(h->secret);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && strcmp(e->d_name, "secret") != 0)
            buf_puts(out, "something was made on the host; ");
}

static void look_at_machine(const struct host *h, struct buf *out) {
    char name[65] = "";
    _cleanup_buf_ struct buf pattern = {0};
    gethostname(name, sizeof name - 1);
    if (strcmp(name, h->name) != 0) buf_puts(out, "the host's name changed; ");
    if (file_read("/proc/sys/kernel/core_pattern", 4096, &pattern, NULL) < 0 ||
        strcmp(buf_text(&pattern), h->core_pattern) != 0)
        buf_puts(out, "core_pattern changed; ");
    static const char *const made[] = {"/made", "/etc/made", "/usr/made", "/dev/made", "/run/made"};
    for (size_t i = 0; i < ARRAY_SIZE(made); i++)
        if (access(made[i], F_OK) == 0) buf_printf(out, "%s appeared; ", made[i]);
}

static void look_at_launcher(const struct host *h, struct buf *out) {
    _cleanup_free_ char *path = path_join(h->bin, "paddock-sandbox");
    struct stat st;
    if (stat(path, &st) < 0 || st.st_ino != h->launcher.st_ino ||
        st.st_size != h->launcher.st_size || st.st_mtim.tv_sec != h->launcher.st_mtim.tv_sec ||
        st.st_mtim.tv_nsec != h->launcher.st_mtim.tv_nsec)
        buf_puts(out, "the launcher's file changed; ");
}

/* A decoy that a signal of the sandbox ended is a zombie, which still answers. */
static void look_at_decoy(const struct host *h, struct buf *out) {
    char path[64];
    _cleanup_buf_ struct buf text = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)h->decoy);
    const char *state =
        file_read(path, 4096, &text, NULL) < 0 ? NULL : strrchr(buf_text(&text), ')');
    if (!state || state[2] != 'S') buf_puts(out, "a process of the host was signalled; ");
}

void host_look(const struct host *h, const char *id, struct buf *out) {
    look_for_leftovers(h, id, out);
    look_at_file(h->secret, "secret", HOST_SECRET "\n", 0644, out);
    look_at_file(h->data, "open", "open to all\n", 0666, out);
    look_at_secret(h, out);
    look_at_machine(h, out);
    look_at_launcher(h, out);
    look_at_decoy(h, out);
}

long host_heart(const struct host *h) {
    _cleanup_free_ char *path = path_join(h->shared, "heart");
    struct stat st;
    return stat(path, &st) < 0 ? -1 : (long)st.st_size;
}
