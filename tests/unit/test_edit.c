#include "orchestrator/version/edit.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/file.h"
#include "images/listing.h"
#include "orchestrator/version/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

/* <path>/outside/canary must never change; <path>/work is the workspace. */
struct place {
    char path[64];
    int fd, work;
};

static void put(int dirfd, const char *path, const char *text, mode_t mode) {
    _cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static int make_place(void **state) {
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/test-edit-XXXXXX");
    if (!mkdtemp(p->path)) return -1;
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(p->fd, "outside", 0755) < 0 || mkdirat(p->fd, "work", 0755) < 0 ||
        mkdirat(p->fd, "work/src", 0755) < 0)
        return -1;
    p->work = openat(p->fd, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(p->fd, "outside/canary", "safe", 0600);
    put(p->work, "train.c", "int main(void) {\n    return 1;\n}\n", 0644);
    put(p->work, "run.sh", "#!/bin/sh\n", 0755);
    put(p->work, "src/only.c", "x\n", 0644);
    *state = p;
    return p->work < 0 ? -1 : 0;
}

static int drop_place(void **state) {
    struct place *p = *state;
    close(p->work);
    close(p->fd);
    int r = tree_remove(p->path, NULL);
    free(p);
    return r;
}

static const struct edit_rules no_rules;

/* Decodes and applies. */
static int apply(struct place *p, const char *text, const struct edit_rules *rules,
                 struct error *err) {
    _cleanup_json_ struct json *doc = json_parse("edits", text, strlen(text), err);
    struct edit *edits = NULL;
    size_t count = 0;
    if (!doc || edits_decode(doc, &edits, &count, err) < 0) return -1;
    int r = edits_apply(p->work, edits, count, rules, err);
    edits_free(edits, count);
    return r;
}

static void digest_of(int dirfd, char hex[DIGEST_HEX]) {
    /* Links of hostile workspaces are not ours to list. */
    if (tree_digest(dirfd, 1000, hex, NULL) < 0) hex[0] = '\0';
}

static size_t count_names(int dirfd) {
    int listing = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fdopendir(listing);
    assert_non_null(d);
    size_t n = 0;
    while (readdir(d)) n++;
    return n;
}

/* The edits must be refused with a message that holds `text` and change nothing. */
static void refused(struct place *p, const char *edits, const struct edit_rules *rules,
                    const char *text) {
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf canary = {0};
    char before[DIGEST_HEX], after[DIGEST_HEX];
    size_t names = count_names(p->work);
    digest_of(p->work, before);
    assert_int_equal(apply(p, edits, rules, &err), -1);
    if (!strstr(error_text(&err), text)) fail_msg("\"%s\", not \"%s\"", error_text(&err), text);
    digest_of(p->work, after);
    assert_string_equal(before, after);
    assert_int_equal(names, count_names(p->work));
    assert_int_equal(file_read_at(p->fd, "outside/canary", 10, &canary, NULL), 0);
    assert_string_equal(buf_text(&canary), "safe");
    _cleanup_close_ int outside = openat(p->fd, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(count_names(outside), 3);
}

static void accepted(struct place *p, const char *edits) {
    _cleanup_error_ struct error err = {0};
    if (apply(p, edits, &no_rules, &err) < 0) fail_msg("%s", error_text(&err));
}

static void holds(struct place *p, const char *path, const char *text, mode_t mode) {
    _cleanup_buf_ struct buf content = {0};
    struct stat st;
    assert_int_equal(workspace_read(p->work, path, 1 << 20, &content, NULL), 0);
    assert_string_equal(buf_text(&content), text);
    assert_int_equal(fstatat(p->work, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

static bool exists(struct place *p, const char *path) {
    return faccessat(p->work, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void edits_do_what_they_say(void **state) {
    struct place *p = *state;
    accepted(p, "[{\"op\": \"write\", \"path\": \"a/b/new.c\", \"content\": \"new\\n\"},"
                " {\"op\": \"replace\", \"path\": \"train.c\", \"search\": \"return 1\","
                "  \"replace\": \"return 0\"},"
                " {\"op\": \"write\", \"path\": \"run.sh\", \"content\": \"#!/bin/bash\\n\"},"
                " {\"op\": \"delete\", \"path\": \"src/only.c\"}]");
    holds(p, "a/b/new.c", "new\n", 0644);
    holds(p, "train.c", "int main(void) {\n    return 0;\n}\n", 0644);
    holds(p, "run.sh", "#!/bin/bash\n", 0755);
    assert_false(exists(p, "src"));
    assert_int_equal(count_names(p->work), 5);
    accepted(p, "[]");
}

static void edits_build_on_each_other(void **state) {
    struct place *p = *state;
    accepted(p,
             "[{\"op\": \"delete\", \"path\": \"run.sh\"},"
             " {\"op\": \"write\", \"path\": \"run.sh\", \"content\": \"one two\"},"
             " {\"op\": \"replace\", \"path\": \"run.sh\", \"search\": \"two\", \"replace\": \"\"},"
             " {\"op\": \"write\", \"path\": \"gone\", \"content\": \"\"},"
             " {\"op\": \"delete\", \"path\": \"gone\"},"
             " {\"op\": \"delete\", \"path\": \"train.c\"},"
             " {\"op\": \"write\", \"path\": \"train.c/main.c\", \"content\": \"m\"}]");
    holds(p, "run.sh", "one ", 0644);
    holds(p, "train.c/main.c", "m", 0644);
    assert_false(exists(p, "gone"));
}

static void binary_content_comes_as_base64(void **state) {
    struct place *p = *state;
    accepted(p, "[{\"op\": \"write\", \"path\": \"bin\", \"content_base64\": \"AP8AAQ==\"}]");
    _cleanup_buf_ struct buf content = {0};
    assert_int_equal(workspace_read(p->work, "bin", 100, &content, NULL), 0);
    assert_int_equal(content.len, 4);
    assert_memory_equal(content.data, "\0\xff\0\1", 4);
    refused(p, "[{\"op\": \"write\", \"path\": \"b\", \"content_base64\": \"A*==\"}]", &no_rules,
            "$[0].content_base64: is not base64");
    refused(p, "[{\"op\": \"write\", \"path\": \"b\", \"content_base64\": \"AAA\"}]", &no_rules,
            "$[0].content_base64: is not base64");
}

static void malformed_edits_are_named(void **state) {
    static const struct {
        const char *edits, *text;
    } cases[] = {
        {"{}", "edits: $: must be an array, is object"},
        {"[1]", "edits: $[0]: must be an object"},
        {"[{\"op\": \"move\", \"path\": \"x\"}]", "edits: $[0].op: must be one of \"write\""},
        {"[{\"op\": \"write\", \"path\": \"x\"}]", "edits: $[0]: lacks the key \"content\""},
        {"[{\"op\": \"delete\", \"path\": \"x\", \"content\": \"\"}]", "$[0].content: unknown key"},
        {"[{\"op\": \"write\", \"path\": \"x\", \"content\": \"\", \"content_base64\": \"\"}]",
         "$[0]: has both \"content\" and \"content_base64\""},
        {"[{\"op\": \"replace\", \"path\": \"x\", \"search\": \"\", \"replace\": \"\"}]",
         "$[0].search: must not be empty"},
        {"[{\"op\": \"replace\", \"path\": \"x\", \"search\": \"a\"}]",
         "lacks the key \"replace\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        refused(*state, cases[i].edits, &no_rules, cases[i].text);
}

static void paths_stay_inside(void **state) {
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"../outside/canary", "has a \\\".\\\" or \\\"..\\\" component"},
        {"/etc/passwd", "is absolute"},
        {"a/../../outside/canary", "component"},
        {"./train.c", "component"},
        {"a//b", "has an empty component"},
        {"a/", "has an empty component"},
        {"", "is empty"},
        {"a\\nb", "has a control character"},
        {"a\\u001b[2J", "has a control character"},
        {"src", "is a folder"},
        {"src/only.c/x/y", "src/only.c/x/y"},
    };
    static const char *const ops[] = {
        "\"op\": \"write\", \"content\": \"evil\"", "\"op\": \"delete\"",
        "\"op\": \"replace\", \"search\": \"safe\", \"replace\": \"evil\""};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(ops); k++) {
            char edits[256];
            snprintf(edits, sizeof edits, "[{%s, \"path\": \"%s\"}]", ops[k], cases[i].path);
            refused(*state, edits, &no_rules, i == 0 ? "component" : cases[i].text);
        }
    }
}

/* The same, for whoever builds a struct edit without decoding it. */
static void apply_checks_paths_itself(void **state) {
    struct place *p = *state;
    static char *paths[] = {"../outside/canary", "/etc/passwd", "a/../../outside/x", "a\nb", ""};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        _cleanup_error_ struct error err = {0};
        struct edit e = {.op = EDIT_WRITE, .path = paths[i], .content = "evil", .len = 4};
        assert_int_equal(edits_apply(p->work, &e, 1, &no_rules, &err), -1);
        assert_non_null(strstr(error_text(&err), "edits[0]: the path "));
    }
    refused(p, "[1]", &no_rules, "");
}

static void links_are_not_written_through(void **state) {
    struct place *p = *state;
    char canary[96];
    snprintf(canary, sizeof canary, "%s/outside/canary", p->path);
    assert_int_equal(symlinkat("../outside", p->work, "out"), 0);
    assert_int_equal(symlinkat(canary, p->work, "file"), 0);
    refused(p, "[{\"op\": \"write\", \"path\": \"out/canary\", \"content\": \"evil\"}]", &no_rules,
            "edits[0]: out/canary: goes through a symbolic link");
    refused(p, "[{\"op\": \"write\", \"path\": \"out/new/x\", \"content\": \"evil\"}]", &no_rules,
            "goes through a symbolic link");
    refused(p, "[{\"op\": \"delete\", \"path\": \"out/canary\"}]", &no_rules,
            "goes through a symbolic link");
    refused(p, "[{\"op\": \"write\", \"path\": \"file\", \"content\": \"evil\"}]", &no_rules,
            "edits[0]: file: is a symbolic link; delete it first");
    refused(p,
            "[{\"op\": \"replace\", \"path\": \"file\", \"search\": \"safe\", \"replace\": \"x\"}]",
            &no_rules, "is a symbolic link");
    accepted(p, "[{\"op\": \"delete\", \"path\": \"file\"},"
                " {\"op\": \"write\", \"path\": \"file\", \"content\": \"mine\"}]");
    holds(p, "file", "mine", 0644);
    refused(p, "[1]", &no_rules, "");
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf content = {0};
    assert_int_equal(workspace_read(p->work, "out/canary", 100, &content, &err), -1);
    assert_string_equal(error_text(&err), "out/canary: is or goes through a symbolic link");
}

static void search_must_match_once(void **state) {
    struct place *p = *state;
    put(p->work, "t", "aaa b\naaa c\n", 0644);
    refused(p, "[{\"op\": \"replace\", \"path\": \"t\", \"search\": \"aaa\", \"replace\": \"x\"}]",
            &no_rules,
            "edits[0]: t: the search text occurs 2 times, must occur exactly once; its first line: "
            "aaa");
    refused(p, "[{\"op\": \"replace\", \"path\": \"t\", \"search\": \"d\\ne\", \"replace\": \"\"}]",
            &no_rules,
            "edits[0]: t: the search text occurs 0 times, must occur exactly once; its first line: "
            "d");
    /* "aa" is in "aaa" twice. */
    refused(p,
            "[{\"op\": \"replace\", \"path\": \"t\", \"search\": \"aa b\", \"replace\": \"\"},"
            " {\"op\": \"replace\", \"path\": \"t\", \"search\": \"aa\", \"replace\": \"\"}]",
            &no_rules, "edits[1]: t: the search text occurs 2 times");
    put(p->work, "t", "xxxxxxxxxxxxxxxxxxxxxxxx", 0644);
    refused(p, "[{\"op\": \"replace\", \"path\": \"t\", \"search\": \"x\", \"replace\": \"\"}]",
            &no_rules, "occurs at least 10 times");
    refused(p, "[{\"op\": \"replace\", \"path\": \"no\", \"search\": \"x\", \"replace\": \"\"}]",
            &no_rules, "edits[0]: no: there is no such file");
    refused(p, "[{\"op\": \"delete\", \"path\": \"no\"}]", &no_rules, "there is no such file");
}

/* The first edits are fine, the last is not, some only when moved into place. */
static void all_or_none(void **state) {
    static const char *const last[] = {
        "{\"op\": \"delete\", \"path\": \"no\"}",
        "{\"op\": \"write\", \"path\": \"run.sh/x\", \"content\": \"\"}",
        "{\"op\": \"write\", \"path\": \"new/file/x\", \"content\": \"\"}",
        "{\"op\": \"write\", \"path\": \"new\", \"content\": \"\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(last); i++) {
        char edits[512];
        snprintf(edits, sizeof edits,
                 "[{\"op\": \"write\", \"path\": \"new/file\", \"content\": \"n\"},"
                 " {\"op\": \"write\", \"path\": \"train.c\", \"content\": \"t\"},"
                 " {\"op\": \"delete\", \"path\": \"src/only.c\"}, %s]",
                 last[i]);
        refused(*state, edits, &no_rules, "");
        holds(*state, "src/only.c", "x\n", 0644);
        assert_false(exists(*state, "new"));
    }
}

static bool by_pattern(const void *context, const char *path) {
    return fnmatch(context, path, FNM_PATHNAME) == 0;
}

static void only_editable_files_change(void **state) {
    struct place *p = *state;
    const struct edit_rules rules = {.may_edit = by_pattern, .context = "*.c"};
    _cleanup_error_ struct error err = {0};
    refused(p, "[{\"op\": \"write\", \"path\": \"run.sh\", \"content\": \"\"}]", &rules,
            "edits[0]: run.sh: the task does not let this file be changed");
    refused(p, "[{\"op\": \"delete\", \"path\": \"src/only.c\"}]", &rules,
            "edits[0]: src/only.c: the task does not let");
    assert_int_equal(apply(p, "[{\"op\": \"delete\", \"path\": \"train.c\"}]", &rules, &err), 0);
}

static void the_workspace_stays_small(void **state) {
    struct place *p = *state;
    /* 33 + 10 + 2 bytes are there. */
    const struct edit_rules rules = {.source_bytes = 50, .source_files = 3};
    _cleanup_error_ struct error err = {0};
    refused(p,
            "[{\"op\": \"write\", \"path\": \"train.c\","
            "  \"content\": \"0123456789012345678901234567890123456789\"}]",
            &rules, "the workspace would have 52 bytes, 50 allowed");
    refused(p, "[{\"op\": \"write\", \"path\": \"new\", \"content\": \"\"}]", &rules,
            "the workspace would have 4 files, 3 allowed");
    assert_int_equal(apply(p,
                           "[{\"op\": \"delete\", \"path\": \"train.c\"},"
                           " {\"op\": \"write\", \"path\": \"new\", \"content\": \"0123456789\"}]",
                           &rules, &err),
                     0);
}

static void huge_edits_are_refused(void **state) {
    _cleanup_buf_ struct buf one = {0}, sum = {0}, many = {0};
    _cleanup_free_ char *text = malloc(EDIT_CONTENT_MAX + 2);
    memset(text, 'x', EDIT_CONTENT_MAX + 1);
    text[EDIT_CONTENT_MAX + 1] = '\0';
    buf_printf(&one, "[{\"op\": \"write\", \"path\": \"x\", \"content\": \"%s\"}]", text);
    refused(*state, buf_text(&one), &no_rules, "$[0]: holds a text of more than 1048576 bytes");
    for (int i = 0; i < 5; i++)
        buf_printf(&sum, "%s{\"op\": \"write\", \"path\": \"x\", \"content\": \"%s\"}",
                   i ? "," : "[", text + 1);
    buf_puts(&sum, "]");
    refused(*state, buf_text(&sum), &no_rules, "$: holds texts of more than 4194304 bytes");
    for (int i = 0; i < 65; i++)
        buf_printf(&many, "%s{\"op\": \"delete\", \"path\": \"x\"}", i ? "," : "[");
    buf_puts(&many, "]");
    refused(*state, buf_text(&many), &no_rules, "$: has 65 edits, at most 64 are taken");
}

static void edits_survive_encoding(void **state) {
    (void)state;
    struct edit edits[] = {
        {.op = EDIT_WRITE, .path = "a", .content = "t\xc3\xa9xt\n", .len = 6},
        {.op = EDIT_WRITE, .path = "b", .content = "\0\xff", .len = 2},
        {.op = EDIT_REPLACE, .path = "c", .search = "s", .replace = ""},
        {.op = EDIT_DELETE, .path = "d"},
    };
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    edits_encode(edits, ARRAY_SIZE(edits), w, NULL);
    size_t len = 0, count = 0;
    const char *text = json_writer_text(w, &len);
    assert_string_equal(text,
                        "[{\"op\":\"write\",\"path\":\"a\",\"content\":\"t\xc3\xa9xt\\n\"},"
                        "{\"op\":\"write\",\"path\":\"b\",\"content_base64\":\"AP8=\"},"
                        "{\"op\":\"replace\",\"path\":\"c\",\"search\":\"s\",\"replace\":\"\"},"
                        "{\"op\":\"delete\",\"path\":\"d\"}]");
    _cleanup_json_ struct json *doc = json_parse("e", text, len, NULL);
    struct edit *back = NULL;
    assert_int_equal(edits_decode(doc, &back, &count, NULL), 0);
    assert_int_equal(count, 4);
    assert_int_equal(back[1].len, 2);
    assert_memory_equal(back[1].content, "\0\xff", 2);
    edits_free(back, count);
}

static void workspaces_are_listed(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    _cleanup_listing_ struct listing files = {0};
    assert_int_equal(symlinkat("src/only.c", p->work, "link"), 0);
    assert_int_equal(workspace_list(p->work, &files, &err), 0);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    workspace_encode(&files, w, NULL);
    const char *text = json_writer_text(w, NULL);
    assert_true(str_starts(text, "[{\"path\":\"link\",\"bytes\":10,\"mode\":\"120000\""));
    assert_non_null(strstr(text, "{\"path\":\"run.sh\",\"bytes\":10,\"mode\":\"100755\""));
    assert_non_null(
        strstr(text, "{\"path\":\"src/only.c\",\"bytes\":2,\"mode\":\"100644\",\"sha256\":"
                     "\"73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac\"}"));
    char whole[DIGEST_HEX], listed[DIGEST_HEX];
    assert_int_equal(tree_digest(p->work, 100, whole, &err), 0);
    assert_int_equal(listing_digest(&files, listed, &err), 0);
    assert_string_equal(whole, listed);
    assert_int_equal(mkdirat(p->work, "empty", 0755), 0);
    assert_int_equal(tree_digest(p->work, 100, listed, &err), 0);
    assert_string_equal(whole, listed);
    put(p->work, "run.sh", "#!/bin/sh\n", 0644);
    assert_int_equal(tree_digest(p->work, 100, listed, &err), 0);
    assert_string_not_equal(whole, listed);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, drop_place)
    const struct CMUnitTest tests[] = {
        TEST(edits_do_what_they_say),
        TEST(edits_build_on_each_other),
        TEST(binary_content_comes_as_base64),
        TEST(malformed_edits_are_named),
        TEST(paths_stay_inside),
        TEST(apply_checks_paths_itself),
        TEST(links_are_not_written_through),
        TEST(search_must_match_once),
        TEST(all_or_none),
        TEST(only_editable_files_change),
        TEST(the_workspace_stays_small),
        TEST(huge_edits_are_refused),
        TEST(edits_survive_encoding),
        TEST(workspaces_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
