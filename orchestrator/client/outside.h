/*
 * A coder of the user's choice: any command, run in a sandbox on a copy of a version's
 * files, with no network but the proxy (orchestrator/proxy), and what it changed as
 * edits. Its key, its keeper and everything else of this machine stay outside.
 *
 * The command is untrusted, and so is all that it leaves: files are taken out by the
 * launcher's collector, links are not followed, only files that the task lets be changed
 * become edits, and what does not fit into them makes the whole of it fail.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_OUTSIDE_H
#define PADDOCK_ORCHESTRATOR_CLIENT_OUTSIDE_H

#include "common/buf.h"
#include "common/error.h"
#include "orchestrator/proxy/proxy.h"
#include "orchestrator/version/edit.h"

#include <stddef.h>
#include <stdint.h>

#define OUTSIDE_PORT   4100
#define OUTSIDE_PROMPT "/paddock/PROMPT.md" /* where the command finds its order, as on stdin */

/* 0: the default. */
struct outside_limits {
    int64_t wall_s, memory_bytes, pids, disk_bytes;
};

struct outside_request {
    const char *id;      /* of the sandbox: str_is_name() */
    const char *command; /* for sh -c */
    const char *model;   /* as for model_open() */
    const struct proxy_host *host;
    const char *files;      /* a folder: the version's files */
    const char *prompt;     /* the order */
    char *const *editable;  /* the task's patterns */
    const char *image;      /* "host", or an unpacked root file system */
    char *const *hide;      /* paths of the image that are covered; NULL: none */
    char *const *mounts;    /* folders of the host, read-only, at the same place; NULL: none */
    char *const *forbidden; /* folders that no mount may show or lie in; NULL: none */
    struct outside_limits limits;
};

struct outside_result {
    struct edit *edits;
    size_t count;
    char *failure; /* why nothing came of it; NULL: the edits are good */
    char *ended;   /* as the result of its sandbox says: "exit" */
    int exit_code;
    double wall_s;
    char **dropped; /* paths that it changed and may not; NULL: none */
    size_t dropped_count;
    char *said; /* the end of what it wrote, for a person */
    struct proxy_totals proxy;
};

/* -1: the sandbox could not be built, the proxy not started, a call not taken down; what
 * the command itself did wrong is a `failure`. Clear `out` either way. */
int outside_code(const struct outside_request *rq, struct outside_result *out, struct error *err);
void outside_result_clear(struct outside_result *r);
#define _cleanup_outside_result_ __attribute__((cleanup(outside_result_clear)))

/* The difference of two folders (opened for reading) as edits; what may not be edited
 * and differs is `dropped`. `incomplete`: why something of `after` may be missing, so
 * that a file which is not there counts as dropped, not as deleted; NULL: it is whole. A
 * difference that is no list of edits is a `failure`. */
int outside_edits(int before, int after, const char *incomplete, char *const *editable,
                  struct outside_result *out, struct error *err);

/* What the folder of a run needs before its launcher starts: prompt, spec.json. */
int outside_spec_write(const struct outside_request *rq, const char *dir, const char *protocol,
                       const char *name, struct error *err);

#endif
