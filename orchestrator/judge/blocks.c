#include "orchestrator/judge/blocks.h"

#include "common/cleanup.h"
#include "orchestrator/judge/draw.h"
#include "orchestrator/judge/fsr.h"

#include <stdio.h>

void blocks_order(const uint8_t secret[32], const char *measurement, size_t block, size_t arms,
                  size_t *order) {
    char purpose[160];
    struct draw d;
    snprintf(purpose, sizeof purpose, "order:%.64s:%zu", measurement, block);
    draw_init(&d, secret, 32, purpose);
    for (size_t i = 0; i < arms; i++) order[i] = i;
    draw_shuffle(&d, order, arms);
}

uint64_t blocks_seed(const uint8_t secret[32], const char *measurement, size_t block, size_t arm,
                     unsigned attempt) {
    char purpose[160];
    struct draw d;
    snprintf(purpose, sizeof purpose, "seed:%.64s:%zu:%zu:%u", measurement, block, arm, attempt);
    draw_init(&d, secret, 32, purpose);
    return draw_u64(&d);
}

const char *blocks_next_name(enum blocks_next n) {
    static const char *const names[] = {"go-on", "resolved", "no-gap", "spent"};
    return names[n];
}

static bool is_look(size_t blocks) {
    static const size_t first[] = {3, 5, 7};
    for (size_t i = 0; i < ARRAY_SIZE(first); i++)
        if (blocks == first[i]) return true;
    /* 10, 14, 20, 28, 40, 56, …: each about √2 times the one before. */
    for (size_t even = 10, odd = 14; even <= blocks; even *= 2, odd *= 2)
        if (blocks == even || blocks == odd) return true;
    return false;
}

static int look(const double *times, size_t blocks, size_t arms, const struct blocks_rule *rule,
                enum blocks_next *next, struct error *err) {
    _cleanup_free_ struct fsr_interval *intervals = calloc(arms - 2, sizeof *intervals);
    if (!intervals) return error_sys(err, ENOMEM, "measurement");
    if (fsr_estimate(times, blocks, arms, BLOCKS_LOOK_LEVEL, intervals, err) < 0) return -1;
    bool resolved = true;
    for (size_t c = 0; c + 2 < arms; c++) {
        if (fsr_classify(&intervals[c]) == FSR_GAP_NONPOSITIVE) {
            *next = BLOCKS_NO_GAP;
            return 0;
        }
        resolved = resolved && fsr_half_width(&intervals[c]) <= rule->half_width;
    }
    if (resolved) *next = BLOCKS_RESOLVED;
    return 0;
}

int blocks_decide(const double *times, size_t blocks, size_t arms, const struct blocks_rule *rule,
                  enum blocks_next *next, struct error *err) {
    if (arms < 3) return error_set(err, ERROR_INVALID, "measurement: needs at least 3 arms");
    *next = BLOCKS_GO_ON;
    if (blocks >= rule->min && is_look(blocks) && look(times, blocks, arms, rule, next, err) < 0)
        return -1;
    if (*next == BLOCKS_GO_ON && blocks >= rule->max) *next = BLOCKS_SPENT;
    return 0;
}

bool blocks_fit(double spent_s, size_t blocks, double budget_s) {
    if (!(budget_s > 0) || blocks == 0) return true;
    return spent_s + spent_s / (double)blocks <= budget_s;
}
