/* Runs the attempts of the tables (declared in escape.h). */
#include "common/cleanup.h"
#include "common/file.h"
#include "tests/escape/escape.h"
#include "tests/escape/launch.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GROUP_MAX = 400 };

/* How long a launch may take. With a layer off, some never end. */
static int patience(const struct runner *r) {
    return r->without ? 8 : 90;
}

/* The line that begins with these two, one after the other; NULL: none does. */
static const char *line_with(const char *output, const char *begin, const char *rest) {
    size_t len = strlen(begin);
    for (const char *line = output; line && *line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, begin, len) == 0 && str_starts(line + len, rest)) return line;
    }
    return NULL;
}

/* The probe's answer in its output, in fresh memory; NULL when it gave none. */
static char *answer_of(const char *output, const char *name) {
    const char *line = line_with(output, name, "\t");
    if (!line) return NULL;
    line += strlen(name) + 1;
    return strndup(line, strcspn(line, "\n"));
}

/* Whether it is the last that was begun, and did not get as far as an answer. */
static bool is_in_progress(const char *output, const char *name) {
    _cleanup_free_ char *line = str_printf("%s\n", name);
    const char *at = line_with(output, ATTEMPT_BEGINS, line);
    return at && !line_with(at + 1, ATTEMPT_BEGINS, "") && !line_with(at, name, "\t");
}

/* What was said before an "untried". */
static char *reason_of(const char *output, const char *name) {
    const char *at = line_with(output, name, "\t");
    const char *hash = NULL;
    for (const char *p = output; at && p < at; p++)
        if (*p == '#' && (p == output || p[-1] == '\n')) hash = p + 2;
    return hash ? strndup(hash, strcspn(hash, "\n")) : strdup("the kernel lacks it");
}

static char *end_of(const struct launch *l) {
    if (l->outlasted) return strdup("through");
    if (!l->has_result) return str_printf("no-result (%.120s)", l->errors ? l->errors : "");
    if (l->result.ended == ENDED_SETUP_ERROR)
        return str_printf("ended:setup-error (%.160s)", l->result.error ? l->result.error : "");
    return str_printf("ended:%s", ended_name(l->result.ended));
}

/* ---- which can be made ---- */

static const char *why_not(const struct runner *r, const struct attempt *a) {
    bool own_ids = strcmp(r->privilege, "plain") != 0;
    if ((a->flags & ROOT_ONLY) && !r->host.root) return "needs files of other owners: root only";
    if ((a->flags & OWN_IDS) && !own_ids)
        return "plain mode: the program has the launcher's own id (reported as weaker)";
    if ((a->flags & NEEDS_GROUP) && !r->groups)
        return "no control group in this mode: the watchers stand in, which see less";
    if ((a->flags & NEEDS_LANDLOCK) && !r->landlock)
        return "the kernel has no Landlock, which alone stops it (docs/security.md)";
    if ((a->flags & REACHES_ALL) && r->without && strstr(r->without, "pid-namespace"))
        return "without a pid namespace it would reach the machine";
    return NULL;
}

/* With a layer off, programs of their own that are another layer's matter only
 * cost time. */
static bool is_idle(const struct runner *r, const struct attempt *a) {
    return r->only_through && (a->flags & ALONE) && !strstr(r->without, a->layer);
}

static bool is_in(const struct runner *r, const struct attempt *a) {
    return strcmp(a->layer, "none") != 0 && wanted(r, a->name, a->layer) && !is_idle(r, a);
}

static void judge_answer(struct runner *r, const struct attempt *a, const struct launch *l,
                         const char *answer) {
    if (strcmp(answer, "untried") != 0) {
        row(r, a->name, a->layer, a->expected, answer);
        return;
    }
    _cleanup_free_ char *reason = reason_of(l->output, a->name);
    row_skipped(r, a->name, a->layer, reason);
}

/* ---- small ones, many to a launch ---- */

static bool same_policy(const char *a, const char *b) {
    return strcmp(a ? a : "train", b ? b : "train") == 0;
}

