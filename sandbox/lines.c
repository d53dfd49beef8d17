#include "sandbox/lines.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <errno.h>
#include <regex.h>
#include <stdbool.h>
#include <string.h>

struct line {
    char text[LINES_BYTES];
    size_t len;
    bool seen; /* it was looked at already, being too long: its rest is skipped */
};

struct lines {
    regex_t start, stop;
    int64_t start_ns, stop_ns; /* 0: not yet */
    int64_t outside_ns;        /* that are free */
    struct line streams[2];
};

struct lines *lines_open(const struct spec_lines *spec, struct error *err) {
    struct lines *l = calloc(1, sizeof *l);
    const int flags = REG_EXTENDED | REG_NOSUB;
    if (!l) {
        error_sys(err, ENOMEM, "lines");
        return NULL;
    }
    if (regcomp(&l->start, spec->start, flags) != 0) {
        error_set(err, ERROR_INVALID, "clock: \"%s\"", spec->start);
        free(l);
        return NULL;
    }
    if (regcomp(&l->stop, spec->stop, flags) != 0) {
        error_set(err, ERROR_INVALID, "clock: \"%s\"", spec->stop);
        regfree(&l->start);
        free(l);
        return NULL;
    }
    l->outside_ns = spec->outside_ms * NS_PER_MS;
    return l;
}

static void look(struct lines *l, const char *text, int64_t now_ns) {
    if (!l->start_ns) {
        if (regexec(&l->start, text, 0, NULL, 0) == 0) l->start_ns = now_ns;
    } else if (!l->stop_ns && regexec(&l->stop, text, 0, NULL, 0) == 0) {
        l->stop_ns = now_ns;
    }
}

static void end_line(struct lines *l, struct line *line, int64_t now_ns) {
    line->text[line->len] = '\0';
    if (!line->seen) look(l, line->text, now_ns);
    line->len = 0;
}

void lines_feed(struct lines *l, int stream, const char *data, size_t len, int64_t now_ns) {
    struct line *line = &l->streams[stream];
    for (size_t i = 0; i < len && !l->stop_ns; i++) {
        if (data[i] == '\n') {
            end_line(l, line, now_ns);
            line->seen = false;
        } else if (!line->seen) {
            line->text[line->len++] = data[i] ? data[i] : '?'; /* a C string has no NUL inside */
            if (line->len + 1 < sizeof line->text) continue;
            end_line(l, line, now_ns);
            line->seen = true;
        }
    }
}

void lines_settle(const struct lines *l, struct result *r) {
    int64_t end = r->t_clock_stop;
    /* Both in one piece were held back by whoever wrote them; as nothing is known of the
     * time between, the first counts as one that never came. */
    bool together = l->stop_ns && l->stop_ns <= l->start_ns;
    if (l->start_ns && !together) r->t_clock_start = l->start_ns;
    if (l->stop_ns) r->t_clock_stop = l->stop_ns;
    r->outside_ns = (r->t_clock_start - r->t_release) + (end - r->t_clock_stop);
    int64_t counted = r->outside_ns > l->outside_ns ? r->outside_ns - l->outside_ns : 0;
    r->wall_ns = r->t_clock_stop - r->t_clock_start + counted;
}

void lines_close(struct lines *l) {
    if (!l) return;
    regfree(&l->start);
    regfree(&l->stop);
    free(l);
}
