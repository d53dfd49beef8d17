#include "sandbox/run_delay.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#define PAUSE_MOST NS_PER_SEC
#define PAUSE_PART 8 /* of the time that has passed */

static size_t place_of(const struct run_delay *d, int64_t tid) {
    size_t i = 0;
    while (i < d->count && d->threads[i].tid != tid) i++;
    return i;
}

void run_delay_note(struct run_delay *d, int64_t tid, int64_t ns) {
    size_t i = place_of(d, tid);
    if (i == RUN_DELAY_THREADS) return;
    if (i == d->count) d->threads[d->count++].tid = tid;
    /* It only grows: less is another thread under the number of a dead one. */
    else if (ns < d->threads[i].ns) d->gone_ns += d->threads[i].ns;
    d->threads[i].ns = ns;
    d->looked = true;
}

/* "<ns on a cpu> <ns ready> <times>" */
static void look_at(struct run_delay *d, int64_t tid) {
    char path[48], text[96];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/schedstat", tid);
    _cleanup_close_ int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0) return;
    text[n] = '\0';
    const char *space = strchr(text, ' ');
    if (space) run_delay_note(d, tid, strtoll(space + 1, NULL, 10));
}

void run_delay_look(struct run_delay *d, struct cgroup *cg, int64_t elapsed_ns) {
    int64_t tids[RUN_DELAY_THREADS];
    if (elapsed_ns < d->next_ns) return;
    int64_t pause = elapsed_ns / PAUSE_PART;
    d->next_ns = elapsed_ns + (pause < PAUSE_MOST ? pause : PAUSE_MOST);
    size_t count = cgroup_threads(cg, tids, RUN_DELAY_THREADS);
    for (size_t i = 0; i < count; i++) look_at(d, tids[i]);
}

int64_t run_delay_total(const struct run_delay *d) {
    int64_t sum = d->gone_ns;
    for (size_t i = 0; i < d->count; i++) sum += d->threads[i].ns;
    return d->looked ? sum : -1;
}
