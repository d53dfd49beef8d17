#include "sandbox/quiet.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/cpu_list.h"
#include "common/log.h"
#include "sandbox/lease.h"
#include "sandbox/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>

enum {
    AWAY_MS = 50,  /* between two looks of who is away */
    LEASE_MS = 20, /* between two tries for a lease */
    ANSWER_MS = 2, /* between two looks at the answers */
};

/* The cpus of a run: what its spec names, else all. */
static void cpus_of(const struct spec *spec, struct cpu_list *out) {
    if (spec->cpus && cpu_list_parse(spec->cpus, out) == 0 && cpu_list_count(out) > 0) return;
    memset(out, 0xff, sizeof *out);
}

/* Whether a timed run wants cpus of this one; *seen: whether there is any. */
static bool in_the_way(const struct spec *spec, const struct live *live, bool *seen,
                       struct cpu_list *taken) {
    struct cpu_list mine;
    *seen = lease_look(live, taken) > 0;
    if (!*seen) return false;
    cpus_of(spec, &mine);
    return cpu_list_overlaps(&mine, taken);
}

/* Sleeps; true when somebody wants us to stop. */
static bool told_to_stop(int signals, int caller, int timeout_ms) {
    struct pollfd p[] = {{.fd = signals, .events = POLLIN}, {.fd = caller, .events = POLLRDHUP}};
    return poll(p, ARRAY_SIZE(p), timeout_ms) > 0;
}

/* ---- before the program runs ---- */

void quiet_hold(const struct spec *spec, int signals, int caller, struct quiet_report *report) {
    if (spec->lane == LANE_TIMED || !lease_any()) return;
    int64_t begin = clock_mono_ns();
    struct cpu_list taken;
    bool seen;
    while (in_the_way(spec, NULL, &seen, &taken))
        if (told_to_stop(signals, caller, AWAY_MS)) break;
    report->held_ns += clock_mono_ns() - begin;
}

static int cancelled(struct error *err) {
    return error_set(err, ERROR_CANCELLED, "told to stop while it waited for a timed run's end");
}

/* Built, but not begun: that is away. */
static int wait_unstarted(struct run *r, struct error *err) {
    struct quiet *q = &r->quiet;
    struct cpu_list taken;
    bool seen;
    if (!q->ready_ahead && !live_saw_leases(r->live)) return 0;
    for (int64_t begin = clock_mono_ns();;) {
        int64_t now = clock_mono_ns();
        bool waits = in_the_way(r->spec, r->live, &seen, &taken);
        if (!waits && q->answered) { /* back first, and then a last look */
            lease_answer(r->live, LEASE_BACK, 0);
            q->answered = false;
            continue;
        }
        if (!waits) break;
        lease_answer(r->live, LEASE_AWAY, now);
        q->answered = true;
        bool stop = told_to_stop(r->signals, r->caller, AWAY_MS);
        r->result->quiet.held_ns += clock_mono_ns() - begin;
        begin = clock_mono_ns();
        if (stop) return cancelled(err);
    }
    return 0;
}

/* ---- a timed run ---- */

static int take_lease(struct run *r, struct error *err) {
    struct cpu_list mine;
    int64_t begin = clock_mono_ns();
    cpus_of(r->spec, &mine);
    for (;;) {
        int64_t now = clock_mono_ns();
        int rc = lease_try(r->live, &mine, &r->quiet.lease, err);
        r->result->quiet.held_ns = now - begin;
        if (rc <= 0) return rc;
        lease_answer(r->live, LEASE_AWAY, now); /* it has not begun */
        if (told_to_stop(r->signals, r->caller, LEASE_MS)) return cancelled(err);
    }
}

static int await_silence(struct run *r, struct error *err) {
    struct lease_others others;
    int64_t deadline = clock_mono_ns() + QUIET_PATIENCE_MS * NS_PER_MS;
    for (;;) {
        lease_ask(r->quiet.lease, &others);
        if (!others.pending || clock_mono_ns() >= deadline) break;
        if (told_to_stop(r->signals, r->caller, ANSWER_MS)) return cancelled(err);
    }
    r->result->quiet.others = others.count;
    r->result->quiet.loud = others.loud;
    return 0;
}

