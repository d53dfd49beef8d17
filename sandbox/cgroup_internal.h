/*
 * What the cgroup files share; nothing here is for other modules but the unit
 * tests, which feed the discovery with samples of other machines.
 *
 * Theory of operation. A map lists the mounted hierarchies and where in each we
 * ourselves are. Out of it a sandbox gets at most one group per hierarchy. The
 * unified one is taken first, even when all controllers are still in v1
 * hierarchies ("hybrid"): it gives cgroup.kill, a freezer without the 4 ms tick
 * of v1, cpu accounting and pressure, none of which needs a controller. v1
 * hierarchies are then used for what is left. For each control the object
 * remembers in which group it is, or why it is in none.
 */
#ifndef PADDOCK_SANDBOX_CGROUP_INTERNAL_H
#define PADDOCK_SANDBOX_CGROUP_INTERNAL_H

#include "common/error.h"
#include "sandbox/cgroup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum controller {
    CTL_CPU,
    CTL_CPUACCT,
    CTL_CPUSET,
    CTL_MEMORY,
    CTL_PIDS,
    CTL_IO, /* "blkio" in v1 */
    CTL_FREEZER,
    CTL_DEVICES,
    CTL_COUNT,
};
#define CTL_BIT(c) (1U << (c))

struct cgroup_hierarchy {
    char *mount;          /* mount point */
    char *root;           /* which group of the hierarchy the mount point shows */
    char *own;            /* our group, from the hierarchy's top; NULL: not told */
    unsigned controllers; /* bits; 0 for the unified one, whose groups tell */
    bool unified;
};

struct cgroup_map {
    struct cgroup_hierarchy *items;
    size_t count;
};

/* From the text of /proc/self/mountinfo and /proc/self/cgroup. */
int cgroup_map_parse(const char *mountinfo, const char *membership, struct cgroup_map *out,
                     struct error *err);
int cgroup_map_load(struct cgroup_map *out, struct error *err);
void cgroup_map_clear(struct cgroup_map *map);
#define _cleanup_cgroup_map_ __attribute__((cleanup(cgroup_map_clear)))
const struct cgroup_hierarchy *cgroup_map_unified(const struct cgroup_map *map);
/* Our group as a path below the mount point ("" for the mount point itself), in
 * fresh memory; NULL when the mount does not show it. */
char *cgroup_hierarchy_own(const struct cgroup_hierarchy *h);
/* The bits of a list such as "cpu,cpuacct" or "cpuset memory pids". */
unsigned cgroup_controllers_parse(const char *list);

/* Folders below a mount point in which "paddock" may be made, best first. */
#define CGROUP_BASES 4
struct cgroup_bases {
    char *items[CGROUP_BASES];
    size_t count;
};
/* `delegated` (PADDOCK_CGROUP) may be NULL. */
void cgroup_bases(const struct cgroup_hierarchy *h, const char *delegated,
                  struct cgroup_bases *out);
void cgroup_bases_clear(struct cgroup_bases *bases);
#define _cleanup_cgroup_bases_ __attribute__((cleanup(cgroup_bases_clear)))

struct cgroup_group {
    bool unified;
    bool lone_parent; /* "paddock" is to go when empty; see cgroup_group_make() */
    unsigned controllers;
    unsigned asked;     /* of those, what the limits are set with; see cgroup_limit() */
    int parent, fd;     /* of ".../paddock" and ".../paddock/<id>", O_PATH */
    char *path;         /* absolute */
    char *in_hierarchy; /* as /proc/<pid>/cgroup shows it */
};

struct cgroup_state {
    bool on;
    int group; /* index; -1: none */
    char *detail;
};

#define CGROUP_GROUPS CGROUP_DOOR_MAX
struct cgroup {
    char *id;
    struct cgroup_group groups[CGROUP_GROUPS];
    size_t count;
    size_t at; /* the group whose controls are being set */
    struct cgroup_state controls[CGROUP_CONTROLS];
    char **paths;
    int oom_fd;
    bool oom_seen;
    int64_t pids_refused; /* before we forbade forks in order to kill; -1: not yet */
};

/* cgroup_create() on a given map. */
int cgroup_create_on(const struct cgroup_map *map, const char *delegated, const char *id,
                     const struct spec_limits *limits, const char *cpus, struct cgroup **out,
                     struct error *err);
struct cgroup *cgroup_new(const char *id);
void cgroup_free(struct cgroup *cg);

/* Makes <mount><base>/paddock/<id> and adds it, or <mount><base>/paddock-<id>/<id>
 * where the folder between is to be the sandbox's own as well. The one between
 * goes with the last group in it unless it is "paddock" at the hierarchy's top.
 * NULL and errno; EEXIST when there is a group of that name with processes. */
struct cgroup_group *cgroup_group_make(struct cgroup *cg, const struct cgroup_hierarchy *h,
                                       const char *base, bool own_parent);
/* Removes the last group made. */
void cgroup_group_undo(struct cgroup *cg);
void cgroup_group_clear(struct cgroup_group *g);
/* The group a control lives in, or NULL. */
const struct cgroup_group *cgroup_group_of(const struct cgroup *cg, enum cgroup_control c);
const struct cgroup_group *cgroup_unified_of(const struct cgroup *cg);

void cgroup_control_on(struct cgroup *cg, enum cgroup_control c, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))); /* in the group at hand */
void cgroup_control_off(struct cgroup *cg, enum cgroup_control c, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One write of text; 0, or -1 and errno. */
int cgroup_write(int fd, const char *file, const char *text);
int cgroup_write_int(int fd, const char *file, int64_t value);
/* One read of a short file, NUL-terminated; the length, or -1 and errno. */
int cgroup_read(int fd, const char *file, char *out, size_t size);
/* A file that holds one number; -1 when unreadable. */
int64_t cgroup_read_int(int fd, const char *file);
/* The number behind `key` and a space at the start of a line; -1 if absent. */
int64_t cgroup_field(const char *text, const char *key);

struct cgroup_want {
    const struct spec_limits *limits;
    const char *cpus;
    const char *delegated;
    unsigned elsewhere; /* controllers that v1 hierarchies have */
};

/* Which disk an entry is about, as "major:minor" (a partition's disk, since the
 * block layer limits whole ones). 0, or -1 with the reason as text in `out`. */
#define CGROUP_DEVICE_TEXT 160
int cgroup_io_device(const struct spec_io *io, char out[CGROUP_DEVICE_TEXT]);

/* Sets what was asked for in a v2 group whose controllers are enabled. */
void cgroup_v2_limit(struct cgroup *cg, const struct cgroup_group *g, unsigned wanted,
                     const struct cgroup_want *want);

/* Sets the limits in a group that was made with `needed`. */
void cgroup_v1_limit(struct cgroup *cg, const struct cgroup_group *g, unsigned needed,
                     const struct cgroup_want *want);
int cgroup_v1_create(struct cgroup *cg, const struct cgroup_hierarchy *h, unsigned needed,
                     const struct cgroup_want *want, struct error *err);
int cgroup_v2_create(struct cgroup *cg, const struct cgroup_hierarchy *h,
                     const struct cgroup_want *want, struct error *err);

/* Whether a line of a /proc/<pid>/cgroup text puts it into this group. */
bool cgroup_membership_has(const char *text, const struct cgroup_group *g);
/* Processes in one group; -1 unknown. */
int64_t cgroup_group_population(const struct cgroup_group *g);

#endif
