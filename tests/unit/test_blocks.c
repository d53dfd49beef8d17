#include "orchestrator/judge/blocks.h"

#include "common/cleanup.h"
#include "orchestrator/judge/draw.h"
#include "orchestrator/judge/segments.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static const uint8_t secret[32] = "a secret of thirty-two bytes, so";

static void draws_are_uniform_and_repeatable(void **state) {
    (void)state;
    struct draw a, b, c;
    draw_init(&a, secret, 32, "one");
    draw_init(&b, secret, 32, "one");
    draw_init(&c, secret, 32, "two");
    size_t counts[6] = {0}, same = 0;
    for (int i = 0; i < 6000; i++) {
        uint64_t x = draw_below(&a, 6);
        assert_true(x < 6);
        assert_int_equal(x, draw_below(&b, 6));
        same += x == draw_below(&c, 6);
        counts[x]++;
    }
    /* 1000 expected, sd 29. */
    for (int i = 0; i < 6; i++) assert_in_range(counts[i], 850, 1150);
    assert_in_range(same, 850, 1150);
    assert_int_equal(draw_below(&a, 1), 0);
}

static void every_block_has_every_arm_once(void **state) {
    (void)state;
    size_t at_first[4] = {0}, order[4];
    for (size_t block = 0; block < 800; block++) {
        bool seen[4] = {false};
        blocks_order(secret, "m1", block, 4, order);
        at_first[order[0]]++;
        for (int i = 0; i < 4; i++) {
            assert_true(order[i] < 4 && !seen[order[i]]);
            seen[order[i]] = true;
        }
    }
    for (int i = 0; i < 4; i++) assert_in_range(at_first[i], 140, 260); /* 200, sd 12 */
    size_t again[4], other[4];
    int differs = 0;
    for (size_t block = 0; block < 20; block++) {
        blocks_order(secret, "m1", block, 4, order);
        blocks_order(secret, "m1", block, 4, again);
        blocks_order(secret, "m2", block, 4, other);
        assert_memory_equal(order, again, sizeof order);
        differs += memcmp(order, other, sizeof order) != 0;
    }
    assert_true(differs > 10);
}

static void no_two_runs_share_a_seed(void **state) {
    (void)state;
    uint64_t seeds[3 * 3 * 3];
    size_t n = 0;
    for (size_t block = 0; block < 3; block++)
        for (size_t arm = 0; arm < 3; arm++)
            for (unsigned attempt = 0; attempt < 3; attempt++)
                seeds[n++] = blocks_seed(secret, "m1", block, arm, attempt);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) assert_true(seeds[i] != seeds[j]);
    assert_true(seeds[0] == blocks_seed(secret, "m1", 0, 0, 0));
    assert_true(seeds[0] != blocks_seed(secret, "m2", 0, 0, 0));
}

/* Arms 10, 8 and 9 s with a deviation of ±noise that differs from arm to arm. */
static void make_times(double *times, size_t blocks, double noise) {
    const double base[] = {10, 8, 9};
    struct draw d;
    draw_init(&d, secret, 32, "noise");
    for (size_t i = 0; i < 3 * blocks; i++)
        times[i] = base[i % 3] * (1 + noise * ((double)draw_below(&d, 2001) / 1000 - 1));
}

static enum blocks_next decide(const double *times, size_t blocks, const struct blocks_rule *rule) {
    enum blocks_next next;
    _cleanup_error_ struct error err = {0};
    if (blocks_decide(times, blocks, 3, rule, &next, &err) < 0) fail_msg("%s", error_text(&err));
    return next;
}

