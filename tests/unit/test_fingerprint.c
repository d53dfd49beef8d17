/* Which fingerprints are of the same machine. */
#include "common/cleanup.h"
#include "orchestrator/daemon/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void expect(const char *a, const char *b, const char *wanted) {
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *got = fingerprint_differ(a, b, &err);
    if (!got) fail_msg("%s", error_text(&err));
    assert_string_equal(got, wanted);
}

static void the_same_in_any_order(void **state) {
    (void)state;
    expect("{}", "{}", "");
    expect("{\"cpu\":\"x\",\"mitigations\":{\"a\":\"1\",\"b\":\"2\"}}",
           "{\"mitigations\":{\"b\":\"2\",\"a\":\"1\"},\"cpu\":\"x\"}", "");
    expect("{\"gpus\":[\"a\",\"b\"],\"turbo\":null}", "{\"gpus\":[\"a\",\"b\"],\"turbo\":null}",
           "");
    expect("{\"memory_bytes\":1}", "{\"memory_bytes\":2}", "");
}

static void what_differs_is_named(void **state) {
    (void)state;
    expect("{\"kernel\":\"6.1\",\"cpu\":\"x\"}", "{\"kernel\":\"6.2\",\"cpu\":\"x\"}", "kernel");
    expect("{\"kernel\":\"6.1\",\"cpu\":\"x\"}", "{\"kernel\":null,\"cpu\":\"y\"}", "kernel, cpu");
    expect("{\"mitigations\":{\"a\":\"1\"}}", "{\"mitigations\":{\"a\":\"2\"}}", "mitigations");
    expect("{\"mitigations\":{\"a\":\"1\"}}", "{\"mitigations\":{\"a\":\"1\",\"b\":\"1\"}}",
           "mitigations");
    expect("{\"gpus\":[\"a\",\"b\"]}", "{\"gpus\":[\"b\",\"a\"]}", "gpus");
    expect("{\"cpus_online\":2}", "{\"cpus_online\":1}", "cpus_online");
    expect("{\"cpu\":\"x\"}", "{\"cpu\":\"x\",\"smt\":\"on\"}", "smt");
    expect("{\"cpu\":\"x\",\"smt\":\"on\"}", "{\"cpu\":\"x\"}", "smt");
}

static void what_is_no_json_is_an_error(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    assert_null(fingerprint_differ("{}", "{", &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_in_any_order),
        cmocka_unit_test(what_differs_is_named),
        cmocka_unit_test(what_is_no_json_is_an_error),
    };
    return cmocka_run_group_tests_name("fingerprint", tests, NULL, NULL);
}
