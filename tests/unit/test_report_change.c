/* How like a change is to the known one, and what became of each version. */
#include "orchestrator/report/similarity.h"
#include "orchestrator/report/steps.h"

#include "common/cleanup.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define CLOSE(a, b) assert_true(fabs((a) - (b)) < 1e-12)

static struct similarity similar(const char *ours, const char *known) {
    struct similarity s;
    assert_int_equal(similarity_of_diffs(ours, strlen(ours), known, strlen(known), &s, NULL), 0);
    return s;
}

#define HEAD(path) \
    "diff --git a/" path " b/" path "\nindex 1..2 100644\n--- a/" path "\n+++ b/" path "\n"

static const char known[] = HEAD("train.sh") "@@ -1,3 +1,3 @@ f()\n"
                                             " same line\n"
                                             "-sleep 0.6\n"
                                             "+sleep 0.2\n"
                                             " same line\n";

/* Removed: sleep 0 . 6; added: sleep 0 . 3. Of eight words seven are the known ones. */
static void words_of_changed_lines_count(void **state) {
    (void)state;
    struct similarity s = similar(HEAD("train.sh") "@@ -2 +2 @@\n-sleep 0.6\n+sleep 0.3\n", known);
    assert_int_equal(s.ours, 8);
    assert_int_equal(s.known, 8);
    assert_int_equal(s.common, 7);
    CLOSE(s.f1, 14.0 / 16);
}

static void the_same_change_is_one_and_another_is_nought(void **state) {
    (void)state;
    CLOSE(similar(known, known).f1, 1);
    struct similarity s = similar(HEAD("b") "@@ -0,0 +1,2 @@\n+int main;\n+\n", known);
    assert_int_equal(s.ours, 3);
    CLOSE(s.f1, 0);
    /* What is added is not what is removed. */
    CLOSE(similar("@@ -2 +2 @@\n-sleep 0.2\n+sleep 0.6\n", known).f1, 12.0 / 16);
}

static void a_word_counts_as_often_as_it_occurs(void **state) {
    (void)state;
    struct similarity s = similar("@@ -0,0 +1 @@\n+a a a b\n", "@@ -0,0 +1,2 @@\n+a a\n+c\n");
    assert_int_equal(s.common, 2);
    CLOSE(s.precision, 0.5);
    CLOSE(s.recall, 2.0 / 3);
    CLOSE(s.f1, 4.0 / 7);
}

static void no_change_has_no_precision(void **state) {
    (void)state;
    struct similarity s = similar("", known);
    assert_true(isnan(s.precision));
    CLOSE(s.recall, 0);
    CLOSE(s.f1, 0);
    assert_true(isnan(similar("", "").f1));
}

/* "--- x" inside a hunk is a removed line "-- x"; outside it is a file name. */
static void lines_are_counted_as_the_hunk_says(void **state) {
    (void)state;
    struct similarity s = similar("--- a/q\n+++ b/q\n@@ -1,2 +1 @@\n--- x\n+++ y\n-z\n"
                                  "\\ No newline at end of file\n--- a/r\n+++ b/r\n",
                                  "");
    assert_int_equal(s.ours, 3 + 3 + 1); /* - - x, + + y, z */
    s = similar("Binary files a/x and b/x differ\n+loose\n-loose\n@@ nonsense\n+loose\n", "");
    assert_int_equal(s.ours, 0);
    s = similar("@@ -1,99999999999999999999999 +1 @@\n-a", "");
    assert_int_equal(s.ours, 1);
}

static void a_huge_diff_is_refused(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    struct similarity s;
    size_t len = SIMILARITY_DIFF_MAX + 1;
    _cleanup_free_ char *text = calloc(1, len);
    assert_int_equal(similarity_of_diffs(text, len, "", 0, &s, &err), -1);
    assert_int_equal(err.kind, ERROR_LIMIT);
}

/* ---- steps ---- */

static void classified(double record, const struct step_version *v, size_t n, const char *wanted) {
    static const char letters[] = "baNfiO"; /* in the order of enum step_class */
    enum step_class classes[16];
    char got[17] = "";
    steps_classify(v, n, record, classes);
    for (size_t i = 0; i < n; i++) got[i] = letters[classes[i]];
    assert_string_equal(got, wanted);
}

static void better_than_all_before_it(void **state) {
    (void)state;
    const struct step_version v[] = {{"valid", 11}, {"crash", 1},  {"valid", 9},
                                     {"valid", 9},  {"valid", 10}, {"valid", 8}};
    classified(10, v, 6, "NbiNNi");
    /* Nobody knows how long the record takes here. */
    classified(NAN, v, 6, "fbiNNi");
}

static void what_is_not_the_versions_fault_does_not_count(void **state) {
    (void)state;
    const struct step_version v[] = {{"abandoned", NAN},    {"invalid-environment", NAN},
                                     {NULL, NAN},           {"timeout", 30},
                                     {"invalid-tamper", 1}, {"valid", NAN}};
    classified(10, v, 6, "aOObbN");
}

/* A metric of which more is better comes turned round, and may be negative. */
static void values_may_be_negative(void **state) {
    (void)state;
    const struct step_version v[] = {{"valid", -0.3}, {"valid", -0.7}, {"valid", -0.5}};
    classified(NAN, v, 3, "fiN");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_changed_lines_count),
        cmocka_unit_test(the_same_change_is_one_and_another_is_nought),
        cmocka_unit_test(a_word_counts_as_often_as_it_occurs),
        cmocka_unit_test(no_change_has_no_precision),
        cmocka_unit_test(lines_are_counted_as_the_hunk_says),
        cmocka_unit_test(a_huge_diff_is_refused),
        cmocka_unit_test(better_than_all_before_it),
        cmocka_unit_test(what_is_not_the_versions_fault_does_not_count),
        cmocka_unit_test(values_may_be_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
