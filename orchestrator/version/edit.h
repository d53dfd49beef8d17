/*
 * Edits: how an agent changes a workspace. Decoded from the API's JSON
 * (docs/reference/api.md) and applied to a folder, all or none of them.
 *
 * Paths come from outside: they are confined to the folder, no link is
 * followed, and the task says which of them may be touched.
 */
#ifndef PADDOCK_ORCHESTRATOR_VERSION_EDIT_H
#define PADDOCK_ORCHESTRATOR_VERSION_EDIT_H

#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDITS_MAX         64                  /* in one list */
#define EDIT_CONTENT_MAX  (UINT64_C(1) << 20) /* bytes of one content, search or replace */
#define EDITS_CONTENT_MAX (UINT64_C(4) << 20) /* bytes of all of them together */

enum edit_op { EDIT_WRITE, EDIT_REPLACE, EDIT_DELETE };

struct edit {
    enum edit_op op;
    char *path;
    char *content; /* of write: any bytes, NUL-terminated behind `len` */
    size_t len;
    char *search; /* of replace: occurs exactly once */
    char *replace;
};

/* Decodes `{"op": "write", "path", "content" | "content_base64"}`,
 * `{"op": "replace", "path", "search", "replace"}`, `{"op": "delete", "path"}`.
 * Paths are checked for confinement here. edits_free() what it gives. */
int edits_decode(const struct json *array, struct edit **out, size_t *count, struct error *err);
/* Writes the list as a JSON array that edits_decode() accepts; content that is
 * not text goes as base64. */
void edits_encode(const struct edit *edits, size_t count, struct json_writer *w, const char *key);
void edits_free(struct edit *edits, size_t count);

struct edit_rules {
    /* Whether a path may be touched; NULL: all may. */
    bool (*may_edit)(const void *context, const char *path);
    const void *context;
    uint64_t source_bytes; /* the whole workspace afterwards; 0: no limit */
    uint64_t source_files;
};

/* Applies the edits in order to the folder dirfd (opened for reading), which
 * nobody else changes meanwhile. When an error comes back, the folder is as it
 * was. New files are 0644; a rewritten one keeps its executable bit; a folder
 * left empty by a delete goes too. Errors name the edit by its index and path:
 * "edits[2]: train.c: search text occurs 0 times, must occur exactly once: …". */
int edits_apply(int dirfd, const struct edit *edits, size_t count, const struct edit_rules *rules,
                struct error *err);

#endif
