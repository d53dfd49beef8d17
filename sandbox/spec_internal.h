/* What the files of the spec's codec share; for no other module. */
#ifndef PADDOCK_SANDBOX_SPEC_INTERNAL_H
#define PADDOCK_SANDBOX_SPEC_INTERNAL_H

#include "sandbox/spec.h"

/* An absolute path without "", "." or "..": what it names cannot depend on how
 * it is walked. */
bool spec_is_clean_path(const char *path);
/* Allocates a zeroed array for the elements of `v`, refusing absurd counts. */
void *spec_make_list(const struct json *v, size_t size, struct error *err);

int spec_limits_decode(const struct json *v, struct spec_limits *out, struct error *err);
void spec_limits_encode(const struct spec_limits *limits, struct json_writer *w);
void spec_limits_clear(struct spec_limits *limits);

#endif
