/*
 * Policies: what a sandbox may do, as data.
 *
 * A policy file names the system calls that are allowed, with rules about
 * their arguments, what happens to the rest, and the other permissions of the
 * fence (network, Landlock paths, devices, masked files). This module loads
 * and checks such files and compiles their system-call part to a classic BPF
 * program with libseccomp, or finds the program that was compiled at build
 * time from the very same bytes.
 */
#ifndef PADDOCK_POLICIES_POLICY_H
#define PADDOCK_POLICIES_POLICY_H

#include "common/buf.h"
#include "common/digest.h"
#include "common/error.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a call that no rule allows gets. */
enum policy_action {
    POLICY_ALLOW,
    POLICY_ERRNO, /* fails with `errno_value` */
    POLICY_KILL,  /* the process is killed with SIGSYS: ended = policy-violation */
    POLICY_LOG,   /* allowed and logged by the kernel */
};

enum policy_compare { /* of one argument with a constant */
                      POLICY_EQ,
                      POLICY_NE,
                      POLICY_LT,
                      POLICY_LE,
                      POLICY_GT,
                      POLICY_GE,
                      POLICY_MASKED_EQ, /* (argument & mask) == value */
                      POLICY_IN,        /* (argument & mask) is one of `values` */
};

struct policy_condition {
    unsigned argument; /* 0…5 */
    enum policy_compare compare;
    uint64_t value;
    uint64_t mask;    /* all ones unless the comparison is a masked one */
    uint64_t *values; /* of POLICY_IN, else NULL */
    size_t value_count;
    char *text; /* the constants in the words of the file: "AF_UNIX, AF_INET" */
};

/* A call's answer: the rule whose conditions all hold; else the call's rule
 * without conditions; else the policy's default. The order of the rules never
 * matters, since loading refuses two that could answer the same call
 * differently. */
struct policy_rule {
    char *name;   /* of the rule, unique in the policy */
    char *reason; /* why these calls are (not) allowed; required */
    char **calls; /* system call names; "?name": idle where nobody knows the name */
    enum policy_action action;
    int errno_value;
    struct policy_condition *conditions; /* all must hold */
    size_t condition_count;
};

struct policy {
    char *name;
    char *description;
    enum policy_action default_action;
    int default_errno;
    struct policy_rule *rules;
    size_t rule_count;
    bool loopback;           /* whether the network namespace may have loopback up */
    bool devpts;             /* whether an own devpts instance is mounted */
    bool exec_workspace;     /* whether programs in the workspace may be executed */
    bool exec_tmp;           /* … and in /tmp */
    bool proc_machine;       /* /proc shows the machine too (cpuinfo, meminfo, stat) */
    char **devices;          /* beyond the fixed minimal set; absolute paths; usually none */
    char sha256[DIGEST_HEX]; /* of the file's bytes */
};

/* Loads and validates. Errors name file, path in the document and reason. */
int policy_load(const char *path, struct policy *out, struct error *err);
/* For a launcher, which needs the filter and no rules: a policy whose very bytes
 * were compiled at build time is not parsed again, so that it comes without its
 * rules and description. Any other is loaded. */
int policy_open(const char *path, struct policy *out, struct error *err);
int policy_parse(const char *source, const char *text, size_t len, struct policy *out,
                 struct error *err);
void policy_clear(struct policy *p);
#define _cleanup_policy_ __attribute__((cleanup(policy_clear)))

/* A seccomp program ready for SECCOMP_SET_MODE_FILTER. */
struct policy_filter {
    struct sock_filter *insns; /* owned */
    unsigned short count;
    char sha256[DIGEST_HEX]; /* of the instructions */
    bool prebuilt;           /* found among those compiled at build time */
};

/* The filter of a policy: native architecture only (a call by another ABI kills
 * the process), binary-tree layout. Takes the prebuilt one when the policy's digest is known,
 * else compiles with libseccomp. */
int policy_filter(const struct policy *p, struct policy_filter *out, struct error *err);
/* Always compiles. */
int policy_compile(const struct policy *p, struct policy_filter *out, struct error *err);
void policy_filter_clear(struct policy_filter *f);

/* Which rule decides a call with unknown arguments: the answer to `paddock
 * policy explain`. Appends text lines to `out`. ERROR_NOT_FOUND for a name that
 * is no system call. */
int policy_explain(const struct policy *p, const char *call, struct buf *out, struct error *err);

/* Finds a policy by name: "strict" → <dir>/strict.json with <dir> from
 * PADDOCK_POLICIES, else beside the programs (<bin>/../share/paddock/policies,
 * or the build's copy <bin>/../policies); a name with a slash is a path. The
 * result is an absolute path in fresh memory, NULL on error. */
char *policy_find(const char *name, struct error *err);
/* All policies found there: NULL-terminated names, sorted. */
int policy_list(char ***names, struct error *err);

#endif
