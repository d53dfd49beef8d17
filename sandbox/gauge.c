#include "sandbox/gauge.h"

#include "common/clock.h"

#include <stddef.h>
#include <sys/mman.h>

enum {
    ROUNDS = 5,
    CHAIN = 600000,       /* multiplications, some four cycles each */
    LENGTH = 1024 * 1024, /* of each array: 8 MiB */
    ARRAYS = 3,
};
#define BYTES ((size_t)ARRAYS * LENGTH * sizeof(double))

void gauge_open(struct gauge *g) {
    void *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                    -1, 0);
    g->arrays = at == MAP_FAILED ? NULL : at;
}

void gauge_close(struct gauge *g) {
    if (g->arrays) munmap(g->arrays, BYTES);
    g->arrays = NULL;
}

/* The compiler may neither leave the work out nor do it ahead. */
static void keep(void *p) {
    __asm__ volatile("" : : "g"(p) : "memory");
}

static int64_t time_chain(void) {
    uint64_t x = 1;
    keep(&x);
    int64_t start = clock_mono_ns();
    for (int i = 0; i < CHAIN; i++) x = x * UINT64_C(6364136223846793005) + 1;
    keep(&x);
    return clock_mono_ns() - start;
}

static int64_t time_triad(double *arrays) {
    double *restrict a = arrays;
    const double *restrict b = arrays + LENGTH, *restrict c = arrays + 2 * (ptrdiff_t)LENGTH;
    keep(arrays);
    int64_t start = clock_mono_ns();
    for (int i = 0; i < LENGTH; i++) a[i] = b[i] + 3.0 * c[i];
    keep(arrays);
    return clock_mono_ns() - start;
}

static void take_shorter(int64_t *best, int64_t ns) {
    if (*best < 0 || ns < *best) *best = ns;
}

static int move_to_first(const cpu_set_t *cpus) {
    cpu_set_t one;
    int cpu = 0;
    while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, cpus)) cpu++;
    if (cpu == CPU_SETSIZE) return -1;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return sched_setaffinity(0, sizeof one, &one);
}

struct gauge_reading gauge_read(struct gauge *g, const cpu_set_t *cpus) {
    struct gauge_reading r = {-1, -1};
    cpu_set_t before;
    if (sched_getaffinity(0, sizeof before, &before) < 0 || move_to_first(cpus) < 0) return r;
    for (int i = 0; i < ROUNDS; i++) { /* one after the other, so that each is spread out */
        take_shorter(&r.cpu_ns, time_chain());
        if (g->arrays) take_shorter(&r.memory_ns, time_triad(g->arrays));
    }
    if (sched_setaffinity(0, sizeof before, &before) < 0) return (struct gauge_reading){-1, -1};
    return r;
}
