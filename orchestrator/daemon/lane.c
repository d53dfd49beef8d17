#include "orchestrator/daemon/lane.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "orchestrator/daemon/job.h"
#include "orchestrator/daemon/run.h"

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>

#define REST_NS   (2 * NS_PER_SEC) /* of a job after a failure of ours */
#define RESTS_MAX 64
#define TRIES     3                 /* of a job that fails for a reason that stays */
#define UNFIT_NS  (60 * NS_PER_SEC) /* until a lane asks again whether it can do a job at all */
#define STALE_NS  (60 * NS_PER_SEC) /* until a job that was not taken up again is forgotten */
#define LOOK_MS   5000              /* how often a lane looks for work nobody announced */

struct rest {
    enum queue_kind kind;
    int64_t id, until;
    const struct lane *lane; /* that it is not for; NULL: rests for all */
    int failures;            /* in a row */
};

struct lanes {
    pthread_mutex_t mutex;
    pthread_mutex_t shared; /* lane_share() */
    struct lane_configs configs;
    struct lane lanes[LANES_MAX]; /* the timed ones */
    pthread_t threads[LANES_MAX];
    size_t count, started;
    atomic_bool stopping;
    struct rest rests[RESTS_MAX];
    size_t rest_count;
};

bool lane_stopping(const struct lane *l) {
    return atomic_load(&l->daemon->lanes->stopping);
}

void lane_drain(struct lane *l) {
    eventfd_t count;
    if (eventfd_read(l->wake_fd, &count) < 0 && errno != EAGAIN)
        log_warn("lane: %s", strerror(errno));
}

static bool is_leased(const struct lanes *all, const struct queue_job *job) {
    for (size_t i = 0; i < all->count; i++) {
        const struct lane *l = &all->lanes[i];
        if (l->leased && l->job.kind == job->kind && l->job.id == job->id) return true;
    }
    return false;
}

/* What the lanes know about the jobs: who holds them, which of them rest. */
static void annotate(const struct lanes *all, const struct lane *l, struct queue_job *jobs,
                     size_t count) {
    for (size_t i = 0; i < count; i++) {
        jobs[i].leased = is_leased(all, &jobs[i]);
        for (size_t k = 0; k < all->rest_count; k++) {
            const struct rest *r = &all->rests[k];
            bool ours =
                r->kind == jobs[i].kind && r->id == jobs[i].id && (!r->lane || r->lane == l);
            if (ours && r->until > jobs[i].not_before) jobs[i].not_before = r->until;
        }
    }
}

/* Takes the next job for this lane; false when there is none. */
static bool lane_lease(struct lane *l) {
    struct lanes *all = l->daemon->lanes;
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ struct queue_job *jobs = NULL;
    size_t count = 0;
    if (queue_load(l->daemon->store, &jobs, &count, &err) < 0) {
        log_error("queue: %s", error_text(&err));
        return false;
    }
    pthread_mutex_lock(&all->mutex);
    annotate(all, l, jobs, count);
    int next = queue_choose(jobs, count, clock_mono_ns());
    if (next >= 0) {
        l->job = jobs[next];
        l->leased = true;
    }
    pthread_mutex_unlock(&all->mutex);
    return next >= 0;
}

/* Gives the job back; after a failure of ours it rests, one that is not for this lane
 * rests for this lane alone. Returns how often it has failed in a row. */
static int lane_release(struct lane *l, bool failed) {
    struct lanes *all = l->daemon->lanes;
    int64_t now = clock_mono_ns();
    struct rest own = {.kind = l->job.kind,
                       .id = l->job.id,
                       .until = now + (l->unfit ? UNFIT_NS : REST_NS),
                       .lane = l->unfit ? l : NULL};
    pthread_mutex_lock(&all->mutex);
    size_t kept = 0;
    for (size_t i = 0; i < all->rest_count; i++) {
        const struct rest *r = &all->rests[i];
        if (r->kind == own.kind && r->id == own.id && r->lane == own.lane)
            own.failures = r->failures;
        else if (r->until + STALE_NS > now) all->rests[kept++] = *r;
    }
    own.failures = failed ? own.failures + 1 : 0;
    if (failed && kept < RESTS_MAX) all->rests[kept++] = own;
    all->rest_count = kept;
    l->leased = l->unfit = false;
    pthread_mutex_unlock(&all->mutex);
    return own.failures;
}

/* What a person, or time, mends without the job being at fault. */
static bool may_pass(const struct error *e) {
    static const int passing[] = {ENOSPC, EDQUOT, ENOMEM, EMFILE, ENFILE, EAGAIN, EIO};
    for (size_t i = 0; i < ARRAY_SIZE(passing); i++)
        if (e->sys == passing[i]) return true;
    return e->kind == ERROR_BUSY;
}

static void wait_for_work(struct lane *l) {
    bool resting = l->daemon->lanes->rest_count > 0;
    struct pollfd wake = {.fd = l->wake_fd, .events = POLLIN};
    poll(&wake, 1, resting ? (int)(REST_NS / NS_PER_MS) : LOOK_MS);
    lane_drain(l);
}

static void carry_out(struct lane *l) {
    _cleanup_error_ struct error err = {0};
    enum lane_step step = LANE_MORE;
    while (step == LANE_MORE && !lane_stopping(l)) step = job_step(l, &err);
    bool unfit = l->unfit;
    int failures = lane_release(l, step == LANE_FAILED);
    if (step != LANE_FAILED) return;
    if (unfit) { /* whose lane it is may be asleep */
        lanes_wake(l->daemon);
        return;
    }
    bool over = failures >= TRIES && !may_pass(&err);
    log_error("%s %lld: %s; %s", l->job.kind == QUEUE_VERSION ? "version" : "measurement",
              (long long)l->job.id, error_text(&err), over ? "giving up" : "trying again");
    _cleanup_error_ struct error bad = {0};
    if (over && job_give_up(l, error_text(&err), &bad) < 0) log_error("%s", error_text(&bad));
}

