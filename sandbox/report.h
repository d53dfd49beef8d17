/*
 * The report of a run: fence layers and limits as they really are, and whether
 * they are all that the spec requires.
 */
#ifndef PADDOCK_SANDBOX_REPORT_H
#define PADDOCK_SANDBOX_REPORT_H

#include "sandbox/fence.h"
#include "sandbox/result.h"

/* Fills in the layers: what init and payload noted, and what the launcher knows. */
int report_layers(struct fence *f, const struct cgroup *cg, struct result *r, struct error *err);
int report_limits(const struct fence *f, const struct cgroup *cg, struct result *r,
                  struct error *err);
/* ERROR_DENIED naming all that `require` asks for and is not enforced in full. */
int report_check(const struct spec *spec, const struct result *r, struct error *err);

#endif
