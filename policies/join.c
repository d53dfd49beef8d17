/*
 * Several filters as one program.
 *
 * libseccomp knows one answer for all calls whose conditions fail, a policy
 * wants one a call: an unknown ioctl gets ENOTTY, an odd socket EAFNOSUPPORT.
 * So calls are compiled in parts, one part for each such answer, and a search
 * over the few calls with conditions chooses the part. A part is a complete
 * filter, with its own check of the architecture, whose jumps are relative and
 * whose ends are returns: it works wherever it stands.
 *
 *     load the call's number
 *     binary search over the routes      n leaves, n - 1 inner nodes
 *     ja part 1, ja part 2, …            trampolines, since a branch reaches 255
 *     part 0, part 1, …
 */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROUTES = 96 }; /* 2·96 - 1 nodes and the trampolines are within one branch */

struct layout {
    const struct policy_route *routes;
    size_t trampolines; /* index of that of part 1 */
    size_t part0;
    struct sock_filter *out;
};

/* A branch at index `at` to index `to`, which lies behind it. */
static uint8_t branch(size_t at, size_t to) {
    return (uint8_t)(to - at - 1);
}

/* Lays out the search over routes[from…to-1] from index `at` on. */
static void search(const struct layout *l, size_t at, size_t from, size_t to) {
    if (to - from == 1) {
        const struct policy_route *r = &l->routes[from];
        l->out[at] = (struct sock_filter){BPF_JMP | BPF_JEQ | BPF_K,
                                          branch(at, l->trampolines + r->part - 1),
                                          branch(at, l->part0), (uint32_t)r->number};
        return;
    }
    size_t middle = from + (to - from) / 2;
    size_t right = at + 1 + 2 * (middle - from) - 1;
    l->out[at] = (struct sock_filter){BPF_JMP | BPF_JGE | BPF_K, branch(at, right), 0,
                                      (uint32_t)l->routes[middle].number};
    search(l, at + 1, from, middle);
    search(l, right, middle, to);
}

int policy_join(const struct policy_part *parts, size_t part_count,
                const struct policy_route *routes, size_t route_count, struct policy_filter *out,
                struct error *err) {
    if (route_count > MAX_ROUTES || part_count > MAX_ROUTES / 2)
        return error_set(err, ERROR_LIMIT, "more than %d calls have conditions", MAX_ROUTES);
    size_t nodes = route_count ? 1 + 2 * route_count - 1 : 0;
    size_t head = nodes + part_count - 1;
    size_t total = head;
    for (size_t i = 0; i < part_count; i++) total += parts[i].count;
    if (total > BPF_MAXINSNS)
        return error_set(err, ERROR_LIMIT, "the filter has %zu instructions, the kernel takes %d",
                         total, BPF_MAXINSNS);
    struct sock_filter *insns = calloc(total, sizeof *insns);
    if (!insns) return error_sys(err, ENOMEM, "filter");
    struct layout l = {routes, nodes, head, insns};
    if (route_count) {
        insns[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                offsetof(struct seccomp_data, nr));
        search(&l, 1, 0, route_count);
    }
    size_t at = head;
    for (size_t i = 0; i < part_count; i++) {
        if (i > 0)
            insns[nodes + i - 1] = (struct sock_filter)BPF_STMT(
                BPF_JMP | BPF_JA, (uint32_t)(at - (nodes + i - 1) - 1));
        memcpy(insns + at, parts[i].insns, parts[i].count * sizeof *insns);
        at += parts[i].count;
    }
    out->insns = insns;
    out->count = (unsigned short)total;
    return 0;
}
