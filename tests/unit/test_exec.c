/* The command line of `paddock exec`. */
#include "common/cleanup.h"
#include "orchestrator/exec/quantity.h"
#include "orchestrator/exec/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void durations(void **state) {
    (void)state;
    struct {
        const char *text;
        int64_t ms;
    } good[] = {{"10s", 10000}, {"250ms", 250}, {"2m", 120000}, {"1.5", 1500}, {"1h", 3600000}};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        int64_t ms = 0;
        assert_int_equal(quantity_ms(good[i].text, &ms, NULL), 0);
        assert_int_equal(ms, good[i].ms);
    }
    const char *bad[] = {"",    "s",    "-1s",   "0",     "10 s",  "10x", "inf",
                         "nan", "0x10", "1e30h", "0.1ms", "+0x10", " 5",  "+5"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        int64_t ms = 0;
        _cleanup_error_ struct error err = {0};
        assert_int_equal(quantity_ms(bad[i], &ms, &err), -1);
        assert_int_equal(err.kind, ERROR_INVALID);
    }
}

static void sizes(void **state) {
    (void)state;
    int64_t bytes = 0;
    assert_int_equal(quantity_bytes("512M", &bytes, NULL), 0);
    assert_int_equal(bytes, 512 << 20);
    assert_int_equal(quantity_bytes("1.5KiB", &bytes, NULL), 0);
    assert_int_equal(bytes, 1536);
    _cleanup_error_ struct error err = {0};
    assert_int_equal(quantity_bytes("12Q", &bytes, &err), -1);
    assert_string_equal(error_text(&err), "\"12Q\" has an unknown unit; write it like 512M or 2G");
}

static int make(char *const *options, char *const *command, struct exec_request *out,
                struct error *err) {
    _cleanup_args_ struct args args = {0};
    if (args_parse(exec_options, NULL, options, &args, err) < 0) return -1;
    return exec_request_make(&args, command, out, err);
}

static void refused(char *const *options, const char *message) {
    struct exec_request r = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(make(options, (char *[]){"true", NULL}, &r, &err), -1);
    assert_string_equal(error_text(&err), message);
    exec_request_clear(&r);
}

static void bad_options_are_named(void **state) {
    (void)state;
    refused((char *[]){"--wall", "soon", NULL},
            "--wall: \"soon\" is not a quantity such as 10s, 250ms or 2m");
    refused((char *[]){"--net", "internet", NULL}, "--net internet: must be none or loopback");
    refused((char *[]){"--ro", "/etc", NULL}, "--ro /etc: must be SRC:DST with an absolute DST");
    refused((char *[]){"--env", "=x", NULL}, "--env =x: must be KEY=VALUE");
    refused((char *[]){"--collect", "out", NULL}, "--collect needs --out DIR to keep the files in");
}

static void nothing_is_inherited(void **state) {
    (void)state;
    struct exec_request r = {0};
    _cleanup_error_ struct error err = {0};
    if (make((char *[]){"--env", "A=1", "--env", "PATH=/x", "--ro", "/etc:/data", "--mem", "64M",
                        "--require", "seccomp,memory", NULL},
             (char *[]){"prog", "--wall", NULL}, &r, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_string_equal(r.spec.argv[1], "--wall");
    assert_int_equal(strv_len(r.spec.env), 5);
    assert_string_equal(r.spec.env[4], "PATH=/x");
    assert_int_equal(r.spec.mount_count, 1);
    assert_string_equal(r.spec.mounts[0].target, "/data");
    assert_false(r.spec.mounts[0].writable);
    assert_int_equal(r.spec.limits.memory_bytes, 64 << 20);
    assert_int_equal(strv_len(r.spec.require), 2);
    exec_request_clear(&r);
}

static void a_result_on_stdout_stands_alone(void **state) {
    (void)state;
    struct exec_request r = {0};
    char *command[] = {"true", NULL};
    assert_int_equal(make((char *[]){"--json", "-", NULL}, command, &r, NULL), 0);
    assert_int_equal(r.spec.stdout_mode, STDIO_FILE);
    exec_request_clear(&r);
    assert_int_equal(make((char *[]){"--json", "r.json", NULL}, command, &r, NULL), 0);
    assert_int_equal(r.spec.stdout_mode, STDIO_TEE);
    exec_request_clear(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(bad_options_are_named),
        cmocka_unit_test(nothing_is_inherited),
        cmocka_unit_test(a_result_on_stdout_stands_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
