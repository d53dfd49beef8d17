#include "orchestrator/judge/fisher.h"

#include <math.h>

/* ln of "n choose k" */
static double ln_choose(int64_t n, int64_t k) {
    return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1);
}

double fisher_p(int64_t k, int64_t n, int64_t l, int64_t m) {
    if (k < 0 || l < 0 || k > n || l > m || n == 0 || m == 0) return 1;
    int64_t marked = k + l, most = marked < n ? marked : n;
    double p = 0;
    /* The hypergeometric distribution's upper tail. */
    for (int64_t i = k; i <= most; i++)
        if (marked - i <= m)
            p += exp(ln_choose(n, i) + ln_choose(m, marked - i) - ln_choose(n + m, marked));
    return p < 1 ? p : 1;
}
