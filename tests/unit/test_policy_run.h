/*
 * A child under the filter of a policy, for the tests of this room.
 */
#ifndef PADDOCK_TESTS_TEST_POLICY_RUN_H
#define PADDOCK_TESTS_TEST_POLICY_RUN_H

#include "policies/policy.h"

#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends the test program when a policy of ours cannot be had. */
static inline void load_shipped(const char *name, struct policy *p, struct policy_filter *f) {
    struct error err = {0};
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.json", TEST_POLICIES, name);
    if (policy_load(path, p, &err) < 0 || policy_filter(p, f, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(&err));
        exit(1);
    }
    policy_filter_unheard(f); /* nobody listens here */
}

/* 0, or -1 with errno; the caller's process is under the filter from then on. */
static inline int install(const struct policy_filter *f) {
    struct sock_fprog prog = {f->count, f->insns};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

/* Whether this machine lets a process install a filter at all. */
static inline int can_install(void) {
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct policy_filter f = {.insns = &allow, .count = 1};
    pid_t pid = fork();
    if (pid == 0) _exit(install(&f) < 0);
    int status = 1;
    waitpid(pid, &status, 0);
    return status == 0;
}

#endif
