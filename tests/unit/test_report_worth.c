/* What experiments are worth, one by one and in groups. */
#include "orchestrator/report/document.h"
#include "tests/unit/report_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define CLOSE(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void assess(struct report *r) {
    assert_int_equal(report_assess(r, NULL), 0);
}

static void the_searchs_best_and_no_other(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    struct report_experiment *e =
        sample_experiment(&r, sample_task(&r, "t", 1), "m", "none", "flat");
    sample_score(sample_version(e, "valid", 9.0), "scored", 0.9);
    sample_score(sample_version(e, "valid", 8.5), "scored-wide", 0.4);
    sample_version(e, "crash", 0.1);
    assess(&r);
    assert_int_equal(e->best, 2);
    assert_int_equal(e->worth, WORTH_SCORED);
    CLOSE(e->fsr, 0.4);
    CLOSE(e->recovered_s, 0.8);
}

static void no_score_is_no_number(void **state) {
    (void)state;
    static const struct {
        const char *score, *state;
        enum report_worth worth;
    } cases[] = {{NULL, "done", WORTH_UNMEASURED},
                 {"invalid-environment", "done", WORTH_UNMEASURED},
                 {"no-resolution", "done", WORTH_UNRESOLVED},
                 {"gap-nonpositive", "done", WORTH_WITHDRAWN},
                 {"scored", "open", WORTH_OPEN}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_report_ struct report r = {0};
        struct report_experiment *e =
            sample_experiment(&r, sample_task(&r, "t", 1), "m", "none", "flat");
        struct report_version *v = sample_version(e, "valid", 9);
        if (cases[i].score) sample_score(v, cases[i].score, 0.5);
        free(e->state);
        e->state = strdup(cases[i].state);
        assess(&r);
        assert_int_equal(e->worth, cases[i].worth);
        assert_true(isnan(e->fsr) && isnan(e->recovered_s));
        assert_false(report_counts(e));
    }
}

static void nothing_to_hand_in_is_nought(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    struct report_task *t = sample_task(&r, "t", 1);
    struct report_experiment *crashed = sample_experiment(&r, t, "m", "none", "flat");
    sample_version(crashed, "crash", 1);
    struct report_experiment *machine = sample_experiment(&r, t, "m", "none", "flat");
    sample_version(machine, "invalid-environment", NAN);
    struct report_experiment *failed = sample_experiment(&r, t, "m", "none", "flat");
    sample_version(failed, "crash", 1);
    free(failed->state);
    failed->state = strdup("failed");
    struct report_experiment *caught = sample_experiment(&r, t, "m", "none", "flat");
    sample_score(sample_version(caught, "valid", 5), "invalid-loss", NAN);
    assess(&r);
    assert_int_equal(crashed->worth, WORTH_NOTHING);
    CLOSE(crashed->fsr, 0);
    assert_int_equal(machine->worth, WORTH_UNMEASURED);
    assert_int_equal(failed->worth, WORTH_FAILED);
    assert_true(isnan(failed->fsr));
    assert_int_equal(caught->worth, WORTH_INVALID);
    CLOSE(caught->fsr, 0);
}

/* Without a calibration, the record's time is that of a measurement beside it. */
static void classes_know_the_records_time(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    struct report_experiment *e =
        sample_experiment(&r, sample_task(&r, "t", 1), "m", "none", "flat");
    sample_version(e, "valid", 10.5);
    struct report_version *v = sample_version(e, "valid", 9);
    assess(&r);
    assert_int_equal(e->versions[1].step, STEP_FIRST);
    sample_score(v, "scored", 0.5);
    assess(&r);
    CLOSE(e->task->record_s, 10);
    assert_int_equal(e->versions[1].step, STEP_SAME);
    assert_int_equal(e->versions[2].step, STEP_IMPROVED);
}

/* A task that does not race for time has no FSR, but its best and its steps. */
static void by_metric_where_time_is_fixed(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    struct report_task *t = sample_task(&r, "t", 1);
    t->scored = false;
    t->higher_is_better = true;
    struct report_experiment *e = sample_experiment(&r, t, "m", "none", "greedy");
    sample_version(e, "valid", 1)->metric = 0.5;
    sample_version(e, "valid", 9)->metric = 0.7;
    sample_version(e, "valid", 1)->metric = 0.6;
    assess(&r);
    assert_int_equal(e->best, 2);
    assert_int_equal(e->worth, WORTH_NO_FSR);
    assert_int_equal(e->versions[2].step, STEP_IMPROVED);
    assert_int_equal(e->versions[3].step, STEP_SAME);
}

static void similarity_needs_both_changes(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    struct report_task *t = sample_task(&r, "t", 1);
    struct report_experiment *e = sample_experiment(&r, t, "m", "none", "flat");
    e->change = strdup("@@ -1 +1 @@\n-a\n+b\n");
    assess(&r);
    assert_false(e->compared);
    t->known_diff = strdup("@@ -1 +1 @@\n-a\n+c\n");
    assess(&r);
    assert_true(e->compared);
    CLOSE(e->likeness.f1, 0.5);
}

/* ---- groups ---- */

static void scored(struct report *r, struct report_task *t, const char *model, const char *hints,
                   const char *search, double fsr) {
    struct report_experiment *e = sample_experiment(r, t, model, hints, search);
    sample_score(sample_version(e, "valid", 9), "scored", fsr);
}

static const struct group *find(const struct groups *g, enum group_kind kind, const char *name) {
    for (size_t i = 0; i < g->count; i++) {
        const struct group *c = &g->groups[i];
        const char *has = kind == GROUP_MODEL   ? c->model
                          : kind == GROUP_HINTS ? c->hints
                                                : c->search;
        if (c->kind == kind && (!name || str_eq(has, name))) return c;
    }
    fail();
    return NULL;
}

