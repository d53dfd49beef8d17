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
#include "common/json.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a call that no rule allows gets. */
enum policy_action {
    POLICY_ALLOW,
    POLICY_ERRNO, /* fails with `errno_value` */
    POLICY_KILL,  /* the run is ended: ended = policy-violation */
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
    bool listen;             /* … and one port of it be answered from outside */
    bool devpts;             /* whether an own devpts instance is mounted */
    bool exec_workspace;     /* whether programs in the workspace may be executed */
    bool exec_tmp;           /* … and in /tmp */
    bool proc_machine;       /* /proc shows the machine too (cpuinfo, meminfo, stat) */
    bool gpus;               /* whether GPUs may be lent to it */
    int64_t memlock_bytes;   /* RLIMIT_MEMLOCK; 0: what the memory limit leaves */
    int64_t gpu_shm_bytes;   /* /dev/shm has at least so many for each GPU */
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

/* What a filter answers a native call: SECCOMP_RET_… */
uint32_t policy_filter_answer(const struct policy_filter *f, int number, const uint64_t *args);
/* Whether it asks a listener (SECCOMP_RET_USER_NOTIF): about the calls that kill,
 * so that whoever listens can say which it was before it ends the run. */
bool policy_filter_asks(const struct policy_filter *f);
/* Makes it kill by itself where it would ask, which is all one gets where no
 * listener can be had. Changes the digest. */
void policy_filter_unheard(struct policy_filter *f);
/* A filter that asks about every native call, and kills for others. The one
 * message that hands its own listener over is let through: sendmsg(2) on `fd`
 * with exactly these flags. */
int policy_filter_learning(int fd, int flags, struct policy_filter *out, struct error *err);

/* The rule that answers a call, or NULL when it is the default. Needs the rules
 * (policy_load(), not policy_open()). */
const struct policy_rule *policy_decide(const struct policy *p, int number, const uint64_t *args);
/* Whether such an answer (NULL: the default's) lets the call through. */
bool policy_allows(const struct policy *p, const struct policy_rule *rule);

/* The name of a call of this architecture in fresh memory, "call-1023" for one
 * nobody knows; NULL when out of memory. */
char *policy_call_named(int number);
/* "socket(AF_PACKET, SOCK_RAW, 0x3)". */
void policy_call_text(int number, const uint64_t *args, struct buf *out);
/* A number, or names and numbers joined by '|'. */
int policy_value_parse(const char *text, uint64_t *out, struct error *err);

/* What is asked about a call: `given` of its arguments, the rest being 0. Without
 * any the answer is all rules about it, with one also the rule that decides. */
struct policy_question {
    const char *call;
    uint64_t args[6];
    unsigned given;
};

/* The answer to `paddock policy explain`: appends lines of text, or an object.
 * ERROR_NOT_FOUND for a name that is no system call. */
int policy_explain(const struct policy *p, const struct policy_question *question, struct buf *out,
                   struct error *err);
int policy_explain_json(const struct policy *p, const struct policy_question *question,
                        struct json_writer *w, struct error *err);
/* The conditions of a rule in words; nothing when it has none. */
void policy_rule_conditions(const struct policy_rule *rule, struct buf *out);
const char *policy_action_name(enum policy_action action); /* "allow", … */

/* ---- learning: what a program was seen to call ---- */

struct policy_observation {
    int number;
    uint64_t args[6]; /* only the bits that conditions look at; else 0 */
    int refused;      /* the errno it got instead; 0: it was let through */
    int64_t count;
};

struct policy_observations {
    struct policy_observation *list; /* owned; each different one once */
    size_t count;
};

/* The errno of a call that no learning lets pass, or 0: what changes the machine
 * or other processes, and what no filter could look into. It is the base's own
 * answer where that is an errno, so that a program meets the same later. */
int policy_never(const struct policy *base, int number, const uint64_t *args);
/* Counts one call, by the arguments that `base` or a proposal compares. -1 when
 * there are `most` different ones already, or no memory. */
int policy_observe(const struct policy *base, struct policy_observations *seen, int number,
                   const uint64_t *args, int refused, size_t most);
/* One object {"calls": […]}, and back. */
void policy_observations_encode(const struct policy_observations *seen, struct json_writer *w);
int policy_observations_decode(const struct json *doc, struct policy_observations *out,
                               struct error *err);
void policy_observations_clear(struct policy_observations *seen);
#define _cleanup_policy_observations_ __attribute__((cleanup(policy_observations_clear)))

/* The smallest policy under which the calls seen pass, by the base's names, reasons
 * and refusals where it has them. */
struct policy_proposal {
    char *text;     /* the policy's file */
    char **beyond;  /* calls it allows and the base does not, as shown to a person */
    char **refused; /* calls that were refused while learning */
};
int policy_propose(const struct policy *base, const struct policy_observations *seen,
                   const char *name, const char *description, struct policy_proposal *out,
                   struct error *err);
void policy_proposal_clear(struct policy_proposal *p);
#define _cleanup_policy_proposal_ __attribute__((cleanup(policy_proposal_clear)))

/* Finds a policy by name: "strict" → <dir>/strict.json with <dir> from
 * PADDOCK_POLICIES, else beside the programs (<bin>/../share/paddock/policies,
 * or the build's copy <bin>/../policies); a name with a slash is a path. The
 * result is an absolute path in fresh memory, NULL on error. */
char *policy_find(const char *name, struct error *err);
/* All policies found there: NULL-terminated names, sorted. */
int policy_list(char ***names, struct error *err);

#endif