int quiet_begin(struct run *r, struct error *err) {
    if (r->spec->lane != LANE_TIMED) return wait_unstarted(r, err);
    return take_lease(r, err) < 0 ? -1 : await_silence(r, err);
}

void quiet_end(struct run *r) {
    lease_end(r->quiet.lease);
    r->quiet.lease = NULL;
}

/* ---- out of the way ---- */

/* The deadline stands still; one that has passed already stays passed. */
static void stop_deadline(struct run *r) {
    struct itimerspec left;
    static const struct itimerspec off;
    r->quiet.left_ns = 0;
    if (timerfd_gettime(r->loop.deadline, &left) < 0) return;
    r->quiet.left_ns = left.it_value.tv_sec * NS_PER_SEC + left.it_value.tv_nsec;
    if (r->quiet.left_ns) timerfd_settime(r->loop.deadline, 0, &off, NULL);
}

static void resume_deadline(struct run *r) {
    int64_t left = r->quiet.left_ns;
    struct itimerspec when = {
        .it_value = {.tv_sec = left / NS_PER_SEC, .tv_nsec = left % NS_PER_SEC}};
    if (left) timerfd_settime(r->loop.deadline, 0, &when, NULL);
    r->quiet.left_ns = 0;
}

void quiet_thaw(struct run *r) {
    struct quiet *q = &r->quiet;
    _cleanup_error_ struct error err = {0};
    if (!q->frozen) return;
    q->frozen = false;
    r->result->quiet.frozen_ns += clock_mono_ns() - q->since;
    if (cgroup_freeze(r->cg, false, &err) < 0) log_warn("%s", error_text(&err));
}

static bool move_away(struct run *r, const struct cpu_list *taken) {
    struct cpu_list rest;
    if (!r->spec->cpus || r->spec->limits.cpus_exclusive ||
        !cgroup_enforces(r->cg, CGROUP_CPUSET, NULL))
        return false;
    cpus_of(r->spec, &rest);
    cpu_list_remove(&rest, taken);
    if (cpu_list_count(&rest) == 0) return false;
    _cleanup_free_ char *text = cpu_list_format(&rest);
    return text && cgroup_move(r->cg, text, NULL) == 0;
}

static void freeze(struct run *r) {
    struct quiet *q = &r->quiet;
    _cleanup_error_ struct error err = {0};
    stop_deadline(r);
    q->since = clock_mono_ns();
    q->frozen = cgroup_freeze(r->cg, true, &err) == 0;
    q->stays = !q->frozen;
    if (q->frozen) return;
    if (err.kind != ERROR_UNSUPPORTED && cgroup_freeze(r->cg, false, NULL) < 0)
        log_warn("%s", error_text(&err));
    resume_deadline(r);
}

static void go_away(struct run *r, const struct cpu_list *taken) {
    struct quiet *q = &r->quiet;
    if (q->frozen || q->stays) return;
    if (q->moved && memcmp(&q->moved_from, taken, sizeof *taken) == 0) return;
    if (move_away(r, taken)) {
        q->moved = true;
        q->moved_from = *taken;
    } else {
        freeze(r); /* one that was moved stays so until all are gone */
    }
}

/* To where it was; the answer was taken back before. */
static void come_back(struct run *r) {
    struct quiet *q = &r->quiet;
    if (q->frozen) {
        quiet_thaw(r);
        resume_deadline(r);
    }
    if (q->moved && cgroup_move(r->cg, r->spec->cpus, NULL) < 0)
        log_warn("the cpus of %s could not be given back", r->spec->id);
    q->moved = q->stays = false;
}

int64_t quiet_look(struct run *r) {
    struct quiet *q = &r->quiet;
    struct cpu_list taken;
    bool seen;
    if (r->spec->lane == LANE_TIMED) return 0;
    int64_t now = clock_mono_ns();
    bool way = in_the_way(r->spec, r->live, &seen, &taken);
    if (!way && q->answered) {
        lease_answer(r->live, LEASE_BACK, 0);
        q->answered = false;
        now = clock_mono_ns();
        way = in_the_way(r->spec, r->live, &seen, &taken);
    }
    if (way) go_away(r, &taken);
    else come_back(r);
    if (seen) lease_answer(r->live, q->stays ? LEASE_STAYS : LEASE_AWAY, now);
    q->answered |= seen;
    return q->frozen ? AWAY_MS * NS_PER_MS : 0;
}
