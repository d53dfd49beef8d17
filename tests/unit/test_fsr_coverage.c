/*
 * Does the interval hold what it promises? Simulated measurements of three arms
 * in randomised complete blocks, with the noise of real machines: heavy tails
 * (Student's t with 4 degrees of freedom), a random walk and a ramp from slot to
 * slot, and now and then a neighbour. The seed is fixed, so the figures are too;
 * docs/explanation/fsr.md quotes them.
 */
#include "orchestrator/judge/blocks.h"
#include "orchestrator/judge/fsr.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define RUNS     2000
#define MAX_RUNS 10 /* blocks */
#define FSR_TRUE 0.45

struct noise {
    const char *name;
    double tails, walk, ramp; /* of one run's time, as fractions */
    double chance, neighbour; /* how often, and the mean of its cost */
};

static const struct noise quiet = {"quiet", 0.0008, 0.0002, 0.0003, 0.02, 0.004};
static const struct noise cluster = {"cluster", 0.005, 0.002, 0.005, 0.05, 0.02};
static const struct noise noisy = {"noisy", 0.01, 0.003, 0.015, 0.15, 0.05};

static uint64_t random_state;

static double uniform(void) { /* in (0, 1): xorshift64* */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return ((double)((random_state * UINT64_C(2685821657736338717)) >> 12) + 0.5) * 0x1p-52;
}

static double normal(void) { /* Box and Muller */
    return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static double heavy(void) { /* Student's t with 4 degrees of freedom, standard deviation 1 */
    double squares = 0;
    for (int i = 0; i < 4; i++) {
        double z = normal();
        squares += z * z;
    }
    return normal() / sqrt(squares / 4) / M_SQRT2;
}

/* How long a run takes at this point of a measurement, relative to its arm. */
static double slowness(const struct noise *n, double drift) {
    double t = 1 + n->tails * heavy() + drift;
    if (uniform() < n->chance) t -= n->neighbour * log(uniform());
    return fmax(t, 0.1);
}

static void shuffle(size_t order[3]) {
    for (size_t i = 2; i > 0; i--) {
        size_t j = (size_t)(uniform() * (double)(i + 1)), taken = order[i];
        order[i] = order[j];
        order[j] = taken;
    }
}

/* One measurement; in_order: each arm's runs together, which nobody should do. */
static void measure(const struct noise *n, double gap, size_t blocks, bool in_order,
                    double *times) {
    const double base[] = {10, 10 * (1 - gap), 10 * (1 - gap * FSR_TRUE)};
    double walk = 0, ramp = n->ramp / (3.0 * (double)blocks - 1);
    if (uniform() < 0.5) ramp = -ramp;
    size_t order[] = {0, 1, 2};
    for (size_t slot = 0; slot < 3 * blocks; slot++) {
        if (slot % 3 == 0) shuffle(order);
        size_t block = in_order ? slot % blocks : slot / 3;
        size_t arm = in_order ? slot / blocks : order[slot % 3];
        walk += n->walk * normal();
        times[3 * block + arm] = base[arm] * slowness(n, walk + ramp * (double)slot);
    }
}

struct tally {
    double covered, unbounded, half_width; /* fractions; mean of the bounded ones' */
};

static struct tally simulate(const struct noise *n, double gap, size_t blocks, bool in_order) {
    struct tally sum = {0};
    int bounded = 0;
    random_state = UINT64_C(0x9E3779B97F4A7C15) + blocks;
    for (int run = 0; run < RUNS; run++) {
        double times[3 * MAX_RUNS];
        struct fsr_interval i;
        measure(n, gap, blocks, in_order, times);
        assert_int_equal(fsr_estimate(times, blocks, 3, 0.95, &i, NULL), 0);
        sum.unbounded += !i.bounded;
        sum.covered += !i.bounded || (i.low <= FSR_TRUE && FSR_TRUE <= i.high);
        if (i.bounded) sum.half_width += (i.high - i.low) / 2;
        bounded += i.bounded;
    }
    sum.covered /= RUNS;
    sum.unbounded /= RUNS;
    if (bounded) sum.half_width /= bounded;
    print_message(
        "# %-7s gap %4.1f %% n=%-2zu %s: covers %.1f %%, unbounded %.1f %%, half-width %.3f\n",
        n->name, 100 * gap, blocks, in_order ? "in order   " : "randomised ", 100 * sum.covered,
        100 * sum.unbounded, sum.half_width);
    return sum;
}

static void intervals_cover_what_they_promise(void **state) {
    (void)state;
    static const struct noise *const noises[] = {&quiet, &cluster, &noisy};
    static const double gaps[] = {0.06, 0.20};
    static const size_t blocks[] = {3, 5, 10};
    for (int n = 0; n < 3; n++)
        for (int g = 0; g < 2; g++)
            for (int b = 0; b < 3; b++) {
                struct tally t = simulate(noises[n], gaps[g], blocks[b], false);
                if (t.covered < 0.93) fail_msg("covers only %.1f %%", 100 * t.covered);
            }
}

/* The reason for blocks: without them the same formula promises too much. */
static void runs_in_order_are_not_covered(void **state) {
    (void)state;
    struct tally t = simulate(&cluster, 0.06, 10, true);
    assert_true(t.covered < 0.85);
}

/* Stopping early costs coverage, but not more than this: over all measurements
 * of a rule, whether they stopped or spent their blocks. */
static void stopping_early_costs_little(void **state) {
    (void)state;
    static const double gaps[] = {0.06, 0.10, 0.20};
    const struct blocks_rule rule = {5, MAX_RUNS, 0.10};
    for (int g = 0; g < 3; g++) {
        int covered = 0, stopped = 0, early = 0;
        size_t spent = 0;
        random_state = 7;
        for (int run = 0; run < RUNS; run++) {
            double times[3 * MAX_RUNS];
            enum blocks_next next = BLOCKS_GO_ON;
            size_t blocks = 0;
            struct fsr_interval i;
            measure(&cluster, gaps[g], MAX_RUNS, false, times);
            while (next == BLOCKS_GO_ON)
                assert_int_equal(blocks_decide(times, ++blocks, 3, &rule, &next, NULL), 0);
            assert_int_equal(fsr_estimate(times, blocks, 3, 0.95, &i, NULL), 0);
            bool covers = !i.bounded || (i.low <= FSR_TRUE && FSR_TRUE <= i.high);
            covered += covers;
            stopped += next == BLOCKS_RESOLVED;
            early += covers && next == BLOCKS_RESOLVED;
            spent += blocks;
        }
        print_message("# cluster gap %2.0f %%, 5 to 10 blocks: %.0f %% stop early (%.1f %% of them "
                      "cover), %.1f blocks, covers %.1f %%\n",
                      100 * gaps[g], 100.0 * stopped / RUNS, 100.0 * early / stopped,
                      (double)spent / RUNS, 100.0 * covered / RUNS);
        assert_true(covered >= 0.93 * RUNS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_cover_what_they_promise),
        cmocka_unit_test(runs_in_order_are_not_covered),
        cmocka_unit_test(stopping_early_costs_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