static size_t gather(struct runner *r, const char *policy, unsigned flags,
                     const struct attempt **out) {
    const unsigned kind = ALONE | LOOPBACK | NEIGHBOUR;
    size_t count = 0;
    for (size_t t = 0; attempt_tables[t]; t++)
        for (size_t i = 0; i < attempt_tables[t]->count; i++) {
            const struct attempt *a = &attempt_tables[t]->attempts[i];
            if ((a->flags & kind) != flags || !same_policy(a->policy, policy) || !is_in(r, a))
                continue;
            const char *why = why_not(r, a);
            if (why) row_skipped(r, a->name, a->layer, why);
            else if (count < GROUP_MAX) out[count++] = a;
        }
    return count;
}

static bool is_violation(const struct launch *l) {
    return l->has_result && l->result.ended == ENDED_POLICY_VIOLATION;
}

/* With the call that the result names, so that the row says which it must be. */
static char *violation_of(const struct launch *l) {
    const struct violation *v = l->result.violation;
    return str_printf("policy-violation:%s", v && v->call && v->number >= 0 ? v->call : "unnamed");
}

/* Judges attempts of one launch and returns how many: all of them, or up to the
 * one whose call ended the run, and with it those that were to follow. */
static size_t judge_batch(struct runner *r, const struct attempt *const *attempts, size_t count,
                          const struct launch *l) {
    for (size_t i = 0; i < count; i++) {
        const struct attempt *a = attempts[i];
        if (is_violation(l) && is_in_progress(l->output, a->name)) {
            _cleanup_free_ char *got = violation_of(l);
            row(r, a->name, a->layer, a->expected, got);
            return i + 1;
        }
        _cleanup_free_ char *answer = answer_of(l->output, a->name);
        if (!answer) answer = l->outlasted ? strdup("no-answer") : end_of(l);
        judge_answer(r, a, l, answer);
    }
    return count;
}

/* One launch of them. How many were judged is in *judged, what is not as it was
 * afterwards in `seen`. */
static int run_batch(struct runner *r, const struct order *o, const struct attempt *const *attempts,
                     bool beside, size_t *judged, struct buf *seen, struct error *err) {
    struct launch l;
    if (!beside && host_reset(&r->host, err) < 0) return -1;
    if (launch_start(&l, &r->host, o, err) < 0) return -1;
    launch_wait(&l, patience(r));
    *judged = judge_batch(r, attempts, o->count, &l);
    host_settle(&r->host, l.id);
    host_look(&r->host, l.id, seen);
    host_end(l.id);
    host_remove_groups("/sys/fs/cgroup", l.id);
    launch_clear(&l);
    return 0;
}

static int run_group(struct runner *r, const char *policy, unsigned flags, bool beside,
                     struct error *err) {
    const struct attempt *attempts[GROUP_MAX];
    const char *names[GROUP_MAX];
    _cleanup_buf_ struct buf seen = {0};
    size_t count = gather(r, policy, flags, attempts), judged = 0;
    for (size_t i = 0; i < count; i++) names[i] = attempts[i]->name;
    if (!count) return 0;
    for (size_t i = 0; i < count; i += judged) {
        struct order o = {
            .policy = policy, .loopback = flags & LOOPBACK, .names = names + i, .count = count - i};
        if (run_batch(r, &o, attempts + i, beside, &judged, &seen, err) < 0) return -1;
    }
    _cleanup_free_ char *name = str_printf("outside-%s%s%s", policy, flags & LOOPBACK ? "-lo" : "",
                                           beside ? "-beside" : "");
    _cleanup_free_ char *got = str_printf("changed: %s", buf_text(&seen));
    row(r, name, "all", "unchanged", seen.len ? got : "unchanged");
    return 0;
}

/* ---- one a launch ---- */

static char *judge_alone(const struct attempt *a, const struct launch *l) {
    char *answer = answer_of(l->output, a->name);
    if (strcmp(a->expected, "clean") == 0) {
        free(answer);
        return l->has_result && l->result.ended == ENDED_EXIT ? artifacts_look(l) : end_of(l);
    }
    return answer ? answer : end_of(l);
}

