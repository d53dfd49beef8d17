#include "orchestrator/model/retry.h"

/* splitmix64: any seed will do, and tests get the same each time. */
static uint64_t draw(struct retry *r) {
    uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static double unit(struct retry *r) {
    return (double)(draw(r) >> 11) * 0x1p-53;
}

int64_t retry_pause(struct retry *r, int attempt, int64_t hint_ns) {
    if (hint_ns > r->longest_ns) return -1;
    if (hint_ns > 0) return hint_ns + (int64_t)(unit(r) * 0.1 * (double)hint_ns);
    int64_t pause = r->first_ns;
    for (int i = 0; i < attempt && pause < r->longest_ns; i++) pause *= 2;
    if (pause > r->longest_ns) pause = r->longest_ns;
    return (int64_t)((0.5 + 0.5 * unit(r)) * (double)pause);
}
