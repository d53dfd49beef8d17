/* What a program says of itself, and when it is believed. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/judge/audit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATTERN "^val_loss: ([0-9.eE+-]+)"

static double loss_of(const char *text, size_t len) {
    bool found = false;
    double loss = 0;
    assert_int_equal(audit_read_loss(text, len, PATTERN, &found, &loss, NULL), 0);
    return found ? loss : NAN;
}
#define LOSS(text) loss_of("" text, sizeof text - 1)

static void test_read(void **state) {
    (void)state;
    assert_true(isnan(LOSS("")));
    assert_true(isnan(LOSS("loss: 3\n")));
    assert_true(LOSS("val_loss: 3.25\n") == 3.25);
    assert_true(LOSS("step 1\nval_loss: 3.5 (step 1)\nval_loss: 3.25") == 3.25); /* the last one */
    assert_true(LOSS("\0val_loss: 1\nval_loss: 2\n") == 2);
    assert_true(isnan(LOSS("val_loss: 3\nval_loss: 1.2.3\n"))); /* the last one is no number */
    assert_true(isnan(LOSS("val_loss: 3\nval_loss: +-\n")));
    assert_true(isnan(LOSS("val_loss: 1e999\n")));
    assert_true(isnan(LOSS("val_loss: nan\n")));
    assert_true(LOSS("val_loss: -1e-3\n") == -1e-3);
}

static void test_long_lines(void **state) {
    (void)state;
    size_t len = 100000;
    char *text = malloc(len);
    memset(text, 'x', len);
    memcpy(text + len - 14, "\nval_loss: 4.5", 14);
    assert_true(loss_of(text, len) == 4.5);
    memset(text + len - 14, 'x', 14);
    memcpy(text, "val_loss: 5.5 ", 14);
    assert_true(loss_of(text, len) == 5.5);
    memset(text, '9', len);
    memcpy(text, "val_loss: ", 10);
    assert_true(isnan(loss_of(text, len))); /* a number of thousands of digits */
    free(text);
}

static void test_entropy(void **state) {
    (void)state;
    uint8_t all[256];
    for (int i = 0; i < 256; i++) all[i] = (uint8_t)i;
    assert_true(fabs(audit_entropy(all, sizeof all) - 8) < 1e-12);
    assert_true(audit_entropy((const uint8_t *)"aaaa", 4) == 0);
    assert_true(fabs(audit_entropy((const uint8_t *)"abab", 4) - 1) < 1e-12);
    assert_true(audit_entropy(all, 0) == 0);
}

static void expect(double official, double fresh, double shuffled, enum outcome outcome,
                   const char *reason) {
    struct audit_losses l = {
        .reported = {official, fresh, shuffled}, .floor = 4.0, .tolerance = 0.2};
    _cleanup_exam_ struct exam e = {.kind = EXAMINER_AUDIT};
    assert_int_equal(audit_judge(&l, &e, NULL), 0);
    if (e.outcome != outcome) fail_msg("%s: %s", outcome_name(e.outcome), e.reason);
    if (reason && !strstr(e.reason, reason)) fail_msg("%s", e.reason);
    /* What was decided comes back from exam.json as it was. */
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    size_t len = 0;
    assert_int_equal(exam_encode(&e, w, NULL), 0);
    const char *text = json_writer_text(w, &len);
    _cleanup_json_ struct json *doc = json_parse("exam", text, len, NULL);
    _cleanup_exam_ struct exam again = {0};
    assert_int_equal(exam_decode(doc, &again, NULL), 0);
    assert_int_equal(again.outcome, outcome);
    assert_int_equal(again.audited, e.audited);
    assert_true(!again.audited || (again.shuffled == shuffled && again.floor == 4.0));
}

static void test_judge(void **state) {
    (void)state;
    expect(2.5, 2.6, 5.1, OUTCOME_VALID, NULL);
    expect(2.5, 2.4, 3.9, OUTCOME_VALID, NULL); /* within the tolerance of the floor */
    expect(NAN, 2.5, 5, OUTCOME_INVALID_LOSS, "the timed run printed no loss");
    expect(2.5, NAN, 5, OUTCOME_INVALID_LOSS, "fresh text printed no loss");
    expect(2.5, 2.5, NAN, OUTCOME_INVALID_LOSS, "shuffled text printed no loss");
    expect(2.5, 2.8, 5, OUTCOME_INVALID_TAMPER, "2.8 on fresh text"); /* it knew the stream */
    expect(2.5, 2.2, 5, OUTCOME_INVALID_TAMPER, "2.2 on fresh text");
    expect(2.5, 2.5, 2.5, OUTCOME_INVALID_TAMPER, "2.5 on shuffled text"); /* it is made up */
    expect(0.5, 0.5, 0.5, OUTCOME_INVALID_TAMPER, "nobody predicts better than 4");
}

static char *slurp(const char *dir, const char *name, size_t *len) {
    _cleanup_free_ char *path = path_join(dir, name);
    struct buf text = {0};
    assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
    *len = text.len;
    buf_putc(&text, '\0');
    return buf_steal(&text);
}

static int compare(const void *a, const void *b) {
    return (int)*(const unsigned char *)a - (int)*(const unsigned char *)b;
}

static void test_streams(void **state) {
    (void)state;
    char dir[] = "/tmp/paddock-audit-XXXXXX";
    static const uint8_t secret[32] = {1, 2, 3};
    struct task t = {0};
    t.data.file = (char *)"train.txt";
    t.data.block_bytes = 4;
    assert_non_null(mkdtemp(dir));
    _cleanup_free_ char *train = path_join(dir, "train");
    _cleanup_free_ char *text = path_join(train, "train.txt");
    _cleanup_free_ char *held = path_join(dir, "held-out.bin");
    assert_int_equal(dir_make(train, 0755, NULL), 0);
    assert_int_equal(file_write_atomic(text, "to train on", 11, 0644, NULL), 0);
    assert_int_equal(file_write_atomic(held, "aaaabbbbccccdddde", 17, 0600, NULL), 0);
    assert_int_equal(audit_make_streams(&t, secret, dir, NULL), 0);
    size_t n = 0;
    _cleanup_free_ char *official = slurp(dir, "train/" AUDIT_VAL, &n);
    assert_string_equal(official, "aaaacccce");
    _cleanup_free_ char *fresh = slurp(dir, "fresh/" AUDIT_VAL, &n);
    assert_string_equal(fresh, "bbbbdddd");
    _cleanup_free_ char *copy = slurp(dir, "fresh/train.txt", &n);
    assert_string_equal(copy, "to train on");
    _cleanup_free_ char *shuffled = slurp(dir, "shuffled/" AUDIT_VAL, &n);
    assert_int_equal(n, 9);
    assert_string_not_equal(shuffled, official);
    qsort(shuffled, n, 1, compare);
    assert_string_equal(shuffled, "aaaacccce");
    assert_int_equal(tree_remove(dir, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),    cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_entropy), cmocka_unit_test(test_judge),
        cmocka_unit_test(test_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
