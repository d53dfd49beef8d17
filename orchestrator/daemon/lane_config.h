/*
 * Which lanes there are: from a file, or found in the machine's own description.
 *
 * A timed lane is cpus on which one timed run at a time is alone; the helper lane is
 * where builds, examinations and our own processes go. Whole cores always: SMT
 * siblings share what is to be timed.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_LANE_CONFIG_H
#define PADDOCK_ORCHESTRATOR_DAEMON_LANE_CONFIG_H

#include "common/cpu_list.h"
#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lane_role { LANE_ROLE_TIMED, LANE_ROLE_HELPER };

struct lane_config {
    char *name;
    enum lane_role role;
    struct cpu_list cpus;
    int64_t memory_node; /* -1: none named */
    char **gpus;         /* indexes or UUIDs; may be NULL */
};

enum { LANES_MAX = 64 };

struct lane_configs {
    struct lane_config *items; /* at least one is timed, at most one a helper */
    size_t count;
    bool found; /* not from a file */
    bool whole; /* one timed lane that is all of the machine: no cpuset is needed */
};

/* The whole document: {"lanes": [{"name", "role", "cpus", "memory_node"?, "gpus"?}]}.
 * Lanes may not overlap, and cpus must be among `online`. `out` zero before,
 * lane_configs_clear() after. */
int lane_configs_decode(const struct json *doc, const struct cpu_list *online,
                        struct lane_configs *out, struct error *err);
/* By the tree of /sys below `root` ("" for the machine's own; a test has its own
 * trees), out of the cpus `allowed`: one timed lane for each last-level cache, less
 * some cores of the first for a helper lane. A machine of few cores is one timed
 * lane and nothing else. */
int lane_configs_find(const char *root, const struct cpu_list *allowed, struct lane_configs *out,
                      struct error *err);
/* `path`, which must be there; or NULL: <state>/lanes.json if it is, else found. */
int lane_configs_load(const char *path, const char *state, struct lane_configs *out,
                      struct error *err);
const struct lane_config *lane_configs_helper(const struct lane_configs *c); /* NULL: none */
void lane_configs_clear(struct lane_configs *c);
#define _cleanup_lane_configs_ __attribute__((cleanup(lane_configs_clear)))

const char *lane_role_name(enum lane_role role); /* "timed", "helper" */

#endif
