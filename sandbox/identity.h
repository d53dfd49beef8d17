/*
 * Who the sandbox's processes are: the three amounts of privilege, the user
 * namespace's maps, and the change of ids (docs/architecture.md, "Three amounts
 * of privilege").
 */
#ifndef PADDOCK_SANDBOX_IDENTITY_H
#define PADDOCK_SANDBOX_IDENTITY_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PAYLOAD_UID 1000 /* inside, in every mode */
#define PAYLOAD_GID 1000

enum privilege { PRIVILEGE_ROOT, PRIVILEGE_SUBID, PRIVILEGE_PLAIN };

struct identity {
    enum privilege privilege;
    uid_t own_uid; /* of the launcher */
    gid_t own_gid;
    uint32_t base;                   /* root: first host id of the range, set by the launcher */
    uint32_t sub_uid, sub_uid_count; /* subid: ranges of /etc/subuid and /etc/subgid */
    uint32_t sub_gid, sub_gid_count;
    bool other_groups; /* plain: supplementary groups that cannot be given up */
    char why[160];     /* why not more privilege than this; "" for root */
};

const char *privilege_name(enum privilege p);

/* The first range of a subid(5) file for this account (`name` may be NULL) that holds
 * the ids up to the payload's. */
bool identity_subid_range(const char *path, const char *name, uid_t uid, uint32_t *start,
                          uint32_t *count);
/* What this process can do. */
int identity_detect(struct identity *out, struct error *err);
/* Writes the maps of a process in its new user namespace. */
int identity_map(const struct identity *id, pid_t pid, struct error *err);
/* In init, once mapped: becomes 0 of the namespace (plain: stays 1000). */
int identity_become_init(const struct identity *id, struct error *err);
/* In the payload: becomes 1000 for good, and looks whether it did. */
int identity_become_payload(const struct identity *id, struct error *err);

#endif
