/*
 * Tries to cross the fence, from inside by the attempts of the tables and from
 * outside by hostile specs, and compares what the sandboxed processes are with
 * what they should be. Started by tests/escape/escape.sh.
 *
 *   escape [--tap] [--only corpus|specs|posture] [--match TEXT]
 *          [--without LAYER[,LAYER]] [--through] [--dump]
 *
 * Ends with 0 when nothing got through and nothing was answered differently.
 */
#include "tests/escape/escape.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "tests/escape/launch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows ---- */

static bool is_among(const char *alternatives, const char *got) {
    size_t len = strlen(got);
    for (const char *p = alternatives;; p++) {
        size_t n = strcspn(p, "|");
        if (n == len && strncmp(p, got, n) == 0) return true;
        p += n;
        if (!*p) return false;
    }
}

static void print_row(const struct runner *r, const char *verdict, const char *name,
                      const char *layer, const char *expected, const char *got) {
    if (r->only_through) return;
    if (r->tap) {
        printf("%s - %s: %s (%s)\n", strcmp(verdict, "held") == 0 ? "ok" : "not ok", r->mode, name,
               layer);
        if (strcmp(verdict, "held") != 0) printf("    # expected %s, got %s\n", expected, got);
        return;
    }
    printf("%-8s %-30s %-18s %-34s %s\n", verdict, name, layer, expected, got);
}

void row(struct runner *r, const char *name, const char *layer, const char *expected,
         const char *got) {
    const char *verdict = "differs";
    if (is_among(expected, got)) {
        r->held++;
        verdict = "held";
    } else if (strcmp(got, "through") == 0 || str_starts(got, "changed:")) {
        r->through++;
        verdict = "THROUGH";
        buf_printf(&r->through_names, "%s%s", r->through_names.len ? " " : "", name);
    } else {
        r->different++;
    }
    print_row(r, verdict, name, layer, expected, got);
    fflush(stdout);
}

void row_skipped(struct runner *r, const char *name, const char *layer, const char *reason) {
    r->skipped++;
    if (r->only_through) return;
    if (r->tap) printf("ok - %s: %s (%s) # SKIP %s\n", r->mode, name, layer, reason);
    else printf("%-8s %-30s %-18s %s\n", "skipped", name, layer, reason);
}

bool wanted(const struct runner *r, const char *name, const char *layer) {
    return !r->match || strstr(name, r->match) || strcmp(layer, r->match) == 0;
}

/* ---- what this machine and user have ---- */

static bool is_by_kernel(const struct result *res, const char *limit) {
    for (size_t i = 0; i < res->limit_count; i++)
        if (strcmp(res->limits[i].name, limit) == 0) return res->limits[i].by == ENFORCER_KERNEL;
    return false;
}

static int look_at_mode(struct runner *r, struct error *err) {
    struct launch l;
    struct order o = {.alone = true};
    if (launch_start(&l, &r->host, &o, err) < 0) return -1;
    launch_wait(&l, 90);
    int result = 0;
    if (!l.has_result || l.result.ended != ENDED_EXIT)
        result = error_set(err, ERROR_SYSTEM, "the first launch failed: %s%s",
                           l.has_result && l.result.error ? l.result.error : "", l.errors);
    if (result == 0) {
        snprintf(r->privilege, sizeof r->privilege, "%s", l.result.privilege);
        for (size_t i = 0; i < l.result.layer_count; i++)
            if (strcmp(l.result.layers[i].name, "landlock") == 0)
                r->landlock = l.result.layers[i].state == LAYER_ON;
        r->groups = is_by_kernel(&l.result, "memory") && is_by_kernel(&l.result, "pids");
    }
    launch_clear(&l);
    if (result < 0) return -1;
    if (strcmp(r->mode, "user") != 0 && strcmp(r->mode, r->privilege) != 0)
        return error_set(err, ERROR_INTERNAL, "the launcher is %s, not %s", r->privilege, r->mode);
    return 0;
}

/* ---- main ---- */

struct options {
    const char *only;
};

static int parse(int argc, char **argv, struct runner *r, struct options *o, struct error *err) {
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--tap") == 0) r->tap = true;
        else if (strcmp(argv[i], "--through") == 0) r->only_through = true;
        else if (strcmp(argv[i], "--dump") == 0) r->dump = true;
        else if (strcmp(argv[i], "--only") == 0 && next) o->only = argv[++i];
        else if (strcmp(argv[i], "--match") == 0 && next) r->match = argv[++i];
        else if (strcmp(argv[i], "--without") == 0 && next) r->without = argv[++i];
        else return error_set(err, ERROR_INVALID, "unknown option %s", argv[i]);
    }
    if (r->only_through && !r->without)
        return error_set(err, ERROR_INVALID, "--through goes with --without");
    return 0;
}

static bool has_part(const struct options *o, const char *part) {
    return !o->only || strcmp(o->only, part) == 0;
}

static int run_parts(struct runner *r, const struct options *o, struct error *err) {
    if (look_at_mode(r, err) < 0) return -1;
    if (r->without) setenv("PADDOCK_WEAKEN", r->without, 1);
    if (has_part(o, "corpus") && corpus_run(r, err) < 0) return -1;
    if (has_part(o, "specs") && specs_run(r, err) < 0) return -1;
    if (has_part(o, "posture") && posture_run(r, err) < 0) return -1;
    return 0;
}

static void print_sum(const struct runner *r) {
    if (r->only_through) {
        printf("%s\n", buf_text(&r->through_names));
        return;
    }
    printf("%s%s: %d held, %d got through, %d answered differently, %d skipped\n",
           r->tap ? "# " : "", r->mode, r->held, r->through, r->different, r->skipped);
}

int main(int argc, char **argv) {
    struct runner r = {.mode = getenv("ESCAPE_MODE")};
    struct options o = {0};
    struct error err = {0};
    log_init("escape", LOG_LEVEL_WARN);
    signal(SIGPIPE, SIG_IGN); /* a reader that left must not keep us from tidying up */
    if (!r.mode) r.mode = "user";
    int result = parse(argc, argv, &r, &o, &err);
    if (result == 0) {
        result = host_open(&r.host, &err) < 0 ? -1 : run_parts(&r, &o, &err);
        host_close(&r.host);
    }
    if (result < 0) fprintf(stderr, "escape: %s\n", error_text(&err));
    else print_sum(&r);
    buf_free(&r.through_names);
    error_clear(&err);
    return result < 0 ? 2 : r.through || r.different ? 1 : 0;
}
