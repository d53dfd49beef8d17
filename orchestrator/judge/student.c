/* Student's t (declared in fsr.h), by the regularised incomplete
 * beta function: P(|T| > t) = I_x(df/2, 1/2) with x = df / (df + t²)
 * (Abramowitz and Stegun 26.5.27, 26.7.1). */
#include "orchestrator/judge/fsr.h"

#include <float.h>
#include <math.h>

#define MAX_TERMS 500

/* The continued fraction of I_x(a, b) by Lentz's method (Numerical Recipes 6.4;
 * converges fast for x < (a + 1) / (a + b + 2)). */
static double beta_fraction(double a, double b, double x) {
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
    double h = d;
    for (int m = 1; m <= MAX_TERMS; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double change = 1;
        for (int half = 0; half < 2; half++) {
            double term = half ? odd : even;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
            if (fabs(c) < DBL_MIN) c = DBL_MIN;
            change = c * d;
            h *= change;
        }
        if (fabs(change - 1) < DBL_EPSILON) break;
    }
    return h;
}

static double log_gamma(double x) {
    int sign = 0; /* lgamma() keeps it in a global */
    return lgamma_r(x, &sign);
}

static double incomplete_beta(double a, double b, double x) {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* P(T > t) for t ≥ 0. */
static double upper_tail(double t, double df) {
    return 0.5 * incomplete_beta(df / 2, 0.5, df / (df + t * t));
}

double student_t_upper(double t, double df) {
    if (isnan(t) || !(df > 0)) return NAN;
    return t < 0 ? 1 - upper_tail(-t, df) : upper_tail(t, df);
}

double student_t_quantile(double p, double df) {
    if (!(p > 0 && p < 1) || !(df > 0)) return NAN;
    if (p < 0.5) return -student_t_quantile(1 - p, df);
    double tail = 1 - p, low = 0, high = 1;
    while (upper_tail(high, df) > tail && high < DBL_MAX / 4) high *= 2;
    for (int i = 0; i < 200 && high - low > 4 * DBL_EPSILON * high; i++) {
        double middle = low + (high - low) / 2;
        if (upper_tail(middle, df) > tail) low = middle;
        else high = middle;
    }
    return low + (high - low) / 2;
}