static void looks_are_few_and_strict(void **state) {
    (void)state;
    double quiet[36 * 3], noisy[36 * 3];
    make_times(quiet, 36, 1e-4);
    make_times(noisy, 36, 0.1);
    const struct blocks_rule rule = {3, 30, 0.1};
    for (size_t n = 0; n < 3; n++) assert_int_equal(decide(quiet, n, &rule), BLOCKS_GO_ON);
    static const size_t looks[] = {3, 5, 7, 10, 14, 20, 28};
    for (size_t n = 3, l = 0; n < 30; n++) {
        bool look = l < ARRAY_SIZE(looks) && looks[l] == n;
        assert_int_equal(decide(quiet, n, &rule), look ? BLOCKS_RESOLVED : BLOCKS_GO_ON);
        assert_int_equal(decide(noisy, n, &rule), BLOCKS_GO_ON);
        l += look;
    }
    assert_int_equal(decide(noisy, 30, &rule), BLOCKS_SPENT);
    assert_int_equal(decide(noisy, 31, &rule), BLOCKS_SPENT);
    const struct blocks_rule late = {7, 30, 0.1};
    assert_int_equal(decide(quiet, 5, &late), BLOCKS_GO_ON);
    assert_int_equal(decide(quiet, 7, &late), BLOCKS_RESOLVED);
}

static void without_a_gap_there_is_nothing_to_wait_for(void **state) {
    (void)state;
    double times[9];
    make_times(times, 3, 1e-4);
    for (int r = 0; r < 3; r++) times[3 * r + 1] = times[3 * r] * 1.2;
    const struct blocks_rule rule = {3, 30, 0.1};
    assert_int_equal(decide(times, 3, &rule), BLOCKS_NO_GAP);
    enum blocks_next next;
    assert_int_equal(blocks_decide(times, 3, 2, &rule, &next, NULL), -1);
}

static void a_block_is_begun_only_if_it_ends_in_time(void **state) {
    (void)state;
    assert_true(blocks_fit(1e9, 5, 0)); /* no bound */
    assert_true(blocks_fit(0, 0, 1));   /* nobody knows how long one takes */
    assert_true(blocks_fit(30, 3, 40)); /* the fourth ends just in time */
    assert_false(blocks_fit(30, 3, 39.9));
    assert_false(blocks_fit(50, 1, 10)); /* the first took too long already */
}

static int by_place(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static void segments_fill_blocks_and_never_cross_them(void **state) {
    (void)state;
    enum { BLOCK = 100, LENGTH = 9, LEN = 5 * BLOCK + 40, ALL = 5 * 11 + 4 };
    size_t starts[ALL], other[ALL];
    assert_int_equal(segments_draw(LEN, BLOCK, LENGTH, 1, ALL, starts, NULL), 0);
    assert_int_equal(segments_draw(LEN, BLOCK, LENGTH, 2, ALL, other, NULL), 0);
    assert_memory_not_equal(starts, other, sizeof starts);
    /* The first six are from six different blocks. */
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < i; j++) assert_true(starts[i] / BLOCK != starts[j] / BLOCK);
    qsort(starts, ALL, sizeof *starts, by_place);
    for (size_t i = 0; i < ALL; i++) {
        assert_true(starts[i] + LENGTH <= LEN);
        assert_int_equal(starts[i] / BLOCK, (starts[i] + LENGTH - 1) / BLOCK);
        if (i) assert_true(starts[i] >= starts[i - 1] + LENGTH);
    }
    _cleanup_error_ struct error err = {0};
    size_t more[ALL + 1];
    assert_int_equal(segments_draw(LEN, BLOCK, LENGTH, 1, ALL + 1, more, &err), -1);
    assert_non_null(strstr(error_text(&err), "59 segments of 9 bytes"));
    assert_int_equal(segments_draw(LEN, BLOCK, BLOCK + 1, 1, 1, more, &err), -1);
    assert_int_equal(segments_draw(0, BLOCK, 9, 1, 1, more, &err), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_uniform_and_repeatable),
        cmocka_unit_test(every_block_has_every_arm_once),
        cmocka_unit_test(no_two_runs_share_a_seed),
        cmocka_unit_test(looks_are_few_and_strict),
        cmocka_unit_test(without_a_gap_there_is_nothing_to_wait_for),
        cmocka_unit_test(a_block_is_begun_only_if_it_ends_in_time),
        cmocka_unit_test(segments_fill_blocks_and_never_cross_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
