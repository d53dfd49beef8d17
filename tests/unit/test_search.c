/* The five named searches and greedy, each against a tree written out by hand
 * from its definition (docs/explanation/search.md), whole and from every prefix. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/agent/search.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

#define BUGGY     (-1.0) /* in a script: what becomes of a node */
#define ABANDONED (-2.0)
#define MOST      24

/* A tree: of nodes 1, 2, …: what becomes of each, and where it must hang. */
struct golden {
    const char *search;
    int64_t nodes;
    double root; /* the record's value; NAN: not known */
    double outcome[MOST];
    size_t parent[MOST];
    const char *kinds; /* a letter each: Draft, Improve, debuG */
};

/* With seed 7 the iterations from 1 on draw (by SHA-256 of "paddock search 7 <i>
 * debug" and "… leaf"): 1 debug, 2 debug, 3 improve, 4 debug, 5 improve, 6 debug,
 * 7 debug, 8 debug, 9 improve; of two leaves in 1 the second, in 2 the first, in 4
 * the first; of three in 6 the second, in 7 the third. */
#define SEED 7

static const struct golden goldens[] = {
    {.search = "flat",
     .nodes = 6,
     .root = NAN,
     .outcome = {9, BUGGY, 7, ABANDONED, 8, BUGGY},
     .parent = {0, 0, 0, 0, 0, 0},
     .kinds = "DDDDDD"},
    /* n1, then three below it; n3 is best and stays it for two iterations; cut at 9. */
    {.search = "tree",
     .nodes = 9,
     .root = NAN,
     .outcome = {10, BUGGY, 9, 11, 12, 9, BUGGY, 8, 7},
     .parent = {0, 1, 1, 1, 3, 3, 3, 3, 3},
     .kinds = "DIIIIIIII"},
    /* Nothing good: the root is the best there is. */
    {.search = "tree",
     .nodes = 6,
     .root = NAN,
     .outcome = {BUGGY, BUGGY, 9, ABANDONED, 8, BUGGY},
     .parent = {0, 0, 0, 0, 3, 3},
     .kinds = "DDDDII"},
    {.search = "forest",
     .nodes = 10,
     .root = NAN,
     .outcome = {BUGGY, 10, 12, 9, 8, BUGGY, 8.5, 7, 9, 6},
     .parent = {0, 0, 0, 2, 2, 2, 5, 5, 5, 8},
     .kinds = "DDDIIIIIII"},
    /* The record is known, and no draft beats it. */
    {.search = "forest",
     .nodes = 7,
     .root = 5,
     .outcome = {6, 7, BUGGY, 5, 8, 4, 3},
     .parent = {0, 0, 0, 0, 0, 0, 6},
     .kinds = "DDDDDDI"},
    /* 1 debugs n3 of n2, n3; 2 n2 of n2, n4; 3 improves n5; 4 debugs n4, the only one
     * left; 5 improves n5, which was not forgotten; 6 debugs n7; 7 and 8 would debug,
     * but nothing buggy is a leaf (n10 is abandoned), so n8 is improved; 9 improves n11. */
    {.search = "aide",
     .nodes = 12,
     .root = NAN,
     .outcome = {10, BUGGY, BUGGY, BUGGY, 8, 9, BUGGY, 6, 12, ABANDONED, 5, BUGGY},
     .parent = {0, 0, 0, 3, 2, 5, 4, 5, 7, 8, 8, 11},
     .kinds = "DDDGGIGIGIII"},
    /* 1 debugs n3 of n1, n3; 2 n1 of n1, n4; 3 improves n5 thrice; 4 debugs n4 of n4,
     * n7; 5 improves n6, which n8 only equals; 6 debugs n9 of n7, n9, n11; 7 n13 of n7,
     * n11, n13: by number, "11" is not before "7". */
    {.search = "multi-aide",
     .nodes = 14,
     .root = NAN,
     .outcome = {BUGGY, 10, BUGGY, BUGGY, 9, 7, BUGGY, 7, BUGGY, 7.5, BUGGY, 6, BUGGY, 1},
     .parent = {0, 0, 0, 3, 1, 5, 5, 5, 4, 6, 6, 6, 9, 13},
     .kinds = "DDDGGIIIGIIIGG"},
    /* 9.95 and 9.75 are within a hundredth of the best, so they are discarded. */
    {.search = "greedy",
     .nodes = 7,
     .root = 10,
     .outcome = {9.95, 9.8, BUGGY, 9.75, 9, 12, 8},
     .parent = {0, 0, 2, 2, 2, 5, 5},
     .kinds = "DDIIIII"},
};

static struct search_settings settings_of(const struct golden *g) {
    struct search_settings s = {.seed = SEED};
    _cleanup_error_ struct error err = {0};
    if (search_named(g->search, g->nodes, &s, &err) < 0) fail_msg("%s", error_text(&err));
    return s;
}

static struct search_node over(const struct golden *g, size_t number) {
    double v = g->outcome[number - 1];
    return (struct search_node){.parent = g->parent[number - 1],
                                .state = v == BUGGY       ? SEARCH_BUGGY
                                         : v == ABANDONED ? SEARCH_ABANDONED
                                                          : SEARCH_GOOD,
                                .value = v > 0 ? v : NAN};
}

static void ask(const struct search_settings *s, const struct search_node *nodes, size_t count,
                struct search_decision *d) {
    _cleanup_error_ struct error err = {0};
    if (search_next(s, nodes, count, d, &err) < 0) fail_msg("%s", error_text(&err));
}

/* Grows the tree one node at a time, asking an engine that knows nothing but the
 * nodes before every step, as an agent that is killed at each of them does. What
 * is pending ends in reverse order. */
