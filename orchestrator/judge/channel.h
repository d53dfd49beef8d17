/*
 * A channel to a program nobody trusts: two descriptors, a deadline for
 * everything, and somebody who may call it off. Never blocks beyond either.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_CHANNEL_H
#define PADDOCK_ORCHESTRATOR_JUDGE_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

struct channel {
    int to, from;        /* not owned; channel_open() makes them non-blocking */
    int cancel;          /* becomes readable to call it off, or −1 */
    int64_t deadline_ns; /* on clock_mono_ns(); 0: none */
};

enum channel_state {
    CHANNEL_OK,
    CHANNEL_CLOSED, /* the other side is gone */
    CHANNEL_LATE,
    CHANNEL_CANCELLED,
};

/* SIGPIPE must be ignored by the process. 0, or −1 with errno. */
int channel_open(struct channel *c);
enum channel_state channel_write(const struct channel *c, const void *data, size_t len);
/* Reads exactly `len` bytes; *got tells how many there were at the end. */
enum channel_state channel_read(const struct channel *c, void *data, size_t len, size_t *got);

#endif
