/*
 * Replay folders: recorded edits that the agent `replay` plays
 * (docs/reference/cli.md, "Replay folders").
 *
 *     {"version": 1, "title": "…", "steps": [
 *        {"parent": 0, "hypothesis": "…", "edits": [ … ]},
 *        {"parent": 1, "hypothesis": "…", "edits_file": "fixed/edits.json"}]}
 *
 * A parent is 0, the record the experiment starts from, or the 1-based number
 * of an earlier step. An edits file holds the array, or {"edits": […]}.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_REPLAY_H
#define PADDOCK_ORCHESTRATOR_CLIENT_REPLAY_H

#include "common/error.h"
#include "common/json.h"

#include <stddef.h>
#include <stdint.h>

struct replay_step {
    int64_t parent;
    char *hypothesis;
    const struct json *edits; /* an array; borrowed from one of the documents */
    struct json *edits_doc;   /* of an edits file; else NULL */
};

struct replay {
    struct json *doc;
    char *title;
    struct replay_step *steps;
    size_t count;
};

#define _cleanup_replay_ __attribute__((cleanup(replay_clear)))

/* Reads DIR/replay.json and every edits file it names, strictly: an error has
 * the file, the place in it and the reason. */
int replay_load(const char *dir, struct replay *out, struct error *err);
void replay_clear(struct replay *r);

#endif
