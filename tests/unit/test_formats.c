/* The three formats of a coder's reply: what applies, and what is said of what does not. */
#include "common/cleanup.h"
#include "orchestrator/agent/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static const char train_c[] = "int main(void) {\n"
                              "    int x = 1;\n"
                              "\n"
                              "    x++;\n"
                              "    return x;\n"
                              "}\n"
                              "\n"
                              "int twice(int x) {\n"
                              "    x++;\n"
                              "    x++;\n"
                              "    return x;\n"
                              "}\n";

static char *const editable[] = {"*.c", "*.h", "notes/*", "bare", NULL};

static void make_sources(struct sources *s) {
    assert_int_equal(sources_add(s, "train.c", train_c, strlen(train_c), true, NULL), 0);
    assert_int_equal(sources_add(s, "a.h", "one\ntwo\n", 8, true, NULL), 0);
    assert_int_equal(sources_add(s, "bare", "one\ntwo", 7, true, NULL), 0);
    assert_int_equal(sources_add(s, "run.sh", "echo\n", 5, false, NULL), 0);
    assert_int_equal(sources_add(s, "notes/blob", "\0\1", 2, true, NULL), 0);
    assert_int_equal(sources_add(s, "notes/link", NULL, 0, false, NULL), 0);
}

/* The reply as a patch; the caller gives both back. */
static void read_reply(enum format f, const char *reply, struct sources *s, struct patch *p) {
    make_sources(s);
    *p = (struct patch){.base = s, .editable = editable};
    assert_int_equal(format_read(f, reply, p, NULL), 0);
}

static void check_edits(const struct patch *p, const char *wanted) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    assert_int_equal(patch_encode(p, w, NULL, NULL), 0);
    assert_string_equal(json_writer_text(w, NULL), wanted);
}

static void expect(enum format f, const char *reply, const char *edits) {
    _cleanup_sources_ struct sources s = {0};
    _cleanup_patch_ struct patch p = {0};
    read_reply(f, reply, &s, &p);
    if (p.problem_count) fail_msg("%s\n%s", reply, buf_text(&p.problems));
    check_edits(&p, edits);
}

static void expect_problem(enum format f, const char *reply, const char *part) {
    _cleanup_sources_ struct sources s = {0};
    _cleanup_patch_ struct patch p = {0};
    read_reply(f, reply, &s, &p);
    if (!strstr(buf_text(&p.problems), part))
        fail_msg("“%s” lacks “%s”", buf_text(&p.problems), part);
}

static void test_whole_files(void **state) {
    (void)state;
    expect(FORMAT_WHOLE,
           "I would do this.\n\nSUMMARY: less\n\nFILE: a.h\n```c\nthree\n```\nand\n"
           "**FILE:** `notes/new.md`\n\n````\n```\ncode\n```\n````\n",
           "[{\"op\":\"write\",\"path\":\"a.h\",\"content\":\"three\\n\"},"
           "{\"op\":\"write\",\"path\":\"notes/new.md\",\"content\":\"```\\ncode\\n```\\n\"}]");
    expect(FORMAT_WHOLE, "An example:\n```\nno file\n```\nDELETE: a.h\n",
           "[{\"op\":\"delete\",\"path\":\"a.h\"}]");
    /* A link and a file that was not shown: the first never, the second whole. */
    expect(FORMAT_WHOLE, "FILE: notes/blob\n```\nx\n```\n",
           "[{\"op\":\"write\",\"path\":\"notes/blob\",\"content\":\"x\\n\"}]");
    expect_problem(FORMAT_WHOLE, "FILE: notes/link\n```\nx\n```\n", "is a link");
}

