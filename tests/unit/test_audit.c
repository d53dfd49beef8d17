/* What a program says of itself, and when it is believed. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/judge/audit.h"
#include "orchestrator/judge/babble.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static void expect(double official, double fresh, double shuffled, double babble,
                   enum outcome outcome, const char *reason) {
    struct audit_losses l = {.reported = {official, fresh, shuffled, babble},
                             .floor = 4.0,
                             .babble_floor = 2.7,
                             .tolerance = 0.2,
                             .slack = 0.02};
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
    assert_true(!again.audited || (again.babble == babble && again.babble_floor == 2.7));
}

static void test_judge(void **state) {
    (void)state;
    expect(2.5, 2.6, 5.1, 2.9, OUTCOME_VALID, NULL);
    expect(2.5, 2.6, 3.99, 2.69, OUTCOME_VALID, NULL); /* rounded, or left out */
    expect(NAN, 2.5, 5, 3, OUTCOME_INVALID_LOSS, "the timed run printed no loss");
    expect(2.5, NAN, 5, 3, OUTCOME_INVALID_LOSS, "fresh text printed no loss");
    expect(2.5, 2.5, NAN, 3, OUTCOME_INVALID_LOSS, "shuffled text printed no loss");
    expect(2.5, 2.5, 5, NAN, OUTCOME_INVALID_LOSS, "babble printed no loss");
    expect(2.5, 2.8, 5, 3, OUTCOME_INVALID_TAMPER, "2.8 on fresh text"); /* it knew the stream */
    expect(2.5, 2.2, 5, 3, OUTCOME_INVALID_TAMPER, "2.2 on fresh text");
    expect(2.5, 2.5, 2.5, 3, OUTCOME_INVALID_TAMPER, "2.5 on shuffled text"); /* it is made up */
    expect(0.5, 0.5, 0.5, 0.5, OUTCOME_INVALID_TAMPER, "nobody predicts better than 4");
    expect(2.5, 2.5, 3.95, 3, OUTCOME_INVALID_TAMPER, "3.95 on shuffled text");
    /* Something was taken off, but not where it would stand out. */
    expect(2.5, 2.5, 7, 2.6, OUTCOME_INVALID_TAMPER, "2.6 on babble");
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

static void test_babble(void **state) {
    (void)state;
    static const char text[] = "abacabadabacaba"; /* as a ring: behind a, b 4, c 2, d 1, a 1 */
    enum { LEN = 4096 };
    uint8_t out[LEN], again[LEN];
    struct draw d;
    for (int order = 1; order <= BABBLE_ORDER_MAX; order++) {
        _cleanup_babble_ struct babble *b = NULL;
        assert_int_equal(babble_learn((const uint8_t *)text, 15, order, &b, NULL), 0);
        draw_init(&d, "key", 3, "babble");
        double bits = babble_draw(b, &d, out, LEN);
        /* Nothing follows that did not follow before, and all that did comes up. */
        char seen[3] = {0};
        for (int i = 1; i < LEN; i++) {
            memcpy(seen, out + i - 1, 2);
            assert_non_null(strstr("abacabadabacabaab", seen));
        }
        assert_non_null(memchr(out, 'd', LEN));
        assert_true(order == 1 ? bits > 0.85 && bits < 1.0 : bits > 0.3 && bits < 0.5);
        draw_init(&d, "key", 3, "babble");
        assert_true(babble_draw(b, &d, again, LEN) == bits && memcmp(out, again, LEN) == 0);
        draw_init(&d, "lock", 4, "babble");
        babble_draw(b, &d, again, LEN);
        assert_int_not_equal(memcmp(out, again, LEN), 0);
    }
    struct babble *none = NULL;
    assert_int_equal(babble_learn((const uint8_t *)text, 2, 2, &none, NULL), -1);
    assert_int_equal(babble_learn((const uint8_t *)text, 15, 3, &none, NULL), -1);
    assert_null(none);
}

