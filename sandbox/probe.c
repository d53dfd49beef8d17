#include "sandbox/probe.h"

#include "common/cleanup.h"
#include "sandbox/probe_internal.h"

#include <linux/capability.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

const char *probe_state_name(enum probe_state state) {
    static const char *const names[] = {"yes", "weaker", "no"};
    return names[state];
}

/* A list that could not grow has count SIZE_MAX from then on. */
void probe_add(struct probe_report *report, const char *name, enum probe_state state,
               const char *fmt, ...) {
    if (report->count == SIZE_MAX) return;
    struct probe_item item = {.state = state, .name = strdup(name)};
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&item.detail, fmt, ap) < 0) item.detail = NULL;
    va_end(ap);
    struct probe_item *grown =
        item.name && item.detail
            ? realloc(report->items, (report->count + 1) * sizeof *report->items)
            : NULL;
    if (!grown) {
        free(item.name);
        free(item.detail);
        probe_clear(report);
        report->count = SIZE_MAX;
        return;
    }
    report->items = grown;
    report->items[report->count++] = item;
}

void probe_add_result(struct probe_report *report, const char *name, int errnum,
                      const char *detail) {
    if (errnum == 0) probe_add(report, name, PROBE_YES, "%s", detail);
    else probe_add(report, name, PROBE_NO, "%s", strerror(errnum));
}

int probe_try(int (*act)(int), int argument) {
    pid_t pid = fork();
    if (pid < 0) return errno;
    if (pid == 0) {
        alarm(10);
        _exit(act(argument));
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

const struct probe_item *probe_find(const struct probe_report *report, const char *name) {
    for (size_t i = 0; i < report->count; i++)
        if (strcmp(report->items[i].name, name) == 0) return &report->items[i];
    return NULL;
}

void probe_clear(struct probe_report *report) {
    for (size_t i = 0; report->items && i < report->count; i++) {
        free(report->items[i].name);
        free(report->items[i].detail);
    }
    free(report->items);
    free(report->verdict);
    *report = (struct probe_report){0};
}

/* ---- what follows from it ---- */

static bool has_yes(const struct probe_report *report, const char *name) {
    const struct probe_item *item = probe_find(report, name);
    return item && item->state == PROBE_YES;
}

static bool is_capable(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    unsigned needed = 1U << CAP_SYS_ADMIN | 1U << CAP_SETUID;
    return geteuid() == 0 && syscall(SYS_capget, &header, data) == 0 &&
           (data[0].effective & needed) == needed;
}

/* docs/architecture.md, "Three amounts of privilege". */
static const char *privilege(const struct probe_report *report) {
    struct probe_subids ids;
    probe_subids(&ids);
    if (!has_yes(report, "user namespace")) return "none";
    if (is_capable()) return "root";
    return ids.helper && ids.uids > 1000 && ids.gids > 1000 ? "subid" : "plain";
}

static void decide(struct probe_report *report) {
    static const char *const needed[] = {"memory limit", "pids limit", "cpu accounting"};
    _cleanup_buf_ struct buf missing = {0};
    report->privilege = privilege(report);
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        if (!has_yes(report, needed[i]))
            buf_printf(&missing, "%s%s", missing.len ? ", " : "", needed[i]);
    bool none = strcmp(report->privilege, "none") == 0;
    report->official = !none && missing.len == 0;
    if (none) report->verdict = strdup("no sandbox can be made here: user namespaces are refused");
    else if (report->official)
        report->verdict = str_printf("privilege %s; official scores are possible: memory, pids and "
                                     "cpu are held by the kernel",
                                     report->privilege);
    else
        report->verdict = str_printf("privilege %s; no official scores: not held by the kernel: %s",
                                     report->privilege, buf_text(&missing));
}

int probe_run(struct probe_report *out, struct error *err) {
    *out = (struct probe_report){.privilege = "none"};
    probe_kernel(out);
    probe_mounts(out);
    if (probe_groups(out, err) < 0) return error_wrap(err, "probe");
    probe_machine(out);
    if (out->count != SIZE_MAX) decide(out);
    if (out->count != SIZE_MAX && out->verdict) return 0;
    if (out->count == SIZE_MAX) *out = (struct probe_report){.privilege = "none"};
    return error_set(err, ERROR_SYSTEM, "probe: out of memory");
}

/* ---- showing it ---- */

void probe_encode(const struct probe_report *report, struct json_writer *w, const char *key) {
    json_open_object(w, key);
    json_put_string(w, "privilege", report->privilege);
    json_put_bool(w, "official", report->official);
    json_put_string(w, "verdict", report->verdict);
    json_open_array(w, "checks");
    for (size_t i = 0; i < report->count; i++) {
        json_open_object(w, NULL);
        json_put_string(w, "name", report->items[i].name);
        json_put_string(w, "state", probe_state_name(report->items[i].state));
        json_put_string(w, "detail", report->items[i].detail);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
}

void probe_print(const struct probe_report *report, struct buf *out) {
    size_t width = 0;
    for (size_t i = 0; i < report->count; i++) {
        size_t len = strlen(report->items[i].name);
        if (len > width) width = len;
    }
    for (size_t i = 0; i < report->count; i++) {
        const struct probe_item *item = &report->items[i];
        _cleanup_free_ char *detail = str_printable(item->detail, strlen(item->detail));
        buf_printf(out, "%-*s  %-6s  %s\n", (int)width, item->name, probe_state_name(item->state),
                   detail ? detail : "");
    }
    buf_printf(out, "\n%s\n", report->verdict ? report->verdict : "");
}
