/* Attempts and the pauses between them, with a server that nobody runs. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "orchestrator/model/model.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static char place[] = "/tmp/paddock-call-XXXXXX";
static char *path;

static int make_place(void **state) {
    (void)state;
    static const char config[] = /* port 1 of loopback answers nobody */
        "{\"protocol\": \"openai\", \"url\": \"http://127.0.0.1:1/v1\", \"name\": \"x\","
        "\"proxy\": \"\", \"retries\": {\"count\": 4, \"first_ms\": 1000, \"longest_s\": 4}}";
    path = mkdtemp(place) ? path_join(place, "nobody.json") : NULL;
    return path ? file_write_atomic(path, config, strlen(config), 0644, NULL) : -1;
}

static int remove_place(void **state) {
    (void)state;
    free(path);
    return tree_remove(place, NULL);
}

struct pauses {
    int64_t ns[16];
    size_t count, abort_at;
    bool abort;
};

static void note(void *arg, int64_t ns) {
    struct pauses *p = arg;
    assert_true(p->count < ARRAY_SIZE(p->ns));
    p->ns[p->count++] = ns;
    if (p->count == p->abort_at) p->abort = true;
}

static const struct model_message prompt = {MODEL_USER, "Hi"};
static const struct model_request request = {.messages = &prompt, .count = 1, .key = "k"};

static int call(struct pauses *p, uint64_t seed, const char *record, struct model_reply *out,
                struct error *err) {
    const struct model_options options = {
        .record = record, .abort = &p->abort, .seed = seed, .pause = note, .pause_arg = p};
    _cleanup_model_ struct model *m = NULL;
    assert_int_equal(model_open_with(path, &options, &m, NULL), 0);
    return model_call(m, &request, out, err);
}

static void each_attempt_waits_longer(void **state) {
    (void)state;
    struct pauses p = {0}, again = {0};
    _cleanup_model_reply_ struct model_reply r = {0}, s = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(call(&p, 5, NULL, &r, &err), -1);
    assert_int_equal(r.retries, 4);
    assert_int_equal(p.count, 4);
    for (size_t i = 0; i < p.count; i++) {
        int64_t full = (i < 2 ? 1 << i : 4) * NS_PER_SEC;
        assert_in_range(p.ns[i], full / 2, full);
    }
    assert_int_equal(strlen(r.request_sha256), 64);
    assert_non_null(strstr(error_text(&err), "model nobody: "));
    assert_non_null(strstr(error_text(&err), "(after 4 retries)"));
    assert_int_equal(call(&again, 5, NULL, &s, NULL), -1);
    assert_memory_equal(p.ns, again.ns, sizeof p.ns);
}

static void a_call_can_be_cancelled(void **state) {
    (void)state;
    struct pauses p = {.abort_at = 2};
    _cleanup_model_reply_ struct model_reply r = {0};
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *tape = path_join(place, "cancelled.jsonl");
    assert_int_equal(call(&p, 1, tape, &r, &err), -1);
    assert_int_equal(err.kind, ERROR_CANCELLED);
    assert_int_equal(p.count, 2);
    assert_int_equal(access(tape, F_OK), -1); /* it is no call that could be replayed */
}

static void a_failed_call_is_recorded(void **state) {
    (void)state;
    struct pauses p = {0};
    _cleanup_model_reply_ struct model_reply r = {0}, again = {0};
    _cleanup_error_ struct error err = {0}, replayed = {0};
    _cleanup_free_ char *tape = path_join(place, "failed.jsonl");
    _cleanup_free_ char *name = str_printf("replay-strict:%s", tape);
    assert_int_equal(call(&p, 1, tape, &r, &err), -1);
    _cleanup_model_ struct model *m = NULL;
    assert_int_equal(model_open(name, &m, NULL), 0);
    assert_int_equal(model_call(m, &request, &again, &replayed), -1);
    assert_string_equal(error_text(&replayed), error_text(&err));
    assert_int_equal(replayed.kind, err.kind);
    assert_int_equal(again.retries, 4);
}

static void requests_are_checked_before_anything_is_sent(void **state) {
    (void)state;
    struct pauses p = {0};
    const struct model_message system = {MODEL_SYSTEM, "S"};
    const struct model_request empty = {.count = 0}, none = {.messages = &system, .count = 1};
    const struct model_options options = {.pause = note, .pause_arg = &p};
    _cleanup_model_ struct model *m = NULL;
    assert_int_equal(model_open_with(path, &options, &m, NULL), 0);
    _cleanup_model_reply_ struct model_reply a = {0}, b = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(model_call(m, &empty, &a, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_int_equal(model_call(m, &none, &b, &err), -1);
    assert_non_null(strstr(error_text(&err), "no message of the user"));
    assert_int_equal(p.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_attempt_waits_longer),
        cmocka_unit_test(a_call_can_be_cancelled),
        cmocka_unit_test(a_failed_call_is_recorded),
        cmocka_unit_test(requests_are_checked_before_anything_is_sent),
    };
    return cmocka_run_group_tests(tests, make_place, remove_place);
}
