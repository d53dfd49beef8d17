/*
 * The posture test: while a program stands still in the fence, everything that
 * the host can see of it, of its threads and of init is compared with
 * posture.expect, both ways: nothing may be missing, nothing may be more.
 */
#include "tests/escape/posture.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "policies/policy.h"
#include "tests/escape/escape.h"
#include "tests/escape/launch.h"

#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is expected ---- */

/* Whether "[a|b] [c] " before a line holds; *line is behind it then. */
static bool applies(const char **line, const char *const *tags) {
    while (**line == '[') {
        size_t len = strcspn(*line, "]");
        bool any = false;
        for (const char *p = *line + 1; p < *line + len; p += strcspn(p, "|]") + 1)
            for (const char *const *t = tags; *t; t++)
                any |= strlen(*t) == strcspn(p, "|]") && strncmp(p, *t, strlen(*t)) == 0;
        if (!any) return false;
        *line += len + 1;
        *line += strspn(*line, " ");
    }
    return true;
}

struct pattern {
    char *text;
    bool optional;
    int seen;
};

struct patterns {
    struct pattern items[256];
    size_t count;
    char *file; /* what they point into */
};

static int load_patterns(struct patterns *out, const char *const *tags, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    if (file_read(POSTURE_FILE, 1 << 20, &text, err) < 0) return -1;
    out->file = buf_steal(&text);
    for (char *line = strtok(out->file, "\n"); line; line = strtok(NULL, "\n")) {
        const char *rest = line;
        if (*line == '#' || !applies(&rest, tags)) continue;
        bool optional = *rest == '?';
        if (out->count == ARRAY_SIZE(out->items))
            return error_set(err, ERROR_LIMIT, "%s: too many lines", POSTURE_FILE);
        out->items[out->count++] = (struct pattern){(char *)rest + optional, optional, 0};
    }
    return 0;
}

static void compare(struct runner *r, const char *name, const struct posture *p,
                    struct patterns *patterns) {
    int wrong = 0;
    char text[64];
    for (size_t i = 0; i < strv_len(p->lines); i++) {
        bool found = false;
        for (size_t k = 0; k < patterns->count; k++)
            if (fnmatch(patterns->items[k].text, p->lines[i], 0) == 0) {
                patterns->items[k].seen++;
                found = true;
            }
        if (found) continue;
        wrong++;
        row(r, name, "posture", "(nothing)", p->lines[i]);
    }
    for (size_t k = 0; k < patterns->count; k++) {
        if (patterns->items[k].seen || patterns->items[k].optional) continue;
        wrong++;
        row(r, name, "posture", patterns->items[k].text, "(nothing)");
    }
    snprintf(text, sizeof text, "%zu facts", strv_len(p->lines));
    row(r, name, "posture", wrong ? "as expected" : text, text);
}

/* ---- what is there ---- */

/* By compiling the policy anew, not by what the build made of it. */
static int add_expected_filter(struct posture *p, const struct launch *l, const char *policy,
                               struct error *err) {
    _cleanup_policy_ struct policy loaded = {0};
    struct policy_filter filter = {0};
    if (policy_load(policy, &loaded, err) < 0 || policy_compile(&loaded, &filter, err) < 0)
        return -1;
    posture_add(p, "result.filter %s",
                str_eq(filter.sha256, l->result.filter_sha256) ? "of the policy" : "another");
    for (size_t i = 0; i < strv_len(p->lines); i++) {
        if (!str_starts(p->lines[i], "payload.filter ") || str_ends(p->lines[i], "unreadable"))
            continue;
        bool same = strcmp(p->lines[i] + strlen("payload.filter "), filter.sha256) == 0;
        free(p->lines[i]);
        p->lines[i] = strdup(same ? "payload.filter of the policy" : "payload.filter another");
    }
    policy_filter_clear(&filter);
    return 0;
}

static void add_result(struct posture *p, const struct launch *l) {
    const struct result *res = &l->result;
    for (size_t i = 0; i < res->layer_count; i++) {
        static const char *const states[] = {"on", "weaker", "off"};
        posture_add(p, "layer.%s %s", res->layers[i].name, states[res->layers[i].state]);
    }
    static const char *const by[] = {"none", "kernel", "rlimit", "watcher"};
    for (size_t i = 0; i < res->limit_count; i++)
        posture_add(p, "by.%s %s", res->limits[i].name, by[res->limits[i].by]);
    const char *bits = strstr(l->output, "securebits ");
    posture_add(p, "payload.%.*s", bits ? (int)strcspn(bits, "\n") : 13,
                bits ? bits : "securebits ? ");
}

/* Waits until the program has said that it stands still. */
static bool await_word(const struct launch *l) {
    _cleanup_free_ char *path = path_join(l->dir, "stdout");
    for (int i = 0; i < 2000; i++) {
        _cleanup_buf_ struct buf text = {0};
        if (file_read(path, 4096, &text, NULL) == 0 && text.len && strchr(text.data, '\n'))
            return true;
        usleep(5000);
    }
    return false;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int look(struct runner *r, struct launch *l, const char *policy, struct posture *p,
                struct error *err) {
    if (await_word(l)) {
        pid_t init = posture_child(l->pid);
        pid_t payload = init < 0 ? -1 : posture_child(init);
        posture_read_process(p, "init", init, l->id);
        posture_read_process(p, "payload", payload, l->id);
        posture_read_groups(p, "/sys/fs/cgroup", l->id, 6);
    }
    kill(l->pid, SIGTERM);
    launch_wait(l, 90);
    host_end(l->id);
    host_remove_groups("/sys/fs/cgroup", l->id);
    if (!l->has_result) return error_set(err, ERROR_SYSTEM, "no result: %s", l->errors);
    add_result(p, l);
    _cleanup_free_ char *path = policy_path(&r->host, policy);
    if (add_expected_filter(p, l, path, err) < 0) return -1;
    if (p->failed || !p->lines) return error_sys(err, ENOMEM, "posture");
    qsort(p->lines, strv_len(p->lines), sizeof *p->lines, by_text);
    return 0;
}

static int run_policy(struct runner *r, const char *policy, struct error *err) {
    const char *names[1] = {"hold-still"};
    struct order o = {.policy = policy, .alone = true, .names = names, .count = 1};
    const char *tags[] = {r->privilege, policy, r->landlock ? "landlock" : "no-landlock",
                          r->groups ? "groups" : "no-groups", NULL};
    struct patterns patterns = {0};
    struct posture p = {0};
    struct launch l;
    if (host_reset(&r->host, err) < 0 || launch_start(&l, &r->host, &o, err) < 0) return -1;
    int result = look(r, &l, policy, &p, err);
    if (result == 0) result = load_patterns(&patterns, tags, err);
    _cleanup_free_ char *name = str_printf("posture-%s", policy);
    if (result == 0 && r->dump)
        for (size_t i = 0; i < strv_len(p.lines); i++) printf("%s: %s\n", policy, p.lines[i]);
    else if (result == 0) compare(r, name, &p, &patterns);
    free(patterns.file);
    strv_free(p.lines);
    launch_clear(&l);
    return result;
}

int posture_run(struct runner *r, struct error *err) {
    static const char *const policies[] = {"train", "strict", "build"};
    if (!wanted(r, "posture", "posture")) return 0;
    for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
        if (run_policy(r, policies[i], err) < 0) return error_wrap(err, "posture %s", policies[i]);
    return 0;
}
