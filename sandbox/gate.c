#include "sandbox/gate.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "sandbox/mover.h"
#include "sandbox/supervise.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

int gate_open(struct run *r, int *program_end, struct error *err) {
    int ends[2];
    if (r->spec->clock.kind != CLOCK_GATED) return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return error_sys(err, errno, "control socket");
    r->gate.control = ends[0];
    *program_end = ends[1];
    r->gate.state = GATE_INIT;
    return 0;
}

int gate_start(struct run *r, struct error *err) {
    r->gate.warm = r->spec->clock.gate.data_count == 0;
    return r->gate.state == GATE_NONE || r->gate.warm ? 0 : mover_start(r, err);
}

/* ---- freezing ---- */

static void freeze(struct run *r) {
    r->gate.frozen = cgroup_freeze(r->cg, true, NULL) == 0;
}

void gate_thaw(struct run *r) {
    if (r->gate.frozen) (void)cgroup_freeze(r->cg, false, NULL);
    r->gate.frozen = false;
}

/* ---- the steps ---- */

static enum gate_news fail(struct run *r, enum gate_news news, char *text) {
    free(r->result->error);
    r->result->error = text;
    return news;
}

static enum gate_news too_much_cpu(struct run *r) {
    return fail(r, GATE_OVER,
                str_printf("INIT used more than %" PRId64 " ms of cpu time",
                           r->spec->clock.gate.init_cpu_ms));
}

bool gate_over(struct run *r, int64_t cpu_ns) {
    int64_t budget = r->spec->clock.gate.init_cpu_ms * NS_PER_MS;
    if (r->gate.state != GATE_INIT || !budget || cpu_ns <= budget) return false;
    too_much_cpu(r);
    return true;
}

static enum gate_news go(struct run *r) {
    struct gate *g = &r->gate;
    static const char word[] = "GO\n";
    g->state = GATE_OPEN;
    if (send(g->control, word, sizeof word - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        errno = 0; /* it hung up: then it will not say DONE either */
    gate_thaw(r);
    return GATE_OPENED;
}

/* The clock starts. */
static enum gate_news start(struct run *r) {
    struct gate *g = &r->gate;
    witness_restart(&r->witnesses, r->cg);
    r->result->t_clock_start = clock_mono_ns();
    if (r->spec->clock.gate.data_count == 0) return go(r);
    g->state = GATE_MOVING;
    if (mover_go(g->mover) < 0)
        return fail(r, GATE_BROKEN, strdup("the mover of the data is gone"));
    return GATE_WAITS;
}

static enum gate_news ready(struct run *r) {
    struct gate *g = &r->gate;
    struct cgroup_usage used;
    freeze(r);
    r->result->init_wall_ns = clock_mono_ns() - r->result->t_release;
    cgroup_sample(r->cg, &used);
    r->result->init_cpu_ns = used.cpu_total_ns >= 0 ? used.cpu_total_ns : r->watch.cpu_ns;
    if (gate_over(r, r->result->init_cpu_ns)) return GATE_OVER;
    g->state = GATE_READY;
    return g->warm ? start(r) : GATE_WAITS;
}

static enum gate_news done(struct run *r) {
    freeze(r);
    if (r->gate.frozen) r->result->t_clock_stop = clock_mono_ns();
    r->gate.state = GATE_DONE;
    return GATE_FINISHED;
}

static enum gate_news obey(struct run *r, const char *word) {
    struct gate *g = &r->gate;
    if (g->state == GATE_INIT && strcmp(word, "READY") == 0) return ready(r);
    if (g->state == GATE_OPEN && strcmp(word, "DONE") == 0) return done(r);
    _cleanup_free_ char *shown = str_printable(word, strlen(word));
    return fail(r, GATE_BROKEN,
                str_printf("said \"%s\" to the clock, which waited for %s", shown ? shown : "",
                           g->state == GATE_INIT   ? "READY"
                           : g->state == GATE_OPEN ? "DONE"
                                                   : "nothing"));
}

/* ---- events ---- */

/* One word at a time: what follows waits in the socket. */
enum gate_news gate_serve(struct run *r) {
    struct gate *g = &r->gate;
    for (;;) {
        char c;
        ssize_t n = recv(g->control, &c, 1, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN ? GATE_QUIET : GATE_CLOSED;
        if (n == 0) return GATE_CLOSED;
        if (g->state == GATE_DONE) continue;
        if (c != '\n' && g->len + 1 < sizeof g->line) {
            g->line[g->len++] = c;
            continue;
        }
        g->line[g->len] = '\0'; /* whole, or longer than any word */
        g->len = 0;
        return obey(r, g->line);
    }
}

enum gate_news gate_moved(struct run *r) {
    struct gate *g = &r->gate;
    struct error why = {0};
    switch (mover_news(r, &why)) {
    case MOVER_WARM: g->warm = true; return g->state == GATE_READY ? start(r) : GATE_QUIET;
    case MOVER_DONE: return g->state == GATE_MOVING ? go(r) : GATE_QUIET;
    case MOVER_FAILED: break;
    }
    enum gate_news news =
        fail(r, GATE_BROKEN, str_printf("the data were not moved in: %s", error_text(&why)));
    error_clear(&why);
    return news;
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

void gate_close(struct run *r) {
    mover_end(&r->gate);
    close_fd(&r->gate.control);
    close_fd(&r->gate.mntns);
}
