#include "common/buf.h"
#include "common/cleanup.h"
#include "sandbox/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void fill(struct result *r) {
    r->id = strdup("r1");
    r->ended = ENDED_MEMORY_LIMIT;
    r->signal = 9;
    r->error = strdup("why \xff not");
    r->t_launch = 1;
    r->wall_ns = INT64_C(123456789012);
    r->io_read_bytes = -1;
    r->steal_ns = -1;
    r->output_truncated = true;
    result_know_nothing(r);
    r->cpus = 2;
    r->foreign_cpu_ns = 77;
    r->violation = calloc(1, sizeof *r->violation);
    *r->violation = (struct violation){.call = strdup("reboot"),
                                       .number = 169,
                                       .args = {UINT64_MAX, 0, 1, 2, 3, 4},
                                       .rule = strdup("no-reboot"),
                                       .process = strdup("sh\x1b")};
    r->privilege = strdup("subid");
    r->version = strdup("0");
    r->layers = calloc(1, sizeof *r->layers);
    r->layers[r->layer_count++] = (struct layer){strdup("seccomp"), LAYER_WEAKER, NULL};
    r->limits = calloc(1, sizeof *r->limits);
    r->limits[r->limit_count++] =
        (struct limit_report){strdup("wall"), 5, ENFORCER_WATCHER, strdup("timer")};
    r->collected = calloc(1, sizeof *r->collected);
    r->collected[r->collected_count++] = (struct collected){
        .path = strdup("out"), .as = strdup("out"), .present = true, .files = 2, .bytes = 3};
}

static void test_round_trip(void **state) {
    (void)state;
    _cleanup_result_ struct result one = {0}, two = {0};
    _cleanup_error_ struct error err = {0};
    fill(&one);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    assert_int_equal(result_encode(&one, w, &err), 0);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    assert_non_null(text);
    _cleanup_json_ struct json *doc = json_parse("result", text, len, &err);
    assert_non_null(doc);
    if (result_decode(doc, &two, &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(two.ended, ENDED_MEMORY_LIMIT);
    assert_int_equal(two.wall_ns, one.wall_ns);
    assert_int_equal(two.io_read_bytes, -1);
    assert_string_equal(two.error, "why \xef\xbf\xbd not");
    assert_int_equal(two.layers[0].state, LAYER_WEAKER);
    assert_null(two.layers[0].detail);
    assert_int_equal(two.limits[0].by, ENFORCER_WATCHER);
    assert_int_equal(two.collected[0].bytes, 3);
    assert_null(two.spec_sha256);
    assert_string_equal(two.violation->call, "reboot");
    assert_int_equal(two.violation->number, 169);
    assert_memory_equal(two.violation->args, one.violation->args, sizeof one.violation->args);
    assert_string_equal(two.violation->rule, "no-reboot");
    assert_null(two.violation->reason);
    assert_int_equal(two.foreign_cpu_ns, 77);
    assert_int_equal(two.swap_pages, -1);
}

/* Results in a state folder outlive the Paddock that wrote them. */
static void test_older(void **state) {
    (void)state;
    static const char *const later[] = {"\"cpus\":2", "\"foreign_cpu_ns\":77",
                                        "\"throttled_ns\":-1"};
    _cleanup_result_ struct result one = {0}, two = {0};
    _cleanup_error_ struct error err = {0};
    fill(&one);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    assert_int_equal(result_encode(&one, w, &err), 0);
    size_t len = 0;
    _cleanup_free_ char *text = strdup(json_writer_text(w, &len));
    for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
        char *at = strstr(text, later[i]);
        assert_non_null(at);
        memset(at, ' ', strlen(later[i]) + 1); /* the comma too */
    }
    _cleanup_json_ struct json *doc = json_parse("result", text, strlen(text), &err);
    assert_non_null(doc);
    if (result_decode(doc, &two, &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(two.cpus, -1);
    assert_int_equal(two.foreign_cpu_ns, -1);
    assert_int_equal(two.throttled_ns, -1);
    assert_int_equal(two.wall_ns, one.wall_ns);
}

/* What a violation must not be. */
static void test_violation(void **state) {
    (void)state;
#define VIOLATION(number, args)                                                               \
    "{\"call\": \"a\", \"arch\": null, \"rule\": null, \"reason\": null, \"process\": null, " \
    "\"number\": " number ", \"args\": [" args "]}"
    static const char *const wrong[] = {
        "7",
        "{}",
        VIOLATION("1", ""),
        VIOLATION("-2", "\"0x1\", \"0x1\", \"0x1\", \"0x1\", \"0x1\", \"0x1\""),
        VIOLATION("1", "\"0x1\", \"0x1\", \"0x1\", \"0x1\", \"0x1\", \"1\""),
        VIOLATION("1", "\"0x1\", \"0x1\", \"0x1\", \"0x1\", \"0x1\", \"0x1ffffffffffffffff\""),
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct violation *v = NULL;
        _cleanup_json_ struct json *doc = json_parse("v", wrong[i], strlen(wrong[i]), NULL);
        assert_non_null(doc);
        assert_int_equal(violation_decode(doc, &v, NULL), -1);
        violation_free(v);
    }
    struct violation *none = NULL;
    _cleanup_json_ struct json *null = json_parse("v", "null", 4, NULL);
    assert_int_equal(violation_decode(null, &none, NULL), 0);
    assert_null(none);
}

static void test_strict(void **state) {
    (void)state;
    _cleanup_result_ struct result one = {0}, two = {0};
    _cleanup_error_ struct error err = {0};
    fill(&one);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    assert_int_equal(result_encode(&one, w, &err), 0);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    _cleanup_free_ char *more = str_printf("%.*s,\"more\":1}", (int)len - 1, text);
    _cleanup_json_ struct json *doc = json_parse("result", more, strlen(more), &err);
    assert_non_null(doc);
    assert_int_equal(result_decode(doc, &two, &err), -1);
    assert_non_null(strstr(error_text(&err), "$.more"));
}

static void test_exit_status(void **state) {
    (void)state;
    struct result r = {.ended = ENDED_EXIT, .exit_code = 42};
    assert_int_equal(result_exit_status(&r), 42);
    r = (struct result){.ended = ENDED_SIGNAL, .signal = 11};
    assert_int_equal(result_exit_status(&r), 139);
    r = (struct result){.ended = ENDED_WALL_LIMIT, .signal = 9};
    assert_int_equal(result_exit_status(&r), 124);
    r.ended = ENDED_CPU_LIMIT;
    assert_int_equal(result_exit_status(&r), 124);
    r.ended = ENDED_MEMORY_LIMIT;
    assert_int_equal(result_exit_status(&r), 137);
    r.ended = ENDED_SETUP_ERROR;
    assert_int_equal(result_exit_status(&r), 125);
    r = (struct result){.ended = ENDED_POLICY_VIOLATION, .signal = 31};
    assert_int_equal(result_exit_status(&r), 159);
    assert_string_equal(ended_name(ENDED_CANCELLED), "cancelled");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_older),
        cmocka_unit_test(test_violation),   cmocka_unit_test(test_strict),
        cmocka_unit_test(test_exit_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