static void grow(const struct golden *g) {
    const struct search_settings s = settings_of(g);
    struct search_node nodes[MOST + 1] = {{.state = SEARCH_GOOD, .value = g->root}};
    size_t count = 1;
    for (;;) {
        struct search_decision d;
        ask(&s, nodes, count, &d);
        if (d.answer == SEARCH_DONE) break;
        if (d.answer == SEARCH_EXPAND) {
            assert_true(count <= (size_t)g->nodes);
            if (d.parent != g->parent[count - 1])
                fail_msg("%s: node %zu below %zu, not %zu", g->search, count, d.parent,
                         g->parent[count - 1]);
            const char letter = "DIG"[d.kind];
            assert_int_equal(letter, g->kinds[count - 1]);
            nodes[count++] = (struct search_node){.parent = d.parent, .value = NAN};
            continue;
        }
        for (size_t i = count; i-- > d.first;) {
            ask(&s, nodes, count, &d);
            assert_int_equal(d.answer, SEARCH_WAIT);
            nodes[i] = over(g, i);
        }
    }
    assert_int_equal(count, g->nodes + 1);
}

static void test_golden_trees(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(goldens); i++) grow(&goldens[i]);
}

/* The nodes of one batch may be over or not when the engine looks: the rest of
 * the batch is the same. */
static void test_every_prefix_goes_on_the_same(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(goldens); i++) {
        const struct golden *g = &goldens[i];
        const struct search_settings s = settings_of(g);
        struct search_node nodes[MOST + 1] = {{.state = SEARCH_GOOD, .value = g->root}};
        for (size_t count = 1; count <= (size_t)g->nodes; count++) {
            struct search_decision d, again;
            ask(&s, nodes, count, &d);
            assert_int_equal(d.answer, SEARCH_EXPAND);
            assert_int_equal(d.parent, g->parent[count - 1]);
            for (size_t k = d.first; k < count; k++) nodes[k].state = SEARCH_PENDING;
            ask(&s, nodes, count, &again);
            assert_int_equal(again.answer, SEARCH_EXPAND);
            assert_int_equal(again.parent, d.parent);
            assert_int_equal(again.iteration, d.iteration);
            for (size_t k = d.first; k < count; k++) nodes[k] = over(g, k);
            nodes[count] = over(g, count);
        }
        struct search_decision d;
        ask(&s, nodes, (size_t)g->nodes + 1, &d);
        assert_int_equal(d.answer, SEARCH_DONE);
    }
}

static void test_nodes_of_another_search_are_refused(void **state) {
    (void)state;
    struct search_settings s = {.seed = SEED};
    struct search_decision d;
    assert_int_equal(search_named("tree", 5, &s, NULL), 0);
    struct search_node nodes[4] = {{.state = SEARCH_GOOD, .value = NAN},
                                   {.state = SEARCH_GOOD, .value = 3},
                                   {.parent = 0, .state = SEARCH_GOOD, .value = 2}};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(search_next(&s, nodes, 3, &d, &err), -1);
    assert_non_null(strstr(error_text(&err), "node 2 hangs below node 0"));
    nodes[1].state = SEARCH_PENDING;
    nodes[2].parent = 1;
    assert_int_equal(search_next(&s, nodes, 3, &d, NULL), -1);
    assert_int_equal(search_named("flat", 1, &s, NULL), 0);
    assert_int_equal(search_next(&s, nodes, 3, &d, NULL), -1);
}

static void test_depth_of_bugs_is_bounded(void **state) {
    (void)state;
    const struct search_settings s = {
        .n0 = 1, .n = 1, .debug_p = 1, .debug_depth = 2, .nodes = 9, .seed = 3};
    struct search_node nodes[5] = {{.state = SEARCH_GOOD, .value = NAN},
                                   {.parent = 0, .state = SEARCH_BUGGY},
                                   {.parent = 1, .state = SEARCH_BUGGY},
                                   {.parent = 2, .state = SEARCH_BUGGY}};
    struct search_decision d;
    for (size_t count = 2; count <= 3; count++) {
        ask(&s, nodes, count, &d);
        assert_int_equal(d.kind, SEARCH_DEBUG);
        assert_int_equal(d.parent, count - 1);
    }
    assert_int_equal(search_bug_depth(nodes, 3), 3);
    ask(&s, nodes, 4, &d);
    assert_int_equal(d.kind, SEARCH_DRAFT);
    assert_int_equal(d.parent, 0);
}

static void test_higher_may_be_better(void **state) {
    (void)state;
    struct search_settings s = {.higher_is_better = true};
    assert_int_equal(search_named("greedy", 9, &s, NULL), 0);
    struct search_node nodes[4] = {{.state = SEARCH_GOOD, .value = 100},
                                   {.state = SEARCH_GOOD, .value = 100.5},
                                   {.state = SEARCH_GOOD, .value = 102},
                                   {.parent = 2, .state = SEARCH_BUGGY, .value = 200}};
    assert_int_equal(search_best(&s, nodes, 2), 0);
    assert_int_equal(search_best(&s, nodes, 4), 2);
}

static void test_names(void **state) {
    (void)state;
    struct search_settings s = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(search_named("flat", 0, &s, NULL), 0);
    assert_int_equal(s.n0, 20);
    assert_int_equal(s.nodes, 20);
    assert_int_equal(search_named("beam", 0, &s, &err), -1);
    assert_non_null(strstr(error_text(&err), "multi-aide"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_trees),
        cmocka_unit_test(test_every_prefix_goes_on_the_same),
        cmocka_unit_test(test_nodes_of_another_search_are_refused),
        cmocka_unit_test(test_depth_of_bugs_is_bounded),
        cmocka_unit_test(test_higher_may_be_better),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
