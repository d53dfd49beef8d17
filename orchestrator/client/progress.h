/*
 * Progress: what happens, one line each with the time since the start; on a
 * terminal also a last line that says what is going on right now.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_PROGRESS_H
#define PADDOCK_ORCHESTRATOR_CLIENT_PROGRESS_H

#include "common/buf.h"
#include "common/json.h"

#include <stdbool.h>
#include <stdint.h>

struct progress {
    int fd;    /* where to write; −1: nowhere */
    bool live; /* a terminal: keep a status line */
    bool colour;
    int64_t start_ns;
    char *status; /* the status line as it stands; NULL: none */
};

/* On stderr, so that stdout is for results. `quiet`: says nothing. */
void progress_open(struct progress *p, bool quiet);
/* Takes the status line away. */
void progress_close(struct progress *p);
#define _cleanup_progress_ __attribute__((cleanup(progress_close)))

/* One lasting line, "[ 12.3s] text". */
void progress_say(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Replaces the status line; nothing happens off a terminal. */
void progress_status(struct progress *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "[ 12.3s] " */
void progress_elapsed(int64_t ns, struct buf *out);
/* "8.92 s", "0.041 s", "312 s"; "–" when not finite. */
void progress_seconds(double seconds, struct buf *out);
/* "v3 valid  8.92 s  loss 2.31: …reason…" of a version as the API shows it;
 * its hypothesis while it is queued. */
void progress_version(const struct json *version, const char *metric, struct buf *out);
/* "v3 train  8.92 s  exit" of a run as the API shows it. */
void progress_run(const struct json *run, const char *metric, struct buf *out);
/* Untrusted text of several lines: newlines and tabs stay, all else that drives a
 * terminal is shown as \xNN. A UTF-8 sequence cut at the end shows so, too. */
void progress_lines(const char *text, size_t len, struct buf *out);
/* Untrusted text on one line, cut to `columns` characters with "…". */
void progress_text(const char *text, size_t columns, struct buf *out);

#endif
