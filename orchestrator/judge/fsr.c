#include "orchestrator/judge/fsr.h"

#include "common/cleanup.h"

#include <math.h>
#include <stdlib.h>

#define TRIM_FROM        5    /* blocks */
#define TRIM_FRACTION    0.20 /* from each end */
#define SCORED           0.10
#define SCORED_WIDE      0.50
#define MIN_GAP_TO_NOISE 4.0
#define NEGLIGIBLE_GAP   0.01 /* of t_A */
#define MAX_BLOCKS       10000
#define LEVEL            0.95

/* What the interval is made of, for all arms of a measurement. */
struct arms {
    size_t blocks, count;
    double *mean;    /* of each arm, seconds */
    double variance; /* of the logarithm of an arm's mean: the same for all */
    double df;
    double q; /* quantile of t */
};

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n) {
    qsort(values, n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static size_t trimmed_each_end(size_t blocks) {
    size_t k = (size_t)(TRIM_FRACTION * (double)blocks);
    return k ? k : 1;
}

static double degrees_of_freedom(size_t blocks, size_t arms) {
    if (blocks < TRIM_FROM) return (double)((blocks - 1) * (arms - 1));
    size_t kept = blocks - 2 * trimmed_each_end(blocks);
    return (double)((arms == 2 ? 1 : arms) * (kept - 1));
}

/* Σ (y − ȳ_block − ȳ_arm + ȳ)² with y = ln t. */
static double residual_squares(const double *times, const struct arms *a, double *arm_mean) {
    double grand = 0, sum = 0;
    for (size_t j = 0; j < a->count; j++) arm_mean[j] = 0;
    for (size_t i = 0; i < a->blocks * a->count; i++)
        arm_mean[i % a->count] += log(times[i]) / (double)a->blocks;
    for (size_t j = 0; j < a->count; j++) grand += arm_mean[j] / (double)a->count;
    for (size_t r = 0; r < a->blocks; r++) {
        const double *row = times + r * a->count;
        double block_mean = 0;
        for (size_t j = 0; j < a->count; j++) block_mean += log(row[j]) / (double)a->count;
        for (size_t j = 0; j < a->count; j++) {
            double e = log(row[j]) - block_mean - arm_mean[j] + grand;
            sum += e * e;
        }
    }
    return sum;
}

/* Fewer than five blocks: plain means, the pooled two-way residual. */
static void plain_means(const double *times, struct arms *a) {
    a->variance = residual_squares(times, a, a->mean) / a->df / (double)a->blocks;
    for (size_t j = 0; j < a->count; j++) {
        double sum = 0;
        for (size_t r = 0; r < a->blocks; r++) sum += times[r * a->count + j];
        a->mean[j] = sum / (double)a->blocks;
    }
}

/* ln t with each block's median taken out; returns the median of those. */
static double remove_block_medians(const double *times, const struct arms *a, double *logs,
                                   double *scratch) {
    double *medians = scratch + a->count;
    for (size_t r = 0; r < a->blocks; r++) {
        double *row = logs + r * a->count;
        for (size_t j = 0; j < a->count; j++) scratch[j] = row[j] = log(times[r * a->count + j]);
        medians[r] = median(scratch, a->count);
        for (size_t j = 0; j < a->count; j++) row[j] -= medians[r];
    }
    return median(medians, a->blocks);
}

/* Sorted values of one arm → its trimmed mean, and the squares about the
 * winsorised mean (Yuen 1974). */
static double trim(const double *sorted, size_t n, size_t k, double *squares) {
    double middle = 0, winsorised = 0;
    for (size_t i = k; i < n - k; i++) middle += sorted[i];
    winsorised = (middle + (double)k * (sorted[k] + sorted[n - k - 1])) / (double)n;
    *squares = 0;
    for (size_t i = 0; i < n; i++) {
        size_t kept = i < k ? k : (i >= n - k ? n - k - 1 : i);
        *squares += (sorted[kept] - winsorised) * (sorted[kept] - winsorised);
    }
    return middle / (double)(n - 2 * k);
}

/* Five blocks or more: trimmed means, winsorised variance. */
static int trimmed_means(const double *times, struct arms *a, struct error *err) {
    size_t n = a->blocks, k = trimmed_each_end(n), h = n - 2 * k;
    _cleanup_free_ double *logs = calloc(n * a->count + 1, sizeof *logs);
    _cleanup_free_ double *scratch = calloc(n + a->count, sizeof *scratch);
    if (!logs || !scratch) return error_sys(err, ENOMEM, "fsr");
    double centre = remove_block_medians(times, a, logs, scratch), sum = 0;
    for (size_t j = 0; j < a->count; j++) {
        double squares = 0;
        for (size_t r = 0; r < n; r++) scratch[r] = logs[r * a->count + j];
        qsort(scratch, n, sizeof *scratch, by_value);
        a->mean[j] = exp(centre + trim(scratch, n, k, &squares));
        sum += squares;
    }
    a->variance = sum / ((double)a->count * (double)h * (double)(h - 1));
    /* The median of two is their mean: what is left of each is half of their
     * difference, the same for both, and half of the noise is gone with it. */
    if (a->count == 2) a->variance *= 2;
    return 0;
}

/* Fieller's interval of (m_A − m_C) / (m_A − m_B), given each mean's variance
 * v·m², in which m_A's is the covariance of the two differences. */
static void fieller(struct fsr_interval *i, double v, double q) {
    double a = v * i->mean_a * i->mean_a, b = v * i->mean_b * i->mean_b;
    double c = v * i->mean_c * i->mean_c;
    double numerator = i->mean_a - i->mean_c, se_gap = sqrt(a + b);
    i->gap = i->mean_a - i->mean_b;
    i->gap_low = i->gap - q * se_gap;
    i->gap_high = i->gap + q * se_gap;
    i->gap_to_noise = i->gap == 0 ? 0 : i->gap / se_gap;
    i->estimate = numerator / i->gap;
    double alpha = i->gap * i->gap - q * q * (a + b);
    double beta = numerator * i->gap - q * q * a;
    double gamma = numerator * numerator - q * q * (a + c);
    double root = sqrt(fmax(beta * beta - alpha * gamma, 0));
    i->bounded = alpha > 0;
    i->low = i->bounded ? (beta - root) / alpha : -INFINITY;
    i->high = i->bounded ? (beta + root) / alpha : INFINITY;
}

static int check_input(const double *times, size_t blocks, size_t arms, size_t least,
                       struct error *err) {
    if (blocks < 2 || arms < least || blocks > MAX_BLOCKS || arms > MAX_BLOCKS)
        return error_set(err, ERROR_INVALID, "fsr: needs 2 blocks and %zu arms, has %zu and %zu",
                         least, blocks, arms);
    for (size_t i = 0; i < blocks * arms; i++)
        if (!isfinite(times[i]) || times[i] <= 0)
            return error_set(err, ERROR_INVALID, "fsr: block %zu, arm %zu: %g s is no duration",
                             i / arms, i % arms, times[i]);
    return 0;
}

/* Means, variance and df. */
static int estimate_arms(const double *times, struct arms *a, struct error *err) {
    a->df = degrees_of_freedom(a->blocks, a->count);
    if (a->blocks >= TRIM_FROM) return trimmed_means(times, a, err);
    plain_means(times, a);
    return 0;
}

int fsr_means(const double *times, size_t blocks, size_t arms, double *means, double *cv,
              double *df, struct error *err) {
    if (check_input(times, blocks, arms, 2, err) < 0) return -1;
    struct arms a = {.blocks = blocks, .count = arms, .mean = means};
    if (estimate_arms(times, &a, err) < 0) return -1;
    *cv = sqrt(a.variance * (double)blocks);
    if (df) *df = a.df;
    return 0;
}

int fsr_estimate(const double *times, size_t blocks, size_t arms, double level,
                 struct fsr_interval *out, struct error *err) {
    if (!(level > 0 && level < 1))
        return error_set(err, ERROR_INVALID, "fsr: level %g is not between 0 and 1", level);
    if (check_input(times, blocks, arms, 3, err) < 0) return -1;
    _cleanup_free_ double *mean = calloc(arms, sizeof *mean);
    if (!mean) return error_sys(err, ENOMEM, "fsr");
    struct arms a = {.blocks = blocks, .count = arms, .mean = mean};
    if (estimate_arms(times, &a, err) < 0) return -1;
    a.q = student_t_quantile((1 + level) / 2, a.df);
    for (size_t c = 2; c < arms; c++) {
        struct fsr_interval *i = &out[c - 2];
        *i = (struct fsr_interval){.mean_a = mean[0], .mean_b = mean[1], .mean_c = mean[c]};
        i->cv = sqrt(a.variance * (double)blocks);
        i->df = a.df;
        i->level = level;
        i->blocks = blocks;
        i->arms = arms;
        i->trimmed = blocks >= TRIM_FROM;
        fieller(i, a.variance, a.q);
    }
    return 0;
}

struct fsr_interval fsr_expect(double mean_a, double mean_b, double cv, double fsr, size_t blocks) {
    struct fsr_interval i = {.mean_a = mean_a, .mean_b = mean_b, .cv = cv, .level = LEVEL};
    i.mean_c = mean_a - fsr * (mean_a - mean_b);
    i.blocks = blocks;
    i.arms = 3;
    i.trimmed = blocks >= TRIM_FROM;
    i.df = degrees_of_freedom(blocks, i.arms);
    fieller(&i, cv * cv / (double)blocks, student_t_quantile((1 + LEVEL) / 2, i.df));
    return i;
}

double fsr_half_width(const struct fsr_interval *i) {
    if (!i->bounded) return INFINITY;
    return (i->high - i->low) / 2 / fmax(1, fabs(i->estimate));
}

enum fsr_outcome fsr_classify(const struct fsr_interval *i) {
    if (i->gap_low <= 0 && i->gap_high < NEGLIGIBLE_GAP * i->mean_a) return FSR_GAP_NONPOSITIVE;
    double half_width = fsr_half_width(i);
    if (half_width > SCORED_WIDE || i->gap_to_noise < MIN_GAP_TO_NOISE) return FSR_NO_RESOLUTION;
    return half_width <= SCORED ? FSR_SCORED : FSR_SCORED_WIDE;
}

double fsr_half_width_wanted(double asked) {
    return asked > 0 && asked < SCORED ? asked : SCORED;
}

const char *fsr_outcome_name(enum fsr_outcome o) {
    static const char *const names[] = {"scored", "scored-wide", "no-resolution",
                                        "gap-nonpositive"};
    return names[o];
}

static bool blocks_suffice(const struct fsr_interval *seen, size_t blocks, double half_width) {
    struct fsr_interval then = *seen;
    double df = degrees_of_freedom(blocks, seen->arms);
    double q = student_t_quantile((1 + seen->level) / 2, df);
    fieller(&then, seen->cv * seen->cv / (double)blocks, q);
    return fsr_half_width(&then) <= half_width;
}

double fsr_blocks_needed(const struct fsr_interval *i, double half_width) {
    if (!(i->gap > 0) || i->arms < 3 || !(half_width > 0)) return 0;
    size_t few = 1, enough = 2;
    while (!blocks_suffice(i, enough, half_width)) {
        if (enough > MAX_BLOCKS) return 0;
        few = enough;
        enough *= 2;
    }
    while (enough - few > 1) {
        size_t middle = few + (enough - few) / 2;
        if (blocks_suffice(i, middle, half_width)) enough = middle;
        else few = middle;
    }
    return (double)enough;
}
