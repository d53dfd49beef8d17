/* Which timed runs of a measurement count: those within the task's bounds. */
#include "orchestrator/daemon/phase.h"
#include "orchestrator/daemon/phase_spec.h"
#include "orchestrator/judge/bounds.h"

#include <stdlib.h>

/* A program that crashed, broke the policy or filled its disk has done so itself,
 * however noisy the machine was; one that came to its end, or to its limit of
 * time, may have been held up. */
static bool may_be_disturbed(const struct result *r) {
    return (r->ended == ENDED_EXIT && r->exit_code == 0) || r->ended == ENDED_WALL_LIMIT ||
           r->ended == ENDED_CPU_LIMIT;
}

int phase_check_bounds(struct execution *x, struct run_row *row, struct error *err) {
    _cleanup_result_ struct result result = {0};
    char *crossed = NULL;
    if (!x->in_slot || row->state != RUN_DONE) return 0;
    if (phase_result(x, row, &result, err) < 0) return -1;
    if (!may_be_disturbed(&result)) return 0;
    if (bounds_check(&result, &x->task->bounds, &crossed, err) < 0) return -1;
    if (!crossed) return 0;
    free(row->reason);
    row->reason = crossed;
    row->state = RUN_VOID;
    row->outside = true;
    return 0;
}
