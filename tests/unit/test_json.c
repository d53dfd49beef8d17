#include "common/json.h"

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

static struct json *parse(const char *text, struct error *err) {
    return json_parse("f.json", text, strlen(text), err);
}

/* Each text must be refused with exactly this message. */
static void refused(const char *text, const char *message) {
    _cleanup_error_ struct error err = {0};
    assert_null(parse(text, &err));
    assert_string_equal(error_text(&err), message);
}

static void syntax_errors_name_source_and_line(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    assert_null(parse("{\n\"a\": }", &err));
    assert_non_null(strstr(error_text(&err), "f.json: line 2: "));
    refused("", "f.json: line 1: parse error: premature EOF");
    refused("{\"a\":1,\"b\":2,\"a\":3}", "f.json: $.a: given twice");
    refused("[\"x\\u0000y\"]", "f.json: $[0]: has a NUL character inside");
    refused("[\"x\xC0\xB8y\"]", "f.json: $[0]: is not valid UTF-8");
    refused("[\"\xED\xA0\x80\"]", "f.json: $[0]: is not valid UTF-8");
    refused("{\"\xC0\xB8\": 1}", "f.json: $: a key is not valid UTF-8");
}

static void depth_is_bounded(void **state) {
    (void)state;
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    _cleanup_error_ struct error err = {0};
    assert_null(json_parse("f.json", deep, sizeof deep, &err));
    assert_non_null(strstr(error_text(&err), "nested deeper than 64"));
}

static int read_limits(const char *text, int64_t *wall, struct error *err) {
    _cleanup_json_ struct json *doc = parse(text, err);
    if (!doc) return -1;
    struct json_reader r;
    json_object(&r, doc, err);
    json_get_int(&r, "wall", JSON_REQUIRED, 1, 100, wall);
    return json_object_end(&r);
}

static void objects_are_read_strictly(void **state) {
    (void)state;
    struct {
        const char *text, *message;
    } cases[] = {
        {"{\"wall\": 0}", "f.json: $.wall: must be between 1 and 100, is 0"},
        {"{\"wall\": 1.5}", "f.json: $.wall: must be a whole number, is 1.5"},
        {"{\"wall\": 99999999999999999999}",
         "f.json: $.wall: must be between 1 and 100, is 99999999999999999999"},
        {"{\"wall\": \"1\"}", "f.json: $.wall: must be a whole number, is string"},
        {"{}", "f.json: $: lacks the key \"wall\""},
        {"{\"wall\": 5, \"wal\": 5}", "f.json: $.wal: unknown key"},
        {"[]", "f.json: $: must be an object, is array"},
    };
    int64_t wall = 0;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_error_ struct error err = {0};
        assert_int_equal(read_limits(cases[i].text, &wall, &err), -1);
        assert_string_equal(error_text(&err), cases[i].message);
    }
    _cleanup_error_ struct error err = {0};
    assert_int_equal(read_limits("{\"wall\": 7}", &wall, &err), 0);
    assert_int_equal(wall, 7);
}

static void written_documents_read_back(void **state) {
    (void)state;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    json_open_object(w, NULL);
    json_put_string(w, "s", "a\"b\n");
    json_put_bytes(w, "bad", "x\xff\xc0y", 4);
    json_put_double(w, "d", 0.1);
    json_put_double(w, "nan", NAN);
    json_put_int(w, "i", INT64_MIN);
    json_open_array(w, "a");
    json_put_bool(w, NULL, true);
    json_close_array(w);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    assert_non_null(text);
    assert_string_equal(text,
                        "{\"s\":\"a\\\"b\\n\",\"bad\":\"x\xef\xbf\xbd\xef\xbf\xbdy\",\"d\":0.1,"
                        "\"nan\":null,\"i\":-9223372036854775808,\"a\":[true]}");
    _cleanup_error_ struct error err = {0};
    _cleanup_json_ struct json *doc = json_parse("w", text, len, &err);
    assert_non_null(doc);
    assert_int_equal(json_count(doc), 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syntax_errors_name_source_and_line),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(objects_are_read_strictly),
        cmocka_unit_test(written_documents_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