static void test_whole_faults(void **state) {
    (void)state;
    expect_problem(FORMAT_WHOLE, "FILE: a.h\n```\nthree\n", "is not closed");
    expect_problem(FORMAT_WHOLE, "FILE: a.h\nhere it is\n```\nx\n```\n", "no fenced block follows");
    expect_problem(FORMAT_WHOLE, "FILE: a.h\n", "no fenced block follows");
    expect_problem(FORMAT_WHOLE, "Nothing to do.", "holds no change");
    expect_problem(FORMAT_WHOLE, "FILE: a.h\n```\none\ntwo\n```\n", "holds no change");
    expect_problem(FORMAT_WHOLE, "FILE: a.h\n```\n1\n```\nFILE: a.h\n```\n2\n```\n", "second time");
    expect_problem(FORMAT_WHOLE, "FILE: run.sh\n```\nx\n```\n", "not among the files");
    expect_problem(FORMAT_WHOLE, "DELETE: none.c\n", "there is no file none.c");
}

static void test_paths_stay_inside(void **state) {
    (void)state;
    static const char *const paths[] = {"../a.c",       "/etc/a.c", "notes/../../a.c",
                                        "a//b.c",       "./a.c",    "",
                                        "notes/\001.c", "notes",    ".git/a.c"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        _cleanup_free_ char *whole = str_printf("FILE: %s\n```\nx\n```\n", paths[i]);
        _cleanup_free_ char *block =
            str_printf("FILE: %s\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n", paths[i]);
        _cleanup_free_ char *diff =
            str_printf("--- /dev/null\n+++ b/%s\n@@ -0,0 +1 @@\n+x\n", paths[i]);
        const char *replies[] = {whole, block, diff};
        for (int f = 0; f < 3; f++) {
            _cleanup_sources_ struct sources s = {0};
            _cleanup_patch_ struct patch p = {0};
            read_reply((enum format)f, replies[f], &s, &p);
            assert_true(p.problem_count > 0);
            assert_int_equal(p.count, 0);
        }
    }
}

#define BLOCK(old, new) "<<<<<<< SEARCH\n" old "=======\n" new ">>>>>>> REPLACE\n"

static void test_blocks(void **state) {
    (void)state;
    expect(FORMAT_BLOCKS,
           "```\nFILE: train.c\n" BLOCK("    int x = 1;\n", "    int x = 2;\n") "```\n" BLOCK(
               "    return x;\n}\n\n", "    return -x;\n}\n\n"),
           "[{\"op\":\"replace\",\"path\":\"train.c\",\"search\":\"    int x = 1;\\n\","
           "\"replace\":\"    int x = 2;\\n\"},"
           "{\"op\":\"replace\",\"path\":\"train.c\",\"search\":\"    return x;\\n}\\n\\n\","
           "\"replace\":\"    return -x;\\n}\\n\\n\"}]");
    expect(FORMAT_BLOCKS, "FILE: notes/a\n" BLOCK("", "new\n"),
           "[{\"op\":\"write\",\"path\":\"notes/a\",\"content\":\"new\\n\"}]");
    /* Lines, not text: "two" of a.h is once a line, though it is in no way once a text. */
    expect(FORMAT_BLOCKS,
           "FILE: a.h\n" BLOCK("two\n", "one\nathree\n") BLOCK("one\nathree\n", "b\n"),
           "[{\"op\":\"replace\",\"path\":\"a.h\",\"search\":\"two\\n\",\"replace\":"
           "\"one\\nathree\\n\"},"
           "{\"op\":\"replace\",\"path\":\"a.h\",\"search\":\"one\\nathree\\n\",\"replace\":"
           "\"b\\n\"}]");
    /* The file ends without a newline and keeps to that. */
    expect(FORMAT_BLOCKS, "FILE: bare\n" BLOCK("one\ntwo\n", "1\ntwo\n"),
           "[{\"op\":\"replace\",\"path\":\"bare\",\"search\":\"one\\ntwo\",\"replace\":"
           "\"1\\ntwo\"}]");
}

/* What is one line but not one text is written whole: the daemon looks for text. */
static void test_lines_that_are_no_unique_text(void **state) {
    (void)state;
    _cleanup_sources_ struct sources s = {0};
    _cleanup_patch_ struct patch p = {0};
    assert_int_equal(sources_add(&s, "a.h", "xx\nx\n", 5, true, NULL), 0);
    p = (struct patch){.base = &s, .editable = editable};
    assert_int_equal(format_read(FORMAT_BLOCKS, "FILE: a.h\n" BLOCK("x\n", "y\n"), &p, NULL), 0);
    assert_int_equal(p.problem_count, 0);
    check_edits(&p, "[{\"op\":\"write\",\"path\":\"a.h\",\"content\":\"xx\\ny\\n\"}]");
}

