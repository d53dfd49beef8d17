/*
 * What the files of this room share. No other room includes it.
 */
#ifndef PADDOCK_POLICIES_POLICY_INTERNAL_H
#define PADDOCK_POLICIES_POLICY_INTERNAL_H

#include "common/json.h"
#include "policies/policy.h"

/* ---- prebuilt.c and the table that policy_prebuild.c writes ---- */

struct policy_prebuilt {
    const char *policy_sha256; /* of the file's bytes */
    const char *filter_sha256; /* of the instructions */
    const struct sock_filter *insns;
    unsigned short count;
    /* What a launcher needs of the policy itself (policy_open()). */
    const char *name;
    enum policy_action default_action;
    int default_errno;
    bool loopback, listen, devpts, exec_workspace, exec_tmp, proc_machine, gpus;
    int64_t memlock_bytes, gpu_shm_bytes;
    const char *const *devices; /* NULL-terminated */
};

extern const struct policy_prebuilt policy_prebuilt_table[];
extern const size_t policy_prebuilt_count;

/* NULL when no policy of these bytes was compiled at build time. */
const struct policy_prebuilt *policy_prebuilt_find(const char *policy_sha256);

/* ---- calls.c: names of system calls, and which rules name which call ---- */

enum {
    POLICY_CALL_UNKNOWN = -1, /* nobody knows the name */
    POLICY_CALL_ABSENT = -2,  /* a call of other architectures only */
};

/* The number on the native architecture, or one of the above. */
int policy_call_number(const char *name);
/* "?mseal": may be unknown. */
bool policy_call_optional(const char *name);
const char *policy_call_name(const char *name); /* without the '?' */

/* ---- decide.c ---- */

bool policy_rule_names(const struct policy_rule *rule, const char *call);
bool policy_condition_holds(const struct policy_condition *c, const uint64_t *args);

/* ---- arguments.c: `number` is a call, `args` its six registers ---- */

/* "family"; NULL for an argument nobody looks at. */
const char *policy_argument_name(int number, unsigned argument);
/* How many registers are worth showing. */
unsigned policy_argument_count(int number, const uint64_t *args);
/* The bits of an argument that a learned condition compares; 0: none. */
uint64_t policy_argument_learned(int number, unsigned argument);
/* "AF_PACKET", "CLONE_NEWUSER|SIGCHLD", "0x3". */
void policy_argument_text(int number, unsigned argument, const uint64_t *args, struct buf *out);

/* ---- observe.c ---- */

/* The bits of an argument that learning looks at: those of a proposal, and those
 * that a condition of the base compares. */
uint64_t policy_observed_bits(const struct policy *base, int number, unsigned argument);

/* One mention of one call in one rule. */
struct policy_use {
    int number;
    size_t rule; /* index in the policy */
    size_t call; /* index in the rule's calls */
    bool conditional;
};

/* All mentions of calls that this architecture has, sorted by number, those
 * with conditions first. Free *uses. */
int policy_uses(const struct policy *p, struct policy_use **uses, size_t *count, struct error *err);
/* How many of uses[from…] are about the call at `from`. */
size_t policy_use_run(const struct policy_use *uses, size_t count, size_t from);

/* ---- load_condition.c ---- */

/* Decodes the array "when" of a rule; what it made is in *rule even on error. */
int policy_load_conditions(const struct json *when, struct policy_rule *rule, struct error *err);

/* ---- check.c ---- */

/* Refuses what libseccomp or the kernel would answer otherwise than the policy
 * says. `doc` is the document the policy was read from, to say where. */
int policy_check(const struct policy *p, const struct json *doc, struct error *err);

/* ---- constants.c ---- */

/* The value of a named constant of the kernel's interface (AF_UNIX, …). */
bool policy_constant(const char *name, size_t len, uint64_t *value);
/* The errno called `name`, or 0. */
int policy_errno(const char *name);
/* The other way round; NULL for a number that has none. */
const char *policy_errno_name(int value);
/* For the tests: the names in table order, NULL behind the last. */
const char *policy_constant_at(size_t i);

/* ---- join.c ---- */

/* A filter that answers some calls; the first part answers all others too. */
struct policy_part {
    struct sock_filter *insns; /* owned */
    size_t count;
};

/* Which part answers a call (never part 0, which needs no mention). */
struct policy_route {
    int number;
    size_t part;
};

/* One program out of complete filters: a binary search over the routes, sorted
 * by number, in front of the parts. `out` gets insns and count only. */
int policy_join(const struct policy_part *parts, size_t part_count,
                const struct policy_route *routes, size_t route_count, struct policy_filter *out,
                struct error *err);

/* ---- shrink.c ---- */

/* The native architecture, as a filter sees it. */
#if defined __x86_64__
#define SECCOMP_ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define SECCOMP_ARCH AUDIT_ARCH_AARCH64
#endif

/* Rewrites a program into one that answers every call in the same way with fewer
 * instructions; leaves it where that cannot be done. -1 only for lack of memory. */
int policy_shrink(struct policy_filter *f, struct error *err);

#endif