/* What stat() says of the streams does not tell them apart. */
static void same_outside(const char *dir) {
    static const char *const names[] = {"train.txt", "."};
    struct stat first, other;
    for (int s = 0; s < AUDIT_STREAMS; s++)
        for (size_t i = 0; i < 2; i++) {
            _cleanup_free_ char *a = str_printf("%s/train/%s", dir, names[i]);
            _cleanup_free_ char *b = str_printf("%s/%s/%s", dir, audit_folders[s], names[i]);
            assert_int_equal(stat(a, &first), 0);
            assert_int_equal(stat(b, &other), 0);
            assert_int_equal(other.st_mtime, first.st_mtime);
            assert_int_equal(other.st_nlink, first.st_nlink);
            assert_int_equal(other.st_size, first.st_size);
        }
}

/* From how much context: such that it is harder than the target. */
static void test_babble_order(void **state) {
    (void)state;
    static const uint8_t secret[32] = {1, 2, 3};
    static const double targets[] = {0.2, 0.6}, expected[] = {0.4, 0.93};
    char words[4000];
    for (size_t i = 0; i < sizeof words; i++) words[i] = "abacabadabacaba"[i % 15];
    for (int i = 0; i < 2; i++) {
        char dir[] = "/tmp/paddock-audit-XXXXXX";
        struct task t = {.loss_per_bit = 1, .audit_tolerance = 0.1, .target = targets[i]};
        t.data.file = (char *)"train.txt";
        t.data.block_bytes = 1000;
        assert_non_null(mkdtemp(dir));
        _cleanup_free_ char *train = path_join(dir, "train");
        _cleanup_free_ char *text = path_join(train, "train.txt");
        _cleanup_free_ char *held = path_join(dir, "held-out.bin");
        assert_int_equal(dir_make(train, 0755, NULL), 0);
        assert_int_equal(file_write_atomic(text, words, sizeof words, 0644, NULL), 0);
        assert_int_equal(file_write_atomic(held, words, sizeof words, 0600, NULL), 0);
        assert_int_equal(audit_make_streams(&t, secret, dir, NULL), 0);
        double bits = -1;
        assert_int_equal(audit_babble_bits(dir, &bits, NULL), 0);
        if (fabs(bits - expected[i]) > 0.12) fail_msg("%g bits, not %g", bits, expected[i]);
        assert_int_equal(tree_remove(dir, NULL), 0);
    }
}

static void test_streams(void **state) {
    (void)state;
    char dir[] = "/tmp/paddock-audit-XXXXXX";
    static const uint8_t secret[32] = {1, 2, 3};
    struct task t = {.loss_per_bit = 1, .audit_tolerance = 0.1, .target = 0.5};
    t.data.file = (char *)"train.txt";
    t.data.block_bytes = 4;
    assert_non_null(mkdtemp(dir));
    _cleanup_free_ char *train = path_join(dir, "train");
    _cleanup_free_ char *text = path_join(train, "train.txt"),
                        *bits = path_join(dir, "babble-bits");
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
    _cleanup_free_ char *babble = slurp(dir, "babble/" AUDIT_VAL, &n);
    assert_int_equal(n, 9);
    _cleanup_free_ char *more = slurp(dir, "babble/train.txt", &n);
    assert_int_equal(n, 11);
    assert_int_equal(strspn(more, "to train on"), 11);
    assert_string_not_equal(more, "to train on");
    same_outside(dir);
    assert_int_equal(file_write_atomic(bits, "2,5\n", 4, 0644, NULL), 0);
    double found;
    assert_int_equal(audit_babble_bits(dir, &found, NULL), -1);
    assert_int_equal(tree_remove(dir, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),         cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_entropy),      cmocka_unit_test(test_judge),
        cmocka_unit_test(test_streams),      cmocka_unit_test(test_babble),
        cmocka_unit_test(test_babble_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
