/*
 * A run that learns: every system call is asked about, recorded and let through.
 *
 * For programs one trusts enough to try. The answer "go on" is given about
 * registers; what they point to can be changed by another thread in between. So
 * the filter is no layer of such a run, while all other layers stand, and what
 * must never pass (policy_never()) is refused here by the number of the call and
 * its flags, which nobody can change once the call is made.
 */
#ifndef PADDOCK_SANDBOX_LEARN_H
#define PADDOCK_SANDBOX_LEARN_H

#include "common/error.h"
#include "policies/policy.h"

#include <linux/seccomp.h>

struct learn;

/* `base` is the policy that the arguments of interest come from; its file is
 * read. NULL on error. */
struct learn *learn_open(const char *base, struct error *err);
void learn_close(struct learn *l);
/* Records one question and answers it. */
void learn_answer(struct learn *l, int listener, const struct seccomp_notif *question);
/* Writes calls.json into the run folder. */
int learn_deliver(const struct learn *l, int dir_fd, struct error *err);

#endif
