/*
 * Secrets: where a config says they are, reading them, and taking them out of text
 * that goes anywhere.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_SECRET_H
#define PADDOCK_ORCHESTRATOR_MODEL_SECRET_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>

/* {"env": NAME} or {"file": PATH}; both NULL: none. */
struct secret_source {
    char *env, *file;
};

int secret_decode(const struct json *v, struct secret_source *out, struct error *err);
void secret_source_clear(struct secret_source *s);
bool secret_is_given(const struct secret_source *s);
/* Reads it: one line of printable ASCII; a file must belong to us or root and be
 * closed to everybody else. NULL on error, which never quotes it. */
char *secret_read(const struct secret_source *s, struct error *err);
/* Overwrites and frees. */
void secret_forget(char *secret);

/* Secrets that were read, so that text can be cleaned of them. */
struct secrets {
    char **list; /* owned copies */
    size_t count;
};
int secrets_add(struct secrets *s, const char *secret, struct error *err);
void secrets_clear(struct secrets *s);
/* Replaces each occurrence by "[secret]", in place. False: out of memory (emptied). */
bool secrets_remove(const struct secrets *s, char **text);
bool secrets_remove_buf(const struct secrets *s, struct buf *text);

#endif