/* The survivor beats before its launcher is killed, and must stop then. */
static char *kill_launcher(struct runner *r, struct launch *l) {
    for (int i = 0; i < 1000 && host_heart(&r->host) <= 0; i++) usleep(5000);
    bool beat = host_heart(&r->host) > 0;
    kill(l->pid, SIGKILL);
    launch_wait(l, patience(r));
    long before = -1;
    for (int i = 0; i < 40 && before != host_heart(&r->host); i++) {
        before = host_heart(&r->host);
        usleep(50000);
    }
    if (!beat) return strdup("never started");
    return strdup(before == host_heart(&r->host) ? "gone" : "through");
}

static void sweep(const struct runner *r) {
    _cleanup_free_ char *program = path_join(r->host.bin, "paddock-sandbox");
    pid_t pid = fork();
    if (pid == 0) {
        close(STDOUT_FILENO);
        execl(program, program, "sweep", (char *)NULL);
        _exit(127);
    }
    if (pid > 0) waitpid(pid, NULL, 0);
}

static int run_alone(struct runner *r, const struct attempt *a, struct error *err) {
    const char *names[1] = {a->name};
    struct order o = {.policy = a->policy,
                      .alone = true,
                      .limits = a->limits,
                      .collect = a->collect,
                      .cpus = a->cpus,
                      .names = names,
                      .count = 1};
    struct launch l;
    if (host_reset(&r->host, err) < 0 || launch_start(&l, &r->host, &o, err) < 0) return -1;
    _cleanup_free_ char *got = NULL;
    if (a->flags & KILL_LAUNCHER) {
        got = kill_launcher(r, &l);
        sweep(r);
    } else {
        launch_wait(&l, patience(r));
        got = judge_alone(a, &l);
    }
    _cleanup_buf_ struct buf seen = {0};
    host_settle(&r->host, l.id);
    long heart = host_heart(&r->host);
    if (heart > 0) usleep(60000);
    if (host_heart(&r->host) != heart) buf_puts(&seen, "still beats; ");
    host_look(&r->host, l.id, &seen);
    host_end(l.id);
    host_remove_groups("/sys/fs/cgroup", l.id);
    _cleanup_free_ char *changed = str_printf("changed: %s", buf_text(&seen));
    judge_answer(r, a, &l, seen.len ? changed : got);
    launch_clear(&l);
    return 0;
}

static int run_all_alone(struct runner *r, struct error *err) {
    for (size_t t = 0; attempt_tables[t]; t++)
        for (size_t i = 0; i < attempt_tables[t]->count; i++) {
            const struct attempt *a = &attempt_tables[t]->attempts[i];
            if (!(a->flags & ALONE) || !is_in(r, a)) continue;
            const char *why = why_not(r, a);
            if (why) row_skipped(r, a->name, a->layer, why);
            else if (run_alone(r, a, err) < 0) return error_wrap(err, "%s", a->name);
        }
    return 0;
}

/* ---- beside a neighbour ---- */

static int run_beside(struct runner *r, struct error *err) {
    const char *names[1] = {"neighbour"};
    struct order o = {.alone = true, .names = names, .count = 1};
    struct launch l;
    _cleanup_free_ char *sign = path_join(r->host.shared, "neighbour");
    if (host_reset(&r->host, err) < 0 || launch_start(&l, &r->host, &o, err) < 0) return -1;
    for (int i = 0; i < 1000 && access(sign, F_OK) < 0; i++) usleep(5000);
    bool there = access(sign, F_OK) == 0;
    int result = there ? run_group(r, "train", NEIGHBOUR, true, err) |
                             run_group(r, "strict", NEIGHBOUR, true, err)
                       : 0;
    kill(l.pid, SIGTERM);
    launch_wait(&l, patience(r));
    _cleanup_free_ char *end = end_of(&l);
    if (!there) row(r, "neighbour", "none", "ended:cancelled", end);
    host_settle(&r->host, l.id);
    host_end(l.id);
    host_remove_groups("/sys/fs/cgroup", l.id);
    launch_clear(&l);
    return result;
}

int corpus_run(struct runner *r, struct error *err) {
    static const char *const policies[] = {"train", "strict", "build", "open"};
    for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
        if (run_group(r, policies[i], 0, false, err) < 0) return -1;
    if (run_group(r, "train", LOOPBACK, false, err) < 0 || run_beside(r, err) < 0) return -1;
    return run_all_alone(r, err);
}
