/*
 * A noisy machine, simulated: heavy tails (Student's t with four degrees of
 * freedom), a random walk and a ramp from run to run, and now and then a
 * neighbour. For the tests that ask what an interval is worth. Seeds are fixed,
 * so figures are always the same; docs/explanation/fsr.md quotes them.
 */
#ifndef PADDOCK_TESTS_TEST_NOISY_MACHINE_H
#define PADDOCK_TESTS_TEST_NOISY_MACHINE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

struct noise {
    const char *name;
    double tails, walk, ramp; /* of one run's time, as fractions; the ramp over all planned runs */
    double chance, neighbour; /* how often, and the mean of its cost */
};

static const struct noise quiet = {"quiet", 0.0008, 0.0002, 0.0003, 0.02, 0.004};
static const struct noise cluster = {"cluster", 0.005, 0.002, 0.005, 0.05, 0.02};
static const struct noise noisy = {"noisy", 0.01, 0.003, 0.015, 0.15, 0.05};

struct machine {
    const struct noise *noise;
    double walk, ramp;
    size_t run;
};

static uint64_t random_state;

static inline double uniform(void) { /* in (0, 1): xorshift64* */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return ((double)((random_state * UINT64_C(2685821657736338717)) >> 12) + 0.5) * 0x1p-52;
}

static inline double normal(void) { /* Box and Muller */
    return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static inline double heavy(void) { /* t with 4 degrees of freedom, standard deviation 1 */
    double squares = 0;
    for (int i = 0; i < 4; i++) {
        double z = normal();
        squares += z * z;
    }
    return normal() / sqrt(squares / 4) / M_SQRT2;
}

static inline void machine_begin(struct machine *m, const struct noise *n, size_t planned_runs) {
    *m = (struct machine){.noise = n, .ramp = n->ramp / ((double)planned_runs - 1)};
    if (uniform() < 0.5) m->ramp = -m->ramp;
}

/* How long a program that takes `base` takes now. `foreign` (may be NULL) is
 * the neighbour's share of it. */
static inline double machine_run(struct machine *m, double base, double *foreign) {
    const struct noise *n = m->noise;
    m->walk += n->walk * normal();
    double t = 1 + n->tails * heavy() + m->walk + m->ramp * (double)m->run++, cost = 0;
    if (uniform() < n->chance) cost = -n->neighbour * log(uniform());
    if (foreign) *foreign = cost;
    return base * fmax(t + cost, 0.1);
}

static inline void shuffle(size_t order[3]) {
    for (size_t i = 2; i > 0; i--) {
        size_t j = (size_t)(uniform() * (double)(i + 1)), taken = order[i];
        order[i] = order[j];
        order[j] = taken;
    }
}

/* Records of 10 s and 10 s − gap, and a candidate whose true FSR is given. */
static inline void machine_arms(double gap, double fsr, double base[3]) {
    base[0] = 10;
    base[1] = 10 * (1 - gap);
    base[2] = 10 * (1 - gap * fsr);
}

/* One randomised block of the three arms. */
static inline void machine_block(struct machine *m, const double base[3], size_t order[3],
                                 double *times) {
    shuffle(order);
    for (size_t i = 0; i < 3; i++) times[order[i]] = machine_run(m, base[order[i]], NULL);
}

#endif
