/*
 * The file system of a sandbox as a plan, and the interpreter that builds it.
 *
 * A plan is a list of steps in order; it is written by plan.c from spec and
 * policy without touching anything, its host sources are opened as detached
 * mounts while they can still be reached, and mounts_build() carries it out in
 * init, in the new mount namespace, ending with the pivot. Targets are resolved
 * below the new root's descriptor only, through no link (openat2), so an image
 * cannot redirect a mount.
 */
#ifndef PADDOCK_SANDBOX_MOUNTS_H
#define PADDOCK_SANDBOX_MOUNTS_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spec;
struct policy;

enum mount_kind {
    MOUNT_FOLDER, /* an empty folder of the root */
    MOUNT_LINK,   /* a symbolic link of the root to `source` */
    MOUNT_TEXT,   /* a file of the root with the text `source` */
    MOUNT_BIND,   /* `source` of the host */
    MOUNT_LATER,  /* the same, a folder, which is only made ready: its handle is mounted
                     on the folder later, see mounts_attach() */
    MOUNT_TMPFS,
    MOUNT_PROC,
    MOUNT_DEVPTS,
    MOUNT_MASK,    /* the sandbox's own /dev/null over a file, if it exists */
    MOUNT_CONST,   /* a folder over itself, read-only, if it exists */
    MOUNT_COVER,   /* what `source` names below the root over a file or folder, if it exists,
                      read-only */
    MOUNT_NOTHING, /* the empty folder MOUNT_EMPTY over a folder, if it exists */
};

#define MOUNT_EMPTY "/run"

struct mount_step {
    enum mount_kind kind;
    char *target;          /* absolute, inside */
    char *source;          /* see the kind */
    uint64_t attributes;   /* MOUNT_ATTR_* set on the whole tree */
    int64_t bytes, inodes; /* of a tmpfs */
    unsigned mode;         /* of its root folder */
    bool payload_owned;    /* … which belongs to the payload instead of init */
    bool optional;         /* nothing happens when the source is missing */
    bool processes_only;   /* of a procfs: nothing of the machine */
    bool keep_links;       /* the source itself may not be a link (images) */
    int handle;            /* hand out a descriptor as this fence_handle; -1: no */
    int from;              /* the source as it was looked at, O_PATH, held by the launcher; -1 */
    dev_t device, node;    /* … where it lies, and of a node what it is, to be found again */
    ino_t inode;
    int fd;                /* of the opened source; -1 */
    bool is_folder;        /* … and what it is */
};

struct mount_plan {
    struct mount_step *steps;
    size_t count, cap;
    bool failed; /* out of memory */
};

/* What every root of the host image begins with, whatever the run: built while the
 * rest is not known yet. Other images have nothing in common. */
int plan_base(struct mount_plan *out, struct error *err);
/* Writes the plan; for the host image without its base. */
int plan_make(const struct spec *spec, const struct policy *policy, struct mount_plan *out,
              struct error *err);
/* Adds a step to a plan; memory that ran out is told by `failed`. */
struct mount_step *plan_add(struct mount_plan *p, enum mount_kind kind, const char *target,
                            const char *source);
void plan_clear(struct mount_plan *plan);

/* Mounts a detached mount on a folder that exists below `root`, reached through no
 * link; for one that has entered the mount namespace. */
int mounts_attach(int root, const char *target, int mount, struct error *err);

/* Opens the sources of the bind steps as detached mounts with their attributes:
 * by the launcher when it is root (init can no longer reach folders of mode
 * 0700 of users that have no id inside), else by init. */
int mounts_open_sources(struct mount_plan *plan, struct error *err);
/* The procfs mounts a run may need, one of them by its policy. */
enum mount_proc { PROC_MACHINE, PROC_PROCESSES, MOUNT_PROCS };
#define PROC_BIT(p) (1U << (p))

/* Makes the root with what `base` has, it may be empty, enters it and leaves the
 * old one. `procs` get descriptors of those in `wanted` (bits), -1 else; they go
 * with the process: to close one that was mounted nowhere makes the kernel wait
 * for all cpus (namespace_unlock() in fs/namespace.c). */
int mounts_begin(struct mount_plan *base, unsigned wanted, int procs[MOUNT_PROCS], int *root,
                 struct error *err);
/* Another root in its place, with nothing in it. */
int mounts_begin_anew(int procs[MOUNT_PROCS], int *root, struct error *err);
/* Goes on with it and ends it, read-only. `handles` get descriptors of the steps
 * that name one, -1 else. `own_proc` ≥ 0 names the handle of the program's procfs. */
int mounts_build(struct mount_plan *plan, int procs[MOUNT_PROCS], int *handles, size_t handle_count,
                 int own_proc, int root, struct error *err);

#endif
