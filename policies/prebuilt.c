/* The programs compiled at build time, found by the digest of the policy. */
#include "policies/policy_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct policy_prebuilt *policy_prebuilt_find(const char *policy_sha256) {
    for (size_t i = 0; i < policy_prebuilt_count; i++)
        if (strcmp(policy_prebuilt_table[i].policy_sha256, policy_sha256) == 0)
            return &policy_prebuilt_table[i];
    return NULL;
}

int policy_filter(const struct policy *p, struct policy_filter *out, struct error *err) {
    const struct policy_prebuilt *known = policy_prebuilt_find(p->sha256);
    if (!known) return policy_compile(p, out, err);
    size_t size = known->count * sizeof *known->insns;
    *out = (struct policy_filter){.insns = malloc(size), .count = known->count, .prebuilt = true};
    if (!out->insns) return error_sys(err, ENOMEM, "policy %s", p->name);
    memcpy(out->insns, known->insns, size);
    memcpy(out->sha256, known->filter_sha256, DIGEST_HEX);
    return 0;
}

void policy_filter_clear(struct policy_filter *f) {
    free(f->insns);
    *f = (struct policy_filter){0};
}
