/*
 * bench_filter POLICY: a policy's compiled filter on stdout, for launchers that
 * take one (bwrap --seccomp).
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "policies/policy.h"
#include "tests/bench/bench.h"

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: bench_filter POLICY\n"), 2;
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *path = policy_find(argv[1], &err);
    _cleanup_policy_ struct policy policy = {0};
    struct policy_filter filter = {0};
    if (!path || policy_load(path, &policy, &err) < 0 || policy_filter(&policy, &filter, &err) < 0)
        bench_fail(argv[1], &err);
    int status = write_all(STDOUT_FILENO, filter.insns, filter.count * sizeof *filter.insns);
    policy_filter_clear(&filter);
    return status ? 1 : 0;
}
