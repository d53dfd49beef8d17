#include "sandbox/steps.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const actors[STEP_ACTORS] = {"launcher", "init", "payload"};

static const char *const texts[STEP_COUNT] = {
#define STEP_TEXT(name, text) text,
    STEP_NAMES(STEP_TEXT)
#undef STEP_TEXT
};

void step_mark(struct steps *s, enum step_actor who, enum step what) {
    struct timespec now;
    if (!s) return;
    clock_gettime(CLOCK_REALTIME, &now);
    s->at[who][what] = (int64_t)now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

struct line {
    int64_t at;
    int who, what;
};

static int compare_lines(const void *a, const void *b) {
    const struct line *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

int steps_print(const struct steps *s, int fd) {
    struct line lines[STEP_ACTORS * STEP_COUNT];
    size_t n = 0;
    for (int who = 0; who < STEP_ACTORS; who++)
        for (int what = 0; what < STEP_COUNT; what++)
            if (s->at[who][what]) lines[n++] = (struct line){s->at[who][what], who, what};
    qsort(lines, n, sizeof *lines, compare_lines);
    for (size_t i = 0; i < n; i++)
        if (dprintf(fd, "%s\t%" PRId64 "\t%s\n", actors[lines[i].who], lines[i].at - lines[0].at,
                    texts[lines[i].what]) < 0)
            return -1;
    return 0;
}