static void test_block_faults(void **state) {
    (void)state;
    expect_problem(FORMAT_BLOCKS, BLOCK("one\n", "1\n"), "no line FILE: path stands before");
    expect_problem(FORMAT_BLOCKS, "FILE: train.c\n" BLOCK("    x++;\n", ""), "more than once");
    expect_problem(FORMAT_BLOCKS, "FILE: train.c\n" BLOCK("    int x = 1;\n    x--;\n", ""),
                   "begins in line 2; its line 3 is “” where the reply has “    x--;”");
    expect_problem(FORMAT_BLOCKS, "FILE: train.c\n" BLOCK("\tx\n", ""), "No line of it is there");
    expect_problem(FORMAT_BLOCKS, "FILE: a.h\n<<<<<<< SEARCH\none\n>>>>>>> REPLACE\n",
                   "has no line =======");
    expect_problem(FORMAT_BLOCKS, "FILE: a.h\n<<<<<<< SEARCH\none\n=======\n", "has no line >>>>");
    expect_problem(FORMAT_BLOCKS, "FILE: a.h\n<<<<<<< search\none\n=======\n", "must be exactly");
    expect_problem(FORMAT_BLOCKS, "FILE: a.h\n" BLOCK("", "x\n"), "may not be empty");
    expect_problem(FORMAT_BLOCKS, "FILE: notes/blob\n" BLOCK("x\n", "y\n"),
                   "only be written whole");
    expect_problem(FORMAT_BLOCKS, "FILE: no.c\n" BLOCK("x\n", "y\n"), "there is no file no.c");
}

static void test_diffs(void **state) {
    (void)state;
    /* Numbers that are off, counts that are wrong, an empty context line. */
    expect(
        FORMAT_DIFF,
        "```diff\n--- a/train.c\n+++ b/train.c\n@@ -10,9 +10,9 @@ int main\n     int x = 1;\n\n"
        "-    x++;\n+    x += 2;\n     return x;\n```\n",
        "[{\"op\":\"replace\",\"path\":\"train.c\",\"search\":\"    int x = 1;\\n\\n    x++;\\n"
        "    return x;\\n\",\"replace\":\"    int x = 1;\\n\\n    x += 2;\\n    return x;\\n\"}]");
    /* Which of several is meant: the nearest to the line. */
    expect(
        FORMAT_DIFF, "--- train.c\n+++ train.c\n@@ -10 +10 @@\n-    x++;\n+    x--;\n",
        "[{\"op\":\"write\",\"path\":\"train.c\",\"content\":\"int main(void) {\\n    int x = 1;\\n"
        "\\n    x++;\\n    return x;\\n}\\n\\nint twice(int x) {\\n    x++;\\n    x--;\\n"
        "    return x;\\n}\\n\"}]");
    expect(FORMAT_DIFF,
           "diff --git a/notes/n b/notes/n\nnew file mode 100644\nindex 000..123\n--- /dev/null\n"
           "+++ b/notes/n\n@@ -0,0 +1,2 @@\n+one\n+two\n\\ No newline at end of file\n"
           "diff --git a/a.h b/a.h\ndeleted file mode 100644\n--- a/a.h\n+++ /dev/null\n"
           "@@ -1,2 +0,0 @@\n-one\n-two\n",
           "[{\"op\":\"write\",\"path\":\"notes/n\",\"content\":\"one\\ntwo\"},"
           "{\"op\":\"delete\",\"path\":\"a.h\"}]");
    /* Without numbers a place must be the only one. */
    expect(FORMAT_DIFF, "--- a/a.h\n+++ b/a.h\n@@ ... @@\n one\n-two\n+2\n",
           "[{\"op\":\"replace\",\"path\":\"a.h\",\"search\":\"one\\ntwo\\n\",\"replace\":"
           "\"one\\n2\\n\"}]");
    /* A line that is removed and looks like a header. */
    expect(FORMAT_DIFF,
           "--- a/a.h\n+++ b/a.h\n@@ -1,2 +1,3 @@\n one\n+-- x\n two\n@@ -3,1 +4,1 @@\n two\n+3\n",
           "[{\"op\":\"replace\",\"path\":\"a.h\",\"search\":\"one\\ntwo\\n\",\"replace\":"
           "\"one\\n-- x\\ntwo\\n\"},{\"op\":\"replace\",\"path\":\"a.h\",\"search\":\"two\\n\","
           "\"replace\":\"two\\n3\\n\"}]");
}