static void groups_add_up(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    _cleanup_groups_ struct groups g = {0};
    struct report_task *one = sample_task(&r, "t", 1), *two = sample_task(&r, "t", 2);
    scored(&r, one, "b", "1+2", "tree", 0.2);
    scored(&r, one, "a", "none", "flat", 0.4);
    scored(&r, two, "a", "none", "flat", 0.8);
    scored(&r, two, "a", "3", "aide", 1.0);
    sample_version(sample_experiment(&r, two, "a", "3", "aide"), "valid", 5); /* not measured */
    r.experiments[1].spent = (struct report_spent){.calls = 2, .input = 10, .output = 5, .cost = 3};
    r.experiments[4].spent = (struct report_spent){.calls = 9, .cost = 100};
    assess(&r);
    assert_int_equal(groups_make(&r, &g, NULL), 0);
    /* Cells: a/flat/none, a/aide/3, b/tree/1+2; models 2, hints 3, searches 3, all. */
    assert_int_equal(g.count, 3 + 2 + 3 + 3 + 1);
    const struct group *a = find(&g, GROUP_MODEL, "a");
    assert_int_equal(a->experiments, 4);
    assert_int_equal(a->worth[WORTH_SCORED], 3);
    assert_int_equal(a->worth[WORTH_UNMEASURED], 1);
    assert_int_equal(a->fsr.strata, 2);
    assert_int_equal(a->fsr.lone, 1);
    CLOSE(a->fsr.mean.estimate, 2.2 / 3);
    CLOSE(a->recovered_s, 4.4);
    CLOSE(a->cost, 3); /* what is not measured is neither gained nor paid */
    assert_int_equal(a->tokens, 15);
    CLOSE(group_cost_per_second(a), 3 / 4.4);
    assert_true(isnan(group_cost_per_second(find(&g, GROUP_MODEL, "b"))));
    const struct group *all = &g.groups[g.count - 1];
    assert_int_equal(all->kind, GROUP_ALL);
    CLOSE(all->fsr.mean.estimate, 0.6);
    CLOSE(all->fsr.iqm.estimate, 0.6); /* (0.4 + 0.8) / 2 */
}

static void names_have_an_order(void **state) {
    (void)state;
    static const char *const sorted[] = {"none", "1", "3", "1+2", "1+3", "1+2+3", "–"};
    static const char *const searches[] = {"flat", "forest", "aide", "multi-aide", "n0=1", "–"};
    for (size_t i = 0; i + 1 < ARRAY_SIZE(sorted); i++)
        assert_true(groups_order(sorted[i], sorted[i + 1]) < 0);
    for (size_t i = 0; i + 1 < ARRAY_SIZE(searches); i++)
        assert_true(groups_order(searches[i], searches[i + 1]) < 0);
}

static void steps_are_added_by_their_number(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    _cleanup_groups_ struct groups g = {0};
    struct report_task *t = sample_task(&r, "t", 1);
    t->record_s = 10;
    struct report_experiment *e = sample_experiment(&r, t, "m", "none", "flat");
    sample_version(e, "crash", 1);
    sample_version(e, "valid", 9);
    e = sample_experiment(&r, t, "m", "1", "flat");
    sample_version(e, "crash", 1);
    sample_experiment(&r, t, "m", "1", "tree");
    assess(&r);
    assert_int_equal(groups_make(&r, &g, NULL), 0);
    assert_int_equal(g.series_count, 2);
    assert_string_equal(g.series[0].search, "flat");
    assert_int_equal(g.series[0].length, 2);
    assert_int_equal(g.series[0].counts[0][STEP_BUGGY], 2);
    assert_int_equal(g.series[0].counts[1][STEP_IMPROVED], 1);
    assert_int_equal(g.series[1].length, 0);
}

static void rules_are_counted(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    _cleanup_groups_ struct groups g = {0};
    struct report_experiment *e =
        sample_experiment(&r, sample_task(&r, "t", 1), "m", "none", "flat");
    sample_version(e, "timeout", 1)->rule = strdup("wall-limit");
    sample_version(e, "crash", 1)->rule = strdup("signal");
    sample_version(e, "crash", 1)->rule = strdup("signal");
    sample_version(e, NULL, NAN);
    sample_score(sample_version(e, "valid", 1), "invalid-loss", NAN);
    assess(&r);
    assert_int_equal(groups_make(&r, &g, NULL), 0);
    assert_int_equal(g.rule_count, 3);
    assert_string_equal(g.rules[0].rule, "signal");
    assert_int_equal(g.rules[0].versions, 2);
    assert_string_equal(g.rules[0].example->id, e->versions[2].id);
    assert_string_equal(g.rules[2].outcome, "invalid-loss");
    assert_true(g.rules[2].measured);
}

static void of_nothing_there_are_no_groups(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    _cleanup_groups_ struct groups g = {0};
    assess(&r);
    assert_int_equal(groups_make(&r, &g, NULL), 0);
    assert_int_equal(g.count + g.series_count + g.rule_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_searchs_best_and_no_other),
        cmocka_unit_test(no_score_is_no_number),
        cmocka_unit_test(nothing_to_hand_in_is_nought),
        cmocka_unit_test(classes_know_the_records_time),
        cmocka_unit_test(by_metric_where_time_is_fixed),
        cmocka_unit_test(similarity_needs_both_changes),
        cmocka_unit_test(groups_add_up),
        cmocka_unit_test(names_have_an_order),
        cmocka_unit_test(steps_are_added_by_their_number),
        cmocka_unit_test(rules_are_counted),
        cmocka_unit_test(of_nothing_there_are_no_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
