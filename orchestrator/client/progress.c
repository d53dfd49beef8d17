#include "orchestrator/client/progress.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "orchestrator/client/reply.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>

#define HYPOTHESIS_COLUMNS 72

void progress_open(struct progress *p, bool quiet) {
    const char *term = getenv("TERM");
    const char *no_colour = getenv("NO_COLOR");
    bool terminal = !quiet && isatty(STDERR_FILENO) && term && !str_eq(term, "dumb");
    *p = (struct progress){.fd = quiet ? -1 : STDERR_FILENO,
                           .live = terminal,
                           .colour = terminal && !(no_colour && *no_colour),
                           .start_ns = clock_mono_ns()};
}

/* Losing progress lines is no reason to stop. */
static void put(const struct progress *p, const struct buf *text) {
    if (p->fd >= 0 && text->len > 0 && write_all(p->fd, text->data, text->len) < 0) errno = 0;
}

void progress_close(struct progress *p) {
    _cleanup_buf_ struct buf out = {0};
    if (p->live && p->status) buf_puts(&out, "\r\033[K");
    put(p, &out);
    free(p->status);
    p->status = NULL;
}

/* A status line that wrapped could not be taken away again. */
static size_t terminal_columns(int fd) {
    struct winsize size = {0};
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col - 1U : 79;
}

static void put_status(const struct progress *p, struct buf *out) {
    if (!p->live || !p->status) return;
    if (p->colour) buf_puts(out, "\033[2m");
    progress_text(p->status, terminal_columns(p->fd), out);
    if (p->colour) buf_puts(out, "\033[0m");
}

void progress_say(struct progress *p, const char *fmt, ...) {
    if (p->fd < 0) return;
    _cleanup_buf_ struct buf out = {0};
    if (p->live) buf_puts(&out, "\r\033[K");
    progress_elapsed(clock_mono_ns() - p->start_ns, &out);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&out, fmt, ap);
    va_end(ap);
    buf_putc(&out, '\n');
    put_status(p, &out);
    put(p, &out);
}

void progress_status(struct progress *p, const char *fmt, ...) {
    if (!p->live) return;
    _cleanup_buf_ struct buf status = {0}, out = {0};
    progress_elapsed(clock_mono_ns() - p->start_ns, &status);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&status, fmt, ap);
    va_end(ap);
    free(p->status);
    p->status = buf_steal(&status);
    buf_puts(&out, "\r\033[K");
    put_status(p, &out);
    put(p, &out);
}

void progress_elapsed(int64_t ns, struct buf *out) {
    buf_printf(out, "[%6.1fs] ", (double)ns / (double)NS_PER_SEC);
}

void progress_seconds(double seconds, struct buf *out) {
    if (!isfinite(seconds)) buf_puts(out, "–");
    else if (fabs(seconds) < 1) buf_printf(out, "%.3f s", seconds);
    else buf_printf(out, fabs(seconds) < 100 ? "%.2f s" : "%.0f s", seconds);
}

void progress_lines(const char *text, size_t len, struct buf *out) {
    for (size_t at = 0; at < len;) {
        size_t n = 0;
        while (at + n < len && text[at + n] != '\n' && text[at + n] != '\t') n++;
        _cleanup_free_ char *clean = str_printable(text + at, n);
        if (clean) buf_puts(out, clean);
        else out->failed = true;
        if (at + n < len) buf_putc(out, text[at + n]);
        at += n + 1;
    }
}

void progress_text(const char *text, size_t columns, struct buf *out) {
    _cleanup_free_ char *clean = str_printable(text, strlen(text));
    const unsigned char *p = (const unsigned char *)(clean ? clean : "");
    size_t left = strlen((const char *)p), used = 0;
    while (left > 0) {
        size_t n = utf8_sequence(p, left);
        if (n == 0) n = 1;
        if (++used == columns && left > n) {
            buf_puts(out, "…");
            return;
        }
        buf_append(out, p, n);
        p += n;
        left -= n;
    }
}

static void put_time_and_metric(const struct json *v, const char *metric, struct buf *out) {
    double seconds = reply_number(v, "seconds", reply_number(v, "wall_s", NAN));
    double value = reply_number(v, "metric", NAN);
    if (isfinite(seconds)) {
        buf_puts(out, "  ");
        progress_seconds(seconds, out);
    }
    if (isfinite(value)) buf_printf(out, "  %s %.4g", metric, value);
}

void progress_version(const struct json *version, const char *metric, struct buf *out) {
    const char *state = reply_text_or(version, "state", "?");
    const char *outcome = reply_text(version, "outcome");
    const char *reason = reply_text(version, "reason");
    buf_printf(out, "%s %s", reply_text_or(version, "id", "?"), outcome ? outcome : state);
    put_time_and_metric(version, metric, out);
    const char *why = outcome && !str_eq(outcome, "valid") ? reason : NULL;
    if (!outcome && str_eq(state, "queued")) why = reply_text(version, "hypothesis");
    if (!why) return;
    buf_puts(out, ": ");
    progress_text(why, outcome ? SIZE_MAX : HYPOTHESIS_COLUMNS, out);
}

void progress_run(const struct json *run, const char *metric, struct buf *out) {
    buf_printf(out, "%s %s", reply_text_or(run, "version", reply_text_or(run, "id", "?")),
               reply_text_or(run, "phase", "?"));
    put_time_and_metric(run, metric, out);
    if (str_eq(reply_text(run, "state"), "void")) {
        buf_puts(out, "  void: ");
        progress_text(reply_text_or(run, "reason", "its launcher left no result"), SIZE_MAX, out);
        return;
    }
    const char *ended = reply_text(run, "ended");
    if (ended && !str_eq(ended, "exit")) buf_printf(out, "  %s", ended);
}
