/*
 * The clock of programs that cannot speak the gate's protocol: two lines of their
 * output, stamped as they arrive. A program that prints the first late or the
 * second early gains no more than the time outside of both that is free; beyond
 * it counts.
 *
 * What a program writes is untrusted: a line is looked at up to LINES_BYTES bytes.
 */
#ifndef PADDOCK_SANDBOX_LINES_H
#define PADDOCK_SANDBOX_LINES_H

#include "common/error.h"
#include "sandbox/result.h"
#include "sandbox/spec.h"

#include <stddef.h>
#include <stdint.h>

enum { LINES_BYTES = 4096 };

struct lines; /* a matcher of one run's output */

struct lines *lines_open(const struct spec_lines *spec, struct error *err);
/* What arrived at `now_ns` on stdout (0) or stderr (1). */
void lines_feed(struct lines *l, int stream, const char *data, size_t len, int64_t now_ns);
/* Writes clock start and stop, outside_ns and wall_ns, out of t_release and the
 * program's end (t_clock_stop so far), which stand in for lines that never came. */
void lines_settle(const struct lines *l, struct result *r);
void lines_close(struct lines *l);

#endif
