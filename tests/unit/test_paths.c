/* Where things lie, by scope and environment. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/paths/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static int clear(void **state) {
    (void)state;
    static const char *const names[] = {"PADDOCK_STATE",  "PADDOCK_SOCKET",  "PADDOCK_BIN",
                                        "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "PADDOCK_CONFIG",
                                        "XDG_CONFIG_HOME"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) unsetenv(names[i]);
    setenv("HOME", "/home/ada", 1);
    return 0;
}

static void the_state_follows_the_rules(void **state) {
    (void)state;
    _cleanup_free_ char *service = paths_state(PATHS_SERVICE, NULL);
    _cleanup_free_ char *home = paths_state(PATHS_PRIVATE, NULL);
    assert_string_equal(service, "/var/lib/paddock");
    assert_string_equal(home, "/home/ada/.local/state/paddock");
    setenv("XDG_STATE_HOME", "relative", 1); /* is to be ignored */
    _cleanup_free_ char *ignored = paths_state(PATHS_PRIVATE, NULL);
    assert_string_equal(ignored, "/home/ada/.local/state/paddock");
    setenv("XDG_STATE_HOME", "/x", 1);
    _cleanup_free_ char *xdg = paths_state(PATHS_PRIVATE, NULL);
    assert_string_equal(xdg, "/x/paddock");
    setenv("PADDOCK_STATE", "/s", 1);
    _cleanup_free_ char *set = paths_state(PATHS_SERVICE, NULL);
    assert_string_equal(set, "/s");
}

static void configs_are_looked_for_in_order(void **state) {
    (void)state;
    _cleanup_strv_ char **home = paths_config(NULL);
    assert_string_equal(home[0], "/home/ada/.config/paddock");
    assert_string_equal(home[1], "/etc/paddock");
    assert_null(home[2]);
    setenv("XDG_CONFIG_HOME", "/x", 1);
    _cleanup_strv_ char **xdg = paths_config(NULL);
    assert_string_equal(xdg[0], "/x/paddock");
    setenv("PADDOCK_CONFIG", "/c", 1);
    _cleanup_strv_ char **set = paths_config(NULL);
    assert_string_equal(set[0], "/c");
    assert_null(set[1]);
}

static void the_socket_follows_the_rules(void **state) {
    (void)state;
    _cleanup_free_ char *service = paths_socket(PATHS_SERVICE, NULL);
    _cleanup_free_ char *fallback = paths_socket(PATHS_PRIVATE, NULL);
    _cleanup_free_ char *wanted = str_printf("/tmp/paddock-%u/paddockd.sock", (unsigned)geteuid());
    assert_string_equal(service, "/run/paddock/paddockd.sock");
    assert_string_equal(fallback, wanted);
    setenv("XDG_RUNTIME_DIR", "/r", 1);
    _cleanup_free_ char *xdg = paths_socket(PATHS_PRIVATE, NULL);
    assert_string_equal(xdg, "/r/paddock/paddockd.sock");
    setenv("PADDOCK_SOCKET", "/p/s", 1);
    _cleanup_free_ char *set = paths_socket_client(NULL);
    assert_string_equal(set, "/p/s");
}

static void a_socket_must_fit_its_address(void **state) {
    (void)state;
    char path[300];
    memset(path, 'a', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    setenv("PADDOCK_SOCKET", path, 1);
    _cleanup_error_ struct error err = {0};
    assert_null(paths_socket(PATHS_PRIVATE, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
}

static void programs_are_found_or_named(void **state) {
    (void)state;
    setenv("PADDOCK_BIN", "/bin", 1);
    _cleanup_free_ char *sh = paths_program("sh", NULL);
    assert_string_equal(sh, "/bin/sh");
    _cleanup_error_ struct error err = {0};
    assert_null(paths_program("no-such-program", &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_non_null(strstr(error_text(&err), "/bin/no-such-program"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_state_follows_the_rules, clear),
        cmocka_unit_test_setup(configs_are_looked_for_in_order, clear),
        cmocka_unit_test_setup(the_socket_follows_the_rules, clear),
        cmocka_unit_test_setup(a_socket_must_fit_its_address, clear),
        cmocka_unit_test_setup(programs_are_found_or_named, clear),
    };
    return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
