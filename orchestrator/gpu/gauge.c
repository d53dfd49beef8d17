#include "orchestrator/gpu/gauge.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/paths/paths.h"

#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#define PROGRAM     "paddock-gpu-gauge"
#define OUTPUT_MOST ((size_t)64 << 10)
#define TIME_MOST   (120 * NS_PER_SEC) /* of one call: a hung driver must not keep a lane */
#define NO_DRIVER   77

extern char **environ;

static bool is_rate(const char *name) {
    static const char *const ends[] = {"_per_s", "_tflops", "_gflops", "_gb_s"};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (str_ends(name, ends[i])) return true;
    return false;
}

int gpu_gauge_read(const char *text, size_t len, struct gpu_gauge *out, struct error *err) {
    _cleanup_json_ struct json *doc = json_parse("gauge", text, len, err);
    if (!doc) return -1;
    if (json_type(doc) != JSON_OBJECT) return json_error(doc, err, "must be an object");
    for (size_t i = 0; i < json_count(doc) && out->count < GAUGE_RATES_MOST; i++) {
        const char *name = json_key_at(doc, i);
        double value;
        if (!is_rate(name) || strlen(name) >= GAUGE_NAME_MOST) continue;
        if (json_as_double(json_at(doc, i), 1e-12, 1e18, &value, err) < 0) return -1;
        struct gauge_rate *r = &out->rates[out->count++];
        snprintf(r->name, sizeof r->name, "%s", name);
        r->value = value;
    }
    return 0;
}

/* Reads to the end of the output, or as long as there is time. */
static int read_output(int fd, struct buf *out) {
    int64_t end = clock_mono_ns() + TIME_MOST;
    for (;;) {
        int64_t left = (end - clock_mono_ns()) / NS_PER_MS;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0 || out->len > OUTPUT_MOST || poll(&p, 1, (int)left) <= 0) return -1;
        char *to = buf_reserve(out, 4096);
        ssize_t n = to ? read(fd, to, 4096) : -1;
        if (n <= 0) return n == 0 ? 0 : -1;
        out->len += (size_t)n;
    }
}

static int start(const char *program, const char *verb, const char *uuid, int to, pid_t *pid) {
    char *const argv[] = {(char *)program, (char *)verb, (char *)uuid, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, to, 1);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int rc = posix_spawn(pid, program, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return rc;
}

static void finish(pid_t pid, int read_rc, const struct buf *text, struct gpu_gauge *out) {
    int status = 0;
    if (read_rc < 0) kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    _cleanup_error_ struct error err = {0};
    if (read_rc < 0) snprintf(out->skipped, sizeof out->skipped, "it did not come to an end");
    else if (WIFEXITED(status) && WEXITSTATUS(status) == NO_DRIVER)
        snprintf(out->skipped, sizeof out->skipped, "it found no driver");
    else if (status != 0) snprintf(out->skipped, sizeof out->skipped, "it failed");
    else if (gpu_gauge_read(buf_text(text), text->len, out, &err) < 0)
        snprintf(out->skipped, sizeof out->skipped, "%s", error_text(&err));
}

void gpu_gauge_run(const char *verb, const char *uuid, struct gpu_gauge *out) {
    const char *own = getenv("PADDOCK_GPU_GAUGE");
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *program = own && *own ? strdup(own) : paths_program(PROGRAM, &err);
    _cleanup_buf_ struct buf text = {0};
    int ends[2];
    pid_t pid;
    *out = (struct gpu_gauge){0};
    if (!program || access(program, X_OK) < 0 || pipe2(ends, O_CLOEXEC) < 0) {
        snprintf(out->skipped, sizeof out->skipped, "there is no %s", PROGRAM);
        return;
    }
    int rc = start(program, verb, uuid, ends[1], &pid);
    close(ends[1]);
    if (rc == 0) finish(pid, read_output(ends[0], &text), &text, out);
    else snprintf(out->skipped, sizeof out->skipped, "%s: %s", PROGRAM, strerror(rc));
    close(ends[0]);
}

double gpu_gauge_change(const struct gpu_gauge *before, const struct gpu_gauge *after,
                        const char **name) {
    double most = 0;
    *name = NULL;
    for (size_t i = 0; i < before->count; i++)
        for (size_t k = 0; k < after->count; k++) {
            if (!str_eq(before->rates[i].name, after->rates[k].name)) continue;
            double change = fabs(after->rates[k].value / before->rates[i].value - 1);
            if (*name && change <= most) continue;
            most = change;
            *name = before->rates[i].name;
        }
    return most;
}
