/*
 * The program's output: read from its pipes as it comes, stamped with the time
 * of arrival, stored, copied on where asked for, and counted against one cap.
 *
 * Who reads our copy may be slow: what it has not taken yet is held back, and
 * the pipe with it, but never the launcher's loop.
 */
#ifndef PADDOCK_SANDBOX_OUTPUT_H
#define PADDOCK_SANDBOX_OUTPUT_H

#include "common/buf.h"
#include "common/error.h"
#include "sandbox/lines.h"
#include "sandbox/spec.h"

#include <stdbool.h>
#include <stdint.h>

struct output_stream {
    enum spec_stdio mode;
    char tag;           /* 'o' or 'e' in the stamps */
    int pipe;           /* our end; -1: nothing to read any more, or never */
    int file;           /* in the run folder; -1: none */
    int copy;           /* our own descriptor of the same name; -1: none */
    bool wide;          /* its pipe was enlarged */
    bool copy_blocks;   /* it can be waited for with poll */
    struct buf waiting; /* read, but not yet taken by the reader of our copy */
    size_t taken;       /* of `waiting` */
    int64_t bytes;      /* kept so far */
};

struct output {
    struct output_stream streams[2]; /* stdout, stderr */
    int64_t limit;                   /* both together; 0: none */
    int64_t first_ns, start_ns;      /* of the first chunk; the stamps' zero */
    bool truncated;
    int stamps; /* -1: none */
    struct buf lines;
    int64_t line_count;
    int error;             /* errno of the first failed write to the run folder */
    struct lines *matcher; /* of a clock of lines; NULL: another clock */
};

/* Makes pipes for the streams that are captured. `program_ends` gets what the
 * program is to have as 1 and 2 (-1 where nothing was made). `dir_fd` is the
 * run folder or -1. */
int output_open(struct output *o, const struct spec *spec, int dir_fd, int program_ends[2],
                struct error *err);
/* Makes the files of the run folder that the streams are kept in. */
int output_create_files(struct output *o, int dir_fd, struct error *err);
/* Reads what is there. False when the stream is at its end (its pipe closed). */
bool output_pump(struct output *o, struct output_stream *s);
/* Whether the pipe should be read now, or the reader of our copy waited for. */
bool output_wants_copy(const struct output_stream *s);
/* Hands on what waits; false when that reader is gone. */
void output_copy(struct output_stream *s);
/* Reads to the end what the dead program left and writes out all that waits. */
void output_finish(struct output *o);
void output_close(struct output *o);

#endif
