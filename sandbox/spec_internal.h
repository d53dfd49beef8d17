/* What the files of the spec's codec share; for no other module. */
#ifndef PADDOCK_SANDBOX_SPEC_INTERNAL_H
#define PADDOCK_SANDBOX_SPEC_INTERNAL_H

#include "sandbox/spec.h"

/* An absolute path without "", "." or "..": what it names cannot depend on how
 * it is walked. */
bool spec_is_clean_path(const char *path);
/* Allocates a zeroed array for the elements of `v`, refusing absurd counts. */
void *spec_make_list(const struct json *v, size_t size, struct error *err);

/* A member that is such a path. */
void spec_get_path(struct json_reader *r, const char *key, enum json_need need, char **out);
/* A mount point inside: not the root, and not where the fence has its own. */
void spec_get_target(struct json_reader *r, const char *key, enum json_need need, char **out);
/* Whether `path` is `folder` or lies below it. */
bool spec_is_below(const char *path, const char *folder);

/* Whether the data of a gate touch mounts or workspace; `v` is the clock. */
int spec_clock_check(const struct json *v, const struct spec *spec, struct error *err);

int spec_limits_decode(const struct json *v, struct spec_limits *out, struct error *err);
void spec_limits_encode(const struct spec_limits *limits, struct json_writer *w);
void spec_limits_clear(struct spec_limits *limits);

#endif