static void *lane_main(void *arg) {
    struct lane *l = arg;
    _cleanup_error_ struct error err = {0};
    bool first = l == &l->daemon->lanes->lanes[0];
    if (first && run_end_orphans(l, &err) < 0) log_error("runs left over: %s", error_text(&err));
    while (!lane_stopping(l)) {
        if (lane_lease(l)) carry_out(l);
        else wait_for_work(l);
    }
    return NULL;
}

void lane_share(struct lane *l) {
    pthread_mutex_lock(&l->daemon->lanes->shared);
}

void lane_unshare(struct lane *l) {
    pthread_mutex_unlock(&l->daemon->lanes->shared);
}

static bool names_gpus(const struct lane_configs *c) {
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].gpus) return true;
    return false;
}

static int add_lane(struct daemon *d, const struct lane_config *c, struct error *err) {
    struct lanes *all = d->lanes;
    const struct lane_config *helper = lane_configs_helper(&all->configs);
    struct lane *l = &all->lanes[all->count++];
    *l = (struct lane){.daemon = d, .config = c, .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    l->all_gpus = all->count == 1 && !names_gpus(&all->configs);
    if (l->wake_fd < 0) return error_sys(err, errno, "eventfd");
    if (all->configs.whole) return 0;
    l->cpus = cpu_list_format(&c->cpus);
    l->beside = cpu_list_format(helper ? &helper->cpus : &c->cpus);
    return l->cpus && l->beside ? 0 : error_sys(err, ENOMEM, "lane %s", c->name);
}

/* Our own work, and that of launchers up to the program, is not to be felt either. Only
 * a cpuset takes the program from there to its lane. */
static void keep_to_helper(const struct daemon *d, const struct lane_config *helper) {
    cpu_set_t set;
    bool cpuset = false;
    _cleanup_free_ char *detail = NULL;
    if (daemon_machine_can(d, "cpuset", &cpuset, &detail, NULL) < 0 || !cpuset) {
        log_warn("no cpusets (%s): everything runs where the scheduler puts it",
                 detail ? detail : "?");
        return;
    }
    CPU_ZERO(&set);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (cpu_list_has(&helper->cpus, cpu)) CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        log_warn("the helper lane's cpus: %s", strerror(errno));
}

static int start_threads(struct lanes *all, struct error *err) {
    for (size_t i = 0; i < all->count; i++) {
        int rc = pthread_create(&all->threads[i], NULL, lane_main, &all->lanes[i]);
        if (rc != 0) return error_sys(err, rc, "lane");
        all->started++;
    }
    return 0;
}

int lanes_start(struct daemon *d, const char *config, struct error *err) {
    struct lanes *all = calloc(1, sizeof *all);
    if (!all) return error_sys(err, ENOMEM, "lanes");
    pthread_mutex_init(&all->mutex, NULL);
    pthread_mutex_init(&all->shared, NULL);
    d->lanes = all;
    if (lane_configs_load(config, d->state, &all->configs, err) < 0) return -1;
    for (size_t i = 0; i < all->configs.count; i++)
        if (all->configs.items[i].role == LANE_ROLE_TIMED &&
            add_lane(d, &all->configs.items[i], err) < 0)
            return -1;
    const struct lane_config *helper = lane_configs_helper(&all->configs);
    if (helper) keep_to_helper(d, helper);
    return start_threads(all, err);
}

void lanes_wake(struct daemon *d) {
    for (size_t i = 0; d->lanes && i < d->lanes->count; i++)
        if (eventfd_write(d->lanes->lanes[i].wake_fd, 1) < 0) log_warn("lane: %s", strerror(errno));
}

void lanes_stop(struct daemon *d) {
    struct lanes *all = d->lanes;
    if (!all) return;
    atomic_store(&all->stopping, true);
    lanes_wake(d);
    while (all->started > 0) pthread_join(all->threads[--all->started], NULL);
}

void lanes_free(struct daemon *d) {
    struct lanes *all = d->lanes;
    if (!all) return;
    for (size_t i = 0; i < all->count; i++) {
        struct lane *l = &all->lanes[i];
        if (l->wake_fd >= 0) close(l->wake_fd);
        free(l->cpus);
        free(l->beside);
    }
    lane_configs_clear(&all->configs);
    pthread_mutex_destroy(&all->shared);
    pthread_mutex_destroy(&all->mutex);
    free(all);
    d->lanes = NULL;
}

bool lanes_state(struct daemon *d, size_t i, struct lane_state *out) {
    struct lanes *all = d->lanes;
    if (i >= all->configs.count) return false;
    *out = (struct lane_state){.config = &all->configs.items[i]};
    pthread_mutex_lock(&all->mutex);
    for (size_t k = 0; k < all->count; k++) {
        const struct lane *l = &all->lanes[k];
        if (l->config != out->config) continue;
        out->all_gpus = l->all_gpus;
        out->works = l->leased;
        out->job = l->job;
    }
    pthread_mutex_unlock(&all->mutex);
    return true;
}

bool lanes_idle(struct daemon *d) {
    struct queue_job *jobs = NULL;
    size_t count = 0;
    int rc = queue_load(d->store, &jobs, &count, NULL);
    free(jobs);
    struct lanes *all = d->lanes;
    bool busy = false; /* with a job that was cancelled, perhaps */
    pthread_mutex_lock(&all->mutex);
    for (size_t i = 0; i < all->count; i++) busy |= all->lanes[i].leased;
    pthread_mutex_unlock(&all->mutex);
    return rc == 0 && count == 0 && !busy;
}
