/* Configs: what is refused and how it is said; keys, and that they stay inside. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/model/config.h"
#include "orchestrator/model/model.h"
#include "orchestrator/model/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static char place[] = "/tmp/paddock-model-XXXXXX";

static int make_place(void **state) {
    (void)state;
    if (!mkdtemp(place)) return -1;
    setenv("PADDOCK_CONFIG", place, 1);
    unsetenv("PADDOCK_CASSETTE_RECORD");
    _cleanup_free_ char *models = path_join(place, "models");
    return mkdir(models, 0755);
}

static int remove_place(void **state) {
    (void)state;
    return tree_remove(place, NULL);
}

static char *put(const char *name, const char *text, mode_t mode) {
    char *path = str_printf("%s/%s", place, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), mode, NULL), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static int decode(const char *text, struct model_config *c, struct error *err) {
    struct json *doc = json_parse("m.json", text, strlen(text), err);
    return doc ? model_config_decode(doc, "m", c, err) : -1;
}

static void refuses(const char *text, const char *reason) {
    _cleanup_model_config_ struct model_config c = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(decode(text, &c, &err), -1);
    if (!strstr(error_text(&err), reason)) fail_msg("“%s” lacks “%s”", error_text(&err), reason);
}
#define O "\"protocol\": \"openai\", \"name\": \"g\""
#define A "\"protocol\": \"anthropic\", \"name\": \"c\""

static void faults_name_key_and_reason(void **state) {
    (void)state;
    refuses("{}", "m.json: $: lacks the key \"protocol\"");
    refuses("{\"protocol\": \"smtp\"}", "m.json: $.protocol: must be one of");
    refuses("{\"protocol\": \"openai\"}", "lacks the key \"name\"");
    refuses("{" O ", \"colour\": 1}", "$.colour: unknown key");
    refuses("{" O ", \"parameters\": {\"temprature\": 1}}", "$.parameters.temprature: unknown key");
    refuses("{" O ", \"parameters\": {\"temperature\": 9}}", "$.parameters.temperature: must be");
    refuses("{" O ", \"parameters\": {\"reasoning_budget\": 9}}", "means nothing to the protocol");
    refuses("{" O ", \"parameters\": {\"extra\": {\"messages\": []}}}",
            "$.parameters.extra.messages: is written by the protocol openai itself");
    refuses("{" A ", \"parameters\": {\"seed\": 1}}", "$.parameters.seed: means nothing");
    refuses("{" A ", \"parameters\": {\"reasoning_budget\": 9}}", "0 or at least 1024");
    refuses("{" A ", \"parameters\": {\"reasoning_budget\": 2000, \"max_tokens\": 2000}}",
            "less than max_tokens");
    refuses("{" A ", \"parameters\": {\"reasoning_budget\": 2000, \"temperature\": 1}}",
            "$.parameters.temperature: is refused");
    refuses("{" A ", \"azure_api_version\": \"1\"}", "for the protocol openai alone");
    refuses("{" O ", \"prices\": {\"input\": 1}}", "$.prices: lacks the key \"output\"");
    refuses("{" O ", \"key\": {}}", "$.key: needs \"env\" or \"file\"");
    refuses("{" O ", \"key\": {\"env\": \"A\", \"file\": \"/x\"}}", "$.key: needs");
    refuses("{" O ", \"key\": {\"file\": \"x\"}}", "$.key.file: must be an absolute path");
    refuses("{" O ", \"key\": \"sk-secret\"}", "$.key: must be an object, is string");
    refuses("{" O ", \"headers\": {\"A b\": \"x\"}}", "is no header's name");
    refuses("{" O ", \"headers\": {\"A\": \"x\\ny: z\"}}", "holds control characters");
    refuses("{" O ", \"azure_api_version\": \"1\"}", "Azure needs the key \"url\"");
}

static void urls_are_checked(void **state) {
    (void)state;
    refuses("{" O ", \"url\": \"ftp://x/v1\"}", "$.url: must be a URL");
    refuses("{" O ", \"url\": \"file:///etc/passwd\"}", "$.url: must be a URL");
    refuses("{" O ", \"url\": \"not a url\"}", "$.url: must be a URL");
    refuses("{" O ", \"url\": \"https://me:pass@x/v1\"}", "$.url: must have no user");
    refuses("{" O ", \"url\": \"https://x/v1?a=b\"}", "$.url: must have no user");
    refuses("{" O ", \"url\": \"httP://x/v1\"}", "$.url: must be a URL");
    refuses("{" O ", \"url\": \"http://x/v1\", \"key\": {\"env\": \"K\"}}", "unencrypted");
    refuses("{" O ", \"url\": \"http://127.example.org/v1\", \"key\": {\"env\": \"K\"}}",
            "unencrypted");
    static const char *const good[] = {
        "{" O ", \"url\": \"http://x/v1\"}",
        "{" O ", \"url\": \"http://x/v1\", \"key\": {\"env\": \"K\"}, \"insecure_http\": true}",
        "{" O ", \"url\": \"http://localhost:8000/v1\", \"key\": {\"env\": \"K\"}}",
        "{" O ", \"url\": \"http://127.0.0.2:8000/v1\", \"key\": {\"env\": \"K\"}}",
        "{" O ", \"url\": \"http://[::1]:8000/v1\", \"key\": {\"env\": \"K\"}}"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        _cleanup_model_config_ struct model_config c = {0};
        _cleanup_error_ struct error err = {0};
        if (decode(good[i], &c, &err) < 0) fail_msg("%s", error_text(&err));
    }
}

static void a_config_written_is_read_back_the_same(void **state) {
    (void)state;
    _cleanup_model_config_ struct model_config c = {0}, d = {0};
    const char *text = "{" A ", \"key\": {\"env\": \"K\"}, \"headers\": {\"X\": \"secret\"},"
                       "\"proxy\": \"http://u:p@h\", \"parameters\": {\"reasoning_budget\": 2048,"
                       "\"stop\": [\"a\"], \"extra\": {\"x\": [1]}}, \"prices\": {\"input\": 3,"
                       "\"output\": 15, \"cached_input\": 0.3}, \"context_tokens\": 200000}";
    assert_int_equal(decode(text, &c, NULL), 0);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    _cleanup_json_writer_ struct json_writer *again = json_writer_new(false);
    size_t len = 0;
    json_open_object(w, NULL);
    model_config_write(&c, w);
    json_close_object(w);
    const char *written = json_writer_text(w, &len);
    assert_null(strstr(written, "secret"));
    assert_null(strstr(written, "u:p"));
    struct json *doc = json_parse("again", written, len, NULL);
    assert_int_equal(model_config_decode(doc, "m", &d, NULL), 0);
    json_open_object(again, NULL);
    model_config_write(&d, again);
    json_close_object(again);
    assert_string_equal(json_writer_text(again, NULL), written);
}

static void key_refused(const char *path, const char *reason) {
    struct secret_source s = {.file = (char *)path};
    _cleanup_error_ struct error err = {0};
    assert_null(secret_read(&s, &err));
    if (!strstr(error_text(&err), reason)) fail_msg("“%s” lacks “%s”", error_text(&err), reason);
    assert_null(strstr(error_text(&err), "sk-"));
}

static void key_files_must_be_private(void **state) {
    (void)state;
    _cleanup_free_ char *good = put("key", "sk-0123456789\r\n", 0600);
    struct secret_source s = {.file = good};
    char *key = secret_read(&s, NULL);
    assert_string_equal(key, "sk-0123456789");
    secret_forget(key);
    _cleanup_free_ char *open = put("open", "sk-x\n", 0644);
    key_refused(open, "chmod 600");
    _cleanup_free_ char *group = put("group", "sk-x\n", 0640);
    key_refused(group, "chmod 600");
    _cleanup_free_ char *empty = put("empty", "\n", 0600);
    key_refused(empty, "is empty");
    _cleanup_free_ char *lines = put("lines", "sk-a\nsk-b\n", 0600);
    key_refused(lines, "one line of printable ASCII");
    key_refused(place, "is not a file");
    key_refused("/nowhere/key", "/nowhere/key");
}

static void keys_come_from_the_environment(void **state) {
    (void)state;
    struct secret_source s = {.env = "PADDOCK_TEST_KEY"};
    _cleanup_error_ struct error err = {0};
    unsetenv("PADDOCK_TEST_KEY");
    assert_null(secret_read(&s, &err));
    assert_string_equal(error_text(&err), "environment variable PADDOCK_TEST_KEY is not set");
    setenv("PADDOCK_TEST_KEY", "sk-1 ", 1);
    char *key = secret_read(&s, &err);
    assert_string_equal(key, "sk-1");
    secret_forget(key);
    setenv("PADDOCK_TEST_KEY", "sk-1\r\nX-Evil: 1", 1);
    assert_null(secret_read(&s, &err));
    assert_null(strstr(error_text(&err), "Evil"));
}

static void secrets_are_taken_out_of_text(void **state) {
    (void)state;
    struct secrets s = {0};
    assert_int_equal(secrets_add(&s, "sk-12", NULL), 0);
    assert_int_equal(secrets_add(&s, "abc", NULL), 0); /* too short to be looked for */
    char *text = strdup("sk-12, abc and sk-12sk-12.");
    assert_true(secrets_remove(&s, &text));
    assert_string_equal(text, "[secret], abc and [secret][secret].");
    free(text);
    _cleanup_buf_ struct buf b = {0};
    buf_puts(&b, "x sk-12");
    assert_true(secrets_remove_buf(&s, &b));
    assert_string_equal(buf_text(&b), "x [secret]");
    assert_int_equal(b.len, strlen("x [secret]"));
    secrets_clear(&s);
}