static void test_diff_faults(void **state) {
    (void)state;
    expect_problem(FORMAT_DIFF, "@@ -1 +1 @@\n-one\n+1\n", "belongs to no file");
    expect_problem(FORMAT_DIFF, "--- a/a.h\n+++ b/b.h\n@@ -1 +1 @@\n-one\n+1\n", "renames a file");
    expect_problem(FORMAT_DIFF, "--- a/a.h\n+++ b/a.h\n@@ -1,3 +1,3 @@\n one\ntwo\n",
                   "its line 5 begins with none of");
    expect_problem(FORMAT_DIFF, "--- a/a.h\n+++ b/a.h\n@@ -1 +1 @@\n-won\n+1\n", "is not in a.h");
    expect_problem(FORMAT_DIFF, "--- a/a.h\n+++ b/a.h\n@@ -1,0 +1 @@\n+1\n", "may not be empty");
    expect_problem(FORMAT_DIFF, "--- /dev/null\n+++ b/a.h\n@@ -0,0 +1 @@\n+1\n", "already");
    expect_problem(FORMAT_DIFF, "--- a/train.c\n+++ b/train.c\n@@ @@\n-    x++;\n",
                   "more than once");
    expect_problem(FORMAT_DIFF, "--- /dev/null\n+++ /dev/null\n", "names no file");
    expect_problem(FORMAT_DIFF, "rename from a\nrename to b\n", "only changes of text");
}

static void test_too_long_a_reply(void **state) {
    (void)state;
    size_t len = FORMAT_REPLY_MAX + 1;
    _cleanup_free_ char *reply = malloc(len + 1);
    assert_non_null(reply);
    memset(reply, '`', len);
    reply[len] = '\0';
    for (int f = 0; f < 3; f++) expect_problem((enum format)f, reply, "too long");
}

static void test_summary(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"SUMMARY: fewer sleeps\nFILE: a", "fewer sleeps"},
                                           {"Well.\n**Summary:** less `x`", "less `x"},
                                           {"```\nSUMMARY: code\n```", ""},
                                           {"summary of it\n", ""},
                                           {"", ""}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *got = format_summary(cases[i][0]);
        assert_string_equal(got, cases[i][1]);
    }
}

static void test_sources_for_a_prompt(void **state) {
    (void)state;
    _cleanup_sources_ struct sources s = {0};
    _cleanup_buf_ struct buf out = {0};
    assert_int_equal(sources_add(&s, "a.md", "```\nx\n```", 9, true, NULL), 0);
    assert_int_equal(sources_add(&s, "b", "\xff", 1, false, NULL), 0);
    sources_show(&s, &out);
    assert_string_equal(buf_text(&out),
                        "a.md:\n````\n```\nx\n```\n````\n\nb (may not be edited) (not shown: too "
                        "large, or not text)\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_files),
        cmocka_unit_test(test_whole_faults),
        cmocka_unit_test(test_paths_stay_inside),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_lines_that_are_no_unique_text),
        cmocka_unit_test(test_block_faults),
        cmocka_unit_test(test_diffs),
        cmocka_unit_test(test_diff_faults),
        cmocka_unit_test(test_too_long_a_reply),
        cmocka_unit_test(test_summary),
        cmocka_unit_test(test_sources_for_a_prompt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
