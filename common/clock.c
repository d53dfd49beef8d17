#include "common/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id) {
    struct timespec ts = {0};
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t clock_mono_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_real_ns(void) {
    return read_clock(CLOCK_REALTIME);
}

void clock_format_utc(int64_t real_ns, char out[32]) {
    time_t secs = (time_t)(real_ns / NS_PER_SEC);
    struct tm tm = {0};
    gmtime_r(&secs, &tm);
    char date[24];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, 32, "%s.%03dZ", date, (int)(real_ns % NS_PER_SEC / NS_PER_MS));
}
