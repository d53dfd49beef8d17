/* paddock doctor: what this machine can enforce, and the daemon's state. */
#include "common/cleanup.h"
#include "orchestrator/client/autostart.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/gpu/nvml.h"
#include "sandbox/probe.h"

#include <string.h>
#include <sys/stat.h>

static const struct arg args_none[] = {{.name = NULL}};

struct checkup {
    struct probe_report probe;
    struct gpu_readings gpus;
    char *no_gpus;       /* why there are none; NULL: there are */
    struct json *health; /* of the daemon; NULL: none answers */
    int64_t daemon_uid;  /* −1: not known */
    char **warnings;
};

static void checkup_clear(struct checkup *c) {
    probe_clear(&c->probe);
    gpu_readings_clear(&c->gpus);
    free(c->no_gpus);
    json_free(c->health);
    strv_free(c->warnings);
}

/* The owner of a process, as /proc shows it. */
static int64_t owner_of(int64_t pid) {
    char path[40];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%lld", (long long)pid);
    return pid > 0 && stat(path, &st) == 0 ? (int64_t)st.st_uid : -1;
}

static int warn(struct checkup *c, const char *text, struct error *err) {
    return strv_push(&c->warnings, text) < 0 ? error_sys(err, ENOMEM, "doctor") : 0;
}

/* A daemon that does not answer is no fault: one is started when needed. */
static int look_at_daemon(struct cli *cli, struct checkup *c, struct error *err) {
    _cleanup_error_ struct error silent = {0};
    c->daemon_uid = -1;
    cli->http = autostart_existing(&silent);
    if (!cli->http && silent.kind != ERROR_NOT_FOUND) return warn(c, error_text(&silent), err);
    if (!cli->http || http_probe(cli->http, &c->health, NULL) < 0) return 0;
    c->daemon_uid = owner_of(reply_int(c->health, "pid", 0));
    const char *version = reply_text_or(c->health, "version", PADDOCK_VERSION);
    _cleanup_free_ char *other =
        str_printf("the daemon is version %s, this is " PADDOCK_VERSION, version);
    if (!str_eq(version, PADDOCK_VERSION) && other && warn(c, other, err) < 0) return -1;
    if (c->daemon_uid != 0) return 0;
    return warn(c,
                "the daemon runs as root; a service should run as an account of its own, "
                "with a delegated cgroup and subordinate ids",
                err);
}

/* No GPU is no fault either. */
static void look_at_gpus(struct checkup *c) {
    _cleanup_error_ struct error why = {0};
    struct nvml *nvml = nvml_open(&why);
    if (!nvml || nvml_read(nvml, &c->gpus, &why) < 0) c->no_gpus = strdup(error_text(&why));
    nvml_close(nvml);
}

static void print_gpus(const struct checkup *c, struct buf *out) {
    if (c->no_gpus) {
        buf_puts(out, "GPUs: none: ");
        progress_text(c->no_gpus, SIZE_MAX, out);
        buf_putc(out, '\n');
        return;
    }
    buf_printf(out, "GPUs: %zu, driver ", c->gpus.count);
    progress_text(c->gpus.driver, SIZE_MAX, out);
    buf_puts(out, "; paddock gpu list tells who has them\n");
}

static int print_json(const struct checkup *c, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    probe_encode(&c->probe, w, "machine");
    json_open_object(w, "gpus");
    json_put_int(w, "count", (int64_t)c->gpus.count);
    json_put_string(w, "driver", c->gpus.driver[0] ? c->gpus.driver : NULL);
    json_put_string(w, "absent", c->no_gpus);
    json_close_object(w);
    if (c->health) {
        json_open_object(w, "daemon");
        json_put_string(w, "version", reply_text(c->health, "version"));
        json_put_int(w, "pid", reply_int(c->health, "pid", 0));
        json_put_string(w, "state", reply_text(c->health, "state"));
        json_put_int(w, "uid", c->daemon_uid);
        json_close_object(w);
    } else {
        json_put_null(w, "daemon");
    }
    json_open_array(w, "warnings");
    for (char **text = c->warnings; text && *text; text++) json_put_string(w, NULL, *text);
    json_close_array(w);
    json_close_object(w);
    return cli_print_writer(w, err);
}

static int print_text(const struct checkup *c, struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    probe_print(&c->probe, &out);
    buf_puts(&out, "\n");
    print_gpus(c, &out);
    if (c->health) {
        buf_printf(&out, "paddockd %s answers: process %lld, uid %lld, state in ",
                   reply_text_or(c->health, "version", "?"),
                   (long long)reply_int(c->health, "pid", 0), (long long)c->daemon_uid);
        progress_text(reply_text_or(c->health, "state", "?"), SIZE_MAX, &out);
        buf_putc(&out, '\n');
    } else {
        buf_puts(&out, "paddockd does not run; verbs that need it start a private one\n");
    }
    for (char **text = c->warnings; text && *text; text++) {
        buf_puts(&out, "warning: ");
        progress_text(*text, SIZE_MAX, &out);
        buf_putc(&out, '\n');
    }
    return cli_print(&out, err);
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    (void)args;
    _cleanup_(checkup_clear) struct checkup c = {0};
    if (probe_run(&c.probe, err) < 0 || look_at_daemon(cli, &c, err) < 0) return -1;
    look_at_gpus(&c);
    if ((cli->json ? print_json(&c, err) : print_text(&c, err)) < 0) return -1;
    return str_eq(c.probe.privilege, "none") ? CLI_FAILED : CLI_OK;
}

const struct verb verb_doctor = {
    .name = "doctor",
    .summary = "say what this machine can enforce and what not",
    .operands = "",
    .args = args_none,
    .help = "Tries each part of the fence in a child and leaves nothing behind. Also says\n"
            "whether a daemon answers, and warns when it runs as root. The status is 1 when\n"
            "no sandbox can be made here at all.",
    .example = "paddock doctor",
    .run = run,
};
