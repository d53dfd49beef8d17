/*
 * Not being root: a daemon that was started by root makes what only root can
 * make, and then becomes its own account for good (docs/architecture.md).
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_PRIVILEGE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_PRIVILEGE_H

#include "common/error.h"

#include <sys/types.h>

struct account {
    char *name;
    char *home;
    uid_t uid;
    gid_t gid;
};

/* ERROR_NOT_FOUND names the commands that help. */
int account_find(const char *name, struct account *out, struct error *err);
void account_clear(struct account *a);

/* Makes a folder that belongs to the account (0700), or gives it one that is
 * root's and empty. One of somebody else is an error. */
int privilege_give_dir(const char *path, const struct account *a, struct error *err);
/* Makes this process's group "paddock" in each hierarchy and hands it over, as
 * far as the machine lets us; the sandboxes say what they could not enforce. */
void privilege_delegate_cgroups(const struct account *a);
/* Becomes the account, with its groups and nothing else, and makes sure. */
int privilege_drop(const struct account *a, struct error *err);

#endif
