/* Between probe.c and the files that try things. */
#ifndef PADDOCK_SANDBOX_PROBE_INTERNAL_H
#define PADDOCK_SANDBOX_PROBE_INTERNAL_H

#include "common/error.h"
#include "sandbox/probe.h"

#include <stdbool.h>

/* Adds an item; running out of memory shows in probe_run(). */
void probe_add(struct probe_report *report, const char *name, enum probe_state state,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Yes, or no with the reason of an errno. */
void probe_add_result(struct probe_report *report, const char *name, int errnum,
                      const char *detail);

/* Runs `act` in a child; the errno it returns (0: it worked). */
int probe_try(int (*act)(int), int argument);

void probe_kernel(struct probe_report *report);                   /* probe_kernel.c */
void probe_mounts(struct probe_report *report);                   /* probe_mounts.c */
int probe_groups(struct probe_report *report, struct error *err); /* probe_groups.c */
void probe_machine(struct probe_report *report);                  /* probe_machine.c */

/* In a child: into fresh namespaces, as the single id 1000. 0 or an errno. */
int probe_enter(int flags);

struct probe_subids {
    long long uids, gids; /* the longest range of each */
    bool helper;          /* newuidmap and newgidmap can be run */
};
void probe_subids(struct probe_subids *out);

#endif
