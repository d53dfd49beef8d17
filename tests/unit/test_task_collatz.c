/* The examiner of collatz against answers it must not be fooled by. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static char root[64];

static int make_folder(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/paddock-collatz-XXXXXX");
    assert_non_null(mkdtemp(root));
    return 0;
}

static int drop_folder(void **state) {
    (void)state;
    return tree_remove(root, NULL);
}

/* What the examiner says of <root>/answer.txt; exactly one line, status 0. */
static void expect(const char *want) {
    _cleanup_free_ char *command = str_printf("%s %s/answer.txt", VERIFY_PROGRAM, root);
    char line[256] = "", rest[8];
    FILE *f = popen(command, "re"); /* NOLINT(cert-env33-c): our own words only */
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_null(fgets(rest, sizeof rest, f));
    assert_int_equal(pclose(f), 0);
    if (!strstr(line, want)) fail_msg("got %s, want %s", line, want);
}

static void answer(const char *text, size_t len) {
    _cleanup_free_ char *path = path_join(root, "answer.txt");
    assert_int_equal(file_write_atomic(path, text, len, 0644, NULL), 0);
}

static void steps_are_counted(void **state) {
    (void)state;
    answer("1000060315183\n", 14);
    expect("{\"metric\": 1162}");
    answer("1000000000000", 13);
    expect("{\"metric\": ");
    answer("1009999999999\n", 14);
    expect("{\"metric\": ");
}

static void other_text_is_invalid(void **state) {
    (void)state;
    static const char *const none[] = {"",
                                       "\n",
                                       "0",
                                       "-1",
                                       "+1000060315183",
                                       "1e12\n",
                                       "0x1",
                                       " 1",
                                       "1 \n",
                                       "1000060315183\n\n",
                                       "nan",
                                       "{\"metric\": 9999}\n",
                                       "1000060315183\r\n",
                                       "99999999999999999999999999999999"};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        answer(none[i], strlen(none[i]));
        expect("{\"invalid\": \"answer.txt is not one whole number");
    }
    answer("1000060315183\0", 14);
    expect("not one whole number");
    answer("27\n", 3);
    expect("outside the window");
    answer("1010000000000\n", 14);
    expect("outside the window");
    answer("9999999999999999999\n", 20);
    expect("outside the window");
    char flood[100000];
    memset(flood, '1', sizeof flood);
    answer(flood, sizeof flood);
    expect("longer than 64 bytes");
}

static void only_a_regular_file_is_read(void **state) {
    (void)state;
    _cleanup_free_ char *path = path_join(root, "answer.txt");
    expect("cannot be opened");
    assert_int_equal(symlink("/etc/hostname", path), 0);
    expect("cannot be opened");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0);
    expect("not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    expect("not a regular file");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, drop_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(steps_are_counted),
        TEST(other_text_is_invalid),
        TEST(only_a_regular_file_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
