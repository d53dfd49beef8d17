/* Routes, URL decoding, ids and problem documents. */
#include "common/cleanup.h"
#include "common/json.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/problem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void a_route_is_found_with_its_parameters(void **state) {
    (void)state;
    struct route_match m = {0};
    assert_int_equal(route_find(api_routes, "GET", "/v1/tasks/toy/hints/2/0", &m, NULL),
                     ROUTE_FOUND);
    assert_string_equal(m.params[0], "toy");
    assert_string_equal(m.params[1], "2");
    assert_string_equal(m.params[2], "0");
    route_match_clear(&m);
    assert_int_equal(route_find(api_routes, "GET", "/v1/tasks/a%2Fb", &m, NULL), ROUTE_FOUND);
    assert_string_equal(m.params[0], "a/b");
    route_match_clear(&m);
    assert_int_equal(route_find(api_routes, "HEAD", "/v1/health", &m, NULL), ROUTE_FOUND);
    route_match_clear(&m);
}

static void other_paths_are_unknown(void **state) {
    (void)state;
    static const char *const paths[] = {
        "/",          "/v1",       "/v1/", "/v1/tasks/",  "/v1/tasks//hints/1/1", "/v1/tasks/a/b",
        "/v2/health", "v1/health", "",     "/v1/health/", "/v1/runs/r1/output/x"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct route_match m = {0};
        assert_int_equal(route_find(api_routes, "GET", paths[i], &m, NULL), ROUTE_UNKNOWN);
        route_match_clear(&m);
    }
}

static void a_wrong_method_names_the_right_ones(void **state) {
    (void)state;
    struct route_match m = {0};
    assert_int_equal(route_find(api_routes, "PUT", "/v1/experiments", &m, NULL),
                     ROUTE_OTHER_METHOD);
    assert_string_equal(buf_text(&m.allow), "GET, POST, HEAD");
    route_match_clear(&m);
    assert_int_equal(route_find(api_routes, "GET", "/v1/gc", &m, NULL), ROUTE_OTHER_METHOD);
    assert_string_equal(buf_text(&m.allow), "POST");
    route_match_clear(&m);
}

static void malformed_encodings_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"%", "%1", "%zz", "a%00b", "%ff", "%c0%af", "%ed%a0%80"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_error_ struct error err = {0};
        assert_null(url_decode(bad[i], strlen(bad[i]), &err));
        assert_int_equal(err.kind, ERROR_INVALID);
    }
    _cleanup_free_ char *once = url_decode("%252e", 5, NULL);
    assert_string_equal(once, "%2e"); /* decoded once, not twice */
}

static void names_are_strict(void **state) {
    (void)state;
    static const char *const bad[] = {
        "v", "v0", "v01", "e1", "v1x", "v-1", "v 1", "1", "", "v99999999999999999999", "V1"};
    int64_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(id_parse(ID_VERSION, bad[i], &n, NULL), -1);
    assert_int_equal(id_parse(ID_VERSION, "v120", &n, NULL), 0);
    assert_int_equal(n, 120);
    char name[ID_MAX];
    assert_string_equal(id_format(ID_RUN, 34, name), "r34");
}

static void the_status_follows_from_the_kind(void **state) {
    (void)state;
    const struct {
        enum error_kind kind;
        int sys, status;
    } cases[] = {
        {ERROR_INVALID, 0, 400},     {ERROR_NOT_FOUND, 0, 404},  {ERROR_EXISTS, 0, 409},
        {ERROR_DENIED, 0, 403},      {ERROR_LIMIT, 0, 413},      {ERROR_UNSUPPORTED, 0, 501},
        {ERROR_BUSY, 0, 503},        {ERROR_SYSTEM, EIO, 500},   {ERROR_INTERNAL, 0, 500},
        {ERROR_SYSTEM, ENOSPC, 507}, {ERROR_SYSTEM, EDQUOT, 507}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = {.kind = cases[i].kind, .sys = cases[i].sys};
        assert_int_equal(problem_status(&e), cases[i].status);
    }
}

static void a_problem_is_a_document(void **state) {
    (void)state;
    _cleanup_buf_ struct buf out = {0};
    problem_write(507, "no \"room\"\n", ERROR_SYSTEM, "disk-limit", &out);
    _cleanup_json_ struct json *doc = json_parse("problem", buf_text(&out), out.len, NULL);
    assert_non_null(doc);
    const char *text;
    assert_int_equal(json_as_string(json_find(doc, "detail"), &text, NULL), 0);
    assert_string_equal(text, "no \"room\"\n");
    assert_int_equal(json_as_string(json_find(doc, "kind"), &text, NULL), 0);
    assert_string_equal(text, "system");
    assert_int_equal(json_as_string(json_find(doc, "title"), &text, NULL), 0);
    assert_string_equal(text, "Insufficient Storage");
    assert_int_equal(json_as_string(json_find(doc, "rule"), &text, NULL), 0);
    assert_string_equal(text, "disk-limit");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_is_found_with_its_parameters),
        cmocka_unit_test(other_paths_are_unknown),
        cmocka_unit_test(a_wrong_method_names_the_right_ones),
        cmocka_unit_test(malformed_encodings_are_refused),
        cmocka_unit_test(names_are_strict),
        cmocka_unit_test(the_status_follows_from_the_kind),
        cmocka_unit_test(a_problem_is_a_document),
    };
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
