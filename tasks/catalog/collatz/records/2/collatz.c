/* Record 2: runs of halvings in one shift, neighbours that share their chain
 * left out, and the window divided among threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FIRST       UINT64_C(1000000000000)
#define LAST        UINT64_C(1009999999999)
#define SECONDS     12.0
#define CHUNK       UINT64_C(65536) /* a multiple of 8, as FIRST is */
#define SMALL       (1 << 20)
#define MAX_THREADS 8

typedef unsigned __int128 wide;

static uint16_t small_steps[SMALL]; /* of every n below SMALL */
static atomic_uint_fast64_t next_chunk = FIRST;
static double deadline;

struct found {
    uint64_t best;
    unsigned most;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* From an odd n: 3n + 1 and all its halvings at once, in 128 bits where 64
 * could overflow, until a number is small enough for the table. */
static unsigned steps_of(uint64_t start) {
    unsigned zeros = (unsigned)__builtin_ctzll(start), steps = zeros;
    wide n = start >> zeros;
    while (n >= SMALL) {
        if (n >> 62) {
            n = 3 * n + 1;
            for (steps++; n % 2 == 0; steps++) n /= 2;
            continue;
        }
        uint64_t m = 3 * (uint64_t)n + 1;
        zeros = (unsigned)__builtin_ctzll(m);
        n = m >> zeros;
        steps += zeros + 1;
    }
    return steps + small_steps[(uint64_t)n];
}

static void fill_table(void) {
    for (unsigned n = 2; n < SMALL; n++) {
        uint64_t m = n;
        unsigned steps = 0;
        while (m >= n) {
            m = m % 2 ? 3 * m + 1 : m / 2;
            steps++;
        }
        small_steps[n] = (uint16_t)(steps + small_steps[m]);
    }
}

/* 8k + 4 and 8k + 5 both reach 6k + 4 in three steps, and 2m takes one step
 * more than m: what is left to look at are the numbers that are 0, 1, 2, 3, 4,
 * 6 or 7 modulo 8. */
static void *search(void *arg) {
    struct found *f = arg;
    for (;;) {
        uint64_t n = atomic_fetch_add(&next_chunk, CHUNK);
        if (n > LAST || now() > deadline) return NULL;
        for (uint64_t end = n + CHUNK; n < end && n <= LAST; n++) {
            if (n % 8 == 5) continue;
            unsigned steps = steps_of(n);
            if (steps > f->most) *f = (struct found){n, steps};
        }
    }
}

static int write_answer(uint64_t start) {
    char path[4096];
    const char *out = getenv("PADDOCK_OUT");
    snprintf(path, sizeof path, "%s/answer.txt", out ? out : ".");
    FILE *f = fopen(path, "w");
    if (!f) return -1;
    fprintf(f, "%llu\n", (unsigned long long)start);
    return fclose(f);
}

int main(void) {
    deadline = now() + SECONDS;
    fill_table();
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int threads = cores < 1 ? 1 : cores > MAX_THREADS ? MAX_THREADS : (int)cores;
    pthread_t id[MAX_THREADS];
    struct found found[MAX_THREADS] = {{FIRST, 0}}, best = {FIRST, 0};
    int started = 0;
    while (started + 1 < threads &&
           pthread_create(&id[started], NULL, search, &found[started]) == 0)
        started++;
    search(&found[started]);
    for (int i = 0; i < started; i++) pthread_join(id[i], NULL);
    for (int i = 0; i <= started; i++)
        if (found[i].most > best.most) best = found[i];
    printf("start %llu: %u steps\n", (unsigned long long)best.best, best.most);
    return write_answer(best.best) == 0 ? 0 : 1;
}
