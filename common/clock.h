/*
 * Time: the monotonic clock for durations, the real clock for dates only.
 */
#ifndef PADDOCK_COMMON_CLOCK_H
#define PADDOCK_COMMON_CLOCK_H

#include <stdint.h>

#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS  INT64_C(1000000)

/* CLOCK_MONOTONIC in ns: comparable between processes of one boot (in the
 * initial time namespace). */
int64_t clock_mono_ns(void);
/* CLOCK_REALTIME in ns since the epoch. */
int64_t clock_real_ns(void);
/* "2026-01-31T12:34:56.789Z" of ns since the epoch; `out` holds at least 32 bytes. */
void clock_format_utc(int64_t real_ns, char out[32]);

#endif
