/*
 * The verdict on one run: which outcome of docs/reference/api.md it has, by which
 * rule, and why in one sentence. Numbers come from the launcher and the examiner; of what the
 * candidate itself wrote, only the end of its stderr is quoted, and as text.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_VERDICT_H
#define PADDOCK_ORCHESTRATOR_JUDGE_VERDICT_H

#include "common/error.h"
#include "sandbox/result.h"
#include "tasks/task.h"

#include <stdbool.h>
#include <stddef.h>

enum outcome {
    OUTCOME_VALID,
    OUTCOME_BUILD_FAILED,
    OUTCOME_INVALID_LOSS,
    OUTCOME_INVALID_ARTIFACT,
    OUTCOME_INVALID_TAMPER,
    OUTCOME_INVALID_ENVIRONMENT,
    OUTCOME_TIMEOUT,
    OUTCOME_OUT_OF_MEMORY,
    OUTCOME_CRASH,
    OUTCOME_LIMIT,
    OUTCOME_CANCELLED, /* of a run; a version's state says so, its outcome never */
};
extern const char *const outcome_names[]; /* "valid", "build-failed", …, NULL */
const char *outcome_name(enum outcome o);

struct verdict {
    enum outcome outcome;
    const char *rule; /* rule.h; NULL when valid; static */
    char *reason;     /* one printable line; NULL when valid; owned */
};

struct exam;

/* What is known of a run. */
struct verdict_facts {
    const struct task *task;
    enum task_phase phase;
    const struct result *result; /* NULL: the launcher left none */
    const struct exam *exam;     /* PHASE_EXAMINE only; NULL: there is none */
    const char *stderr_tail;     /* the last bytes of the program's stderr; may be NULL */
    size_t stderr_len;
};

int verdict_judge(const struct verdict_facts *facts, struct verdict *out, struct error *err);
void verdict_clear(struct verdict *v);
#define _cleanup_verdict_ __attribute__((cleanup(verdict_clear)))

#endif