static void models_are_found_by_name_and_path(void **state) {
    (void)state;
    _cleanup_free_ char *b = put("models/b.json", "{" O "}", 0644);
    _cleanup_free_ char *a = put("models/a.json", "{" A ", \"context_tokens\": 5}", 0644);
    _cleanup_free_ char *junk = put("models/notes.txt", "x", 0644);
    _cleanup_strv_ char **list = model_config_list(NULL);
    assert_int_equal(strv_len(list), 2);
    assert_string_equal(list[0], a);
    assert_string_equal(list[1], b);
    _cleanup_model_ struct model *m = NULL, *n = NULL;
    assert_int_equal(model_open("a", &m, NULL), 0);
    assert_string_equal(model_name(m), "a");
    assert_int_equal(model_context(m), 5);
    assert_int_equal(model_open(b, &n, NULL), 0);
    assert_string_equal(model_name(n), "b");
    _cleanup_error_ struct error err = {0};
    struct model *none = NULL;
    assert_int_equal(model_open("c", &none, &err), -1);
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_non_null(strstr(error_text(&err), "/models/c.json"));
    assert_int_equal(model_open("../a", &none, NULL), -1);
    assert_int_equal(model_open("A B", &none, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID);
}

static void bounds_are_upper_bounds(void **state) {
    (void)state;
    _cleanup_free_ char *path = put("models/p.json",
                                    "{" O ", \"prices\": {\"input\": 1, \"output\": 10},"
                                    "\"parameters\": {\"max_tokens\": 1000}}",
                                    0644);
    _cleanup_model_ struct model *m = NULL;
    assert_int_equal(model_open("p", &m, NULL), 0);
    struct model_message message = {MODEL_USER, "0123456789 {}[]();;"};
    struct model_request rq = {.messages = &message, .count = 1};
    int64_t tokens = 0, fewer = 0;
    double cost = 0;
    model_bound(m, &rq, &tokens, &cost);
    assert_in_range(tokens, 1000 + 18, 1200);
    assert_true(cost >= 1000 * 10 / 1e6 && cost < 0.011);
    rq.max_tokens = 10;
    model_bound(m, &rq, &fewer, &cost);
    assert_int_equal(tokens - fewer, 990);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_name_key_and_reason),
        cmocka_unit_test(urls_are_checked),
        cmocka_unit_test(a_config_written_is_read_back_the_same),
        cmocka_unit_test(key_files_must_be_private),
        cmocka_unit_test(keys_come_from_the_environment),
        cmocka_unit_test(secrets_are_taken_out_of_text),
        cmocka_unit_test(models_are_found_by_name_and_path),
        cmocka_unit_test(bounds_are_upper_bounds),
    };
    return cmocka_run_group_tests(tests, make_place, remove_place);
}
