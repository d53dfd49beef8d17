/* Compiled under the policy build, run under train. */
#include <omp.h>
#include <stdio.h>

int main(void) {
    double sum = 0;
    int threads = 0;
#pragma omp parallel reduction(+ : sum) num_threads(3)
    {
#pragma omp master
        threads = omp_get_num_threads();
#pragma omp for
        for (int i = 1; i <= 1000000; i++) sum += 1.0 / i;
    }
    printf("%d threads, %.4f\n", threads, sum);
    return 0;
}
