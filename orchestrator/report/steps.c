#include "orchestrator/report/steps.h"

#include "common/buf.h"

#include <math.h>

const char *const step_class_names[] = {
    "buggy", "abandoned", "no-improvement", "first-valid", "improved", "other", NULL};

static enum step_class classify(const struct step_version *v, double best) {
    if (!v->outcome || str_eq(v->outcome, "invalid-environment")) return STEP_OTHER;
    if (str_eq(v->outcome, "abandoned")) return STEP_ABANDONED;
    if (!str_eq(v->outcome, "valid")) return STEP_BUGGY;
    if (isnan(v->value)) return STEP_SAME;
    if (isnan(best)) return STEP_FIRST;
    return v->value < best ? STEP_IMPROVED : STEP_SAME;
}

void steps_classify(const struct step_version *versions, size_t count, double record,
                    enum step_class *out) {
    double best = record;
    for (size_t i = 0; i < count; i++) {
        out[i] = classify(&versions[i], best);
        if (out[i] == STEP_FIRST || out[i] == STEP_IMPROVED) best = versions[i].value;
    }
}
