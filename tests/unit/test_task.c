#include "common/cleanup.h"
#include "common/file.h"
#include "tasks/task.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define LIMITS                                                                             \
    "{\"wall_ms\": 1000, \"memory_bytes\": 67108864, \"pids\": 8, \"output_bytes\": 4096," \
    " \"disk_bytes\": 65536, \"disk_inodes\": 64, \"tmp_bytes\": 65536}"

static const char good[] =
    "{\"version\": 1, \"name\": \"toy\", \"title\": \"A toy\", \"kind\": \"time-to-target\","
    " \"statement\": \"statement.md\", \"image\": \"host\", \"editable\": [\"*.c\", \"sub/x\"],"
    " \"max_source_bytes\": 1000, \"max_source_files\": 4,"
    " \"records\": [{\"title\": \"one\", \"description\": \"first\"},"
    "               {\"title\": \"two\", \"description\": \"second\"}],"
    " \"data\": {\"command\": [\"bible\", \"-f\"], \"package\": \"bible-kjv\","
    "   \"sha256\": \"cd45f0c9cedab8e4439bd6486c8952c77cc8b0ecc5d1f6ae3513f2039f47229d\","
    "   \"bytes\": 440000, \"file\": \"train.txt\", \"block_bytes\": 4096, \"held_out\": 0.05,"
    "   \"hide\": [\"/usr/lib/bible.data\"]},"
    " \"phases\": {"
    "   \"build\": {\"argv\": [\"sh\", \"build.sh\"], \"policy\": \"build\", \"limits\": " LIMITS
    "},"
    "   \"train\": {\"argv\": [\"./a\"], \"policy\": \"train\", \"limits\": " LIMITS "},"
    "   \"examine\": {\"kind\": \"lockstep\", \"argv\": [\"./a\", \"predict\"],"
    "     \"policy\": \"strict\", \"limits\": " LIMITS ", \"network\": \"loopback\","
    "     \"streams\": 8, \"tokens\": 64, \"rounds\": 2, \"vocabulary\": 256}},"
    " \"artifact\": {\"path\": \"out\", \"bytes\": 1000, \"files\": 2},"
    " \"metric\": {\"name\": \"loss\", \"unit\": \"bits per byte\", \"higher_is_better\": false,"
    "   \"target\": 2.5, \"p\": 0.01},"
    " \"measure\": {\"blocks_min\": 3, \"blocks_max\": 9, \"half_width\": 0.2,"
    "   \"budget_s\": 600}}";

static char root[64];

static void put(const char *name, const char *text) {
    _cleanup_free_ char *path = path_join(root, name);
    _cleanup_free_ char *dir = strdup(path);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(dir_make(dir, 0755, NULL), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static int make_folder(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/paddock-task-XXXXXX");
    assert_non_null(mkdtemp(root));
    put("task.json", good);
    put("statement.md", "Be fast.\n");
    put("records/1/a.c", "int main(void) { return 0; }\n");
    put("records/2/a.c", "int main(void) { return 1; }\n");
    put("hints/1/1-pseudocode.md", "think\n");
    put("hints/1/2-description.md", "think more\n");
    put("hints/1/3-paper.md", "think most\n");
    return 0;
}

static int drop_folder(void **state) {
    (void)state;
    return tree_remove(root, NULL);
}

/* The good document with the first `from` replaced. */
static char *changed(const char *from, const char *to) {
    const char *at = strstr(good, from);
    assert_non_null(at);
    return str_printf("%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
}

static void everything_is_read(void **state) {
    (void)state;
    _cleanup_task_ struct task t = {0};
    _cleanup_error_ struct error err = {0};
    if (task_load(root, &t, &err) < 0) fail_msg("%s", error_text(&err));
    assert_string_equal(t.name, "toy");
    assert_int_equal(t.kind, TASK_TIME_TO_TARGET);
    assert_string_equal(t.dir, root);
    assert_string_equal(t.statement, "Be fast.\n");
    assert_int_equal(t.record_count, 2);
    assert_string_equal(t.records[1].title, "two");
    assert_true(str_ends(t.records[1].dir, "/records/2"));
    assert_string_not_equal(t.records[0].digest, t.records[1].digest);
    assert_string_equal(t.data.command[1], "-f");
    assert_string_equal(t.data.hide[0], "/usr/lib/bible.data");
    assert_true(t.data.held_out == 0.05);
    assert_true(t.has_build);
    assert_string_equal(t.build.argv[1], "build.sh");
    assert_int_equal(t.train.limits.wall_ms, 1000);
    assert_int_equal(t.train.limits.cpu_ms, 0);
    assert_int_equal(t.train.network, NETWORK_NONE);
    assert_int_equal(t.examine.network, NETWORK_LOOPBACK);
    assert_int_equal(t.examiner, EXAMINER_LOCKSTEP);
    assert_int_equal(t.vocabulary, 256);
    assert_int_equal(t.artifact_files, 2);
    assert_true(t.has_target && t.target == 2.5);
    assert_true(t.p == 0.01 && t.budget_s == 600);
    assert_int_equal(t.blocks_max, 9);
    assert_int_equal(strlen(t.digest), 64);
}

static void gpus_are_counted_in_train_and_examine(void **state) {
    (void)state;
    struct task t = {0};
    assert_int_equal(task_load(root, &t, NULL), 0);
    assert_int_equal(t.train.gpus, 0);
    assert_int_equal(t.examine.gpus, 0);
    task_clear(&t);
    _cleanup_free_ char *two = changed("\"argv\": [\"./a\"],", "\"argv\": [\"./a\"], \"gpus\": 2,");
    put("task.json", two);
    assert_int_equal(task_load(root, &t, NULL), 0);
    assert_int_equal(t.train.gpus, 2);
    task_clear(&t);
    static const char *const bad[][3] = {
        {"\"argv\": [\"./a\"],", "\"argv\": [\"./a\"], \"gpus\": 17,", "$.phases.train.gpus"},
        {"\"argv\": [\"./a\"],", "\"argv\": [\"./a\"], \"gpus\": -1,", "$.phases.train.gpus"},
        {"\"streams\": 8,", "\"gpus\": \"1\", \"streams\": 8,", "$.phases.examine.gpus"},
        {"\"policy\": \"build\",", "\"policy\": \"build\", \"gpus\": 1,", "$.phases.build"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_error_ struct error err = {0};
        _cleanup_free_ char *text = changed(bad[i][0], bad[i][1]);
        put("task.json", text);
        assert_int_equal(task_load(root, &t, &err), -1);
        assert_non_null(strstr(error_text(&err), bad[i][2]));
        task_clear(&t);
    }
}

static void faults_name_file_key_and_reason(void **state) {
    (void)state;
    static const struct {
        const char *from, *to, *want;
    } rows[] = {
        {"\"version\": 1", "\"version\": 2", "$.version: must be between 1 and 1"},
        {"\"title\": \"A toy\",", "", "lacks the key \"title\""},
        {"\"title\": \"A toy\",", "\"title\": \"x\", \"colour\": 1,", "colour"},
        {"\"name\": \"toy\"", "\"name\": \"../toy\"", "$.name: must be 1 to 64"},
        {"time-to-target", "race", "$.kind: must be one of"},
        {"\"statement.md\"", "\"../../etc/passwd\"", "$.statement: must be a path below"},
        {"[\"*.c\", \"sub/x\"]", "[]", "$.editable: must be an array of at least one"},
        {"\"*.c\"", "\"/etc/*\"", "$.editable[0]: must be a path below the workspace"},
        {"\"*.c\"", "\"[a-z.c\"", "$.editable[0]: has a [ without its ]"},
        {"\"*.c\"", "\"a\\\\\"", "$.editable[0]: ends in a lone backslash"},
        {"\"sub/x\"", "\"../x\"", "$.editable[1]: must be a path below"},
        {"\"max_source_bytes\": 1000", "\"max_source_bytes\": 10", "max_source_bytes is 10"},
        {"\"max_source_files\": 4", "\"max_source_files\": 0",
         "$.max_source_files: must be between"},
        {"cd45f0", "cd45f", "$.data.sha256: must be 64 hexadecimal digits"},
        {"cd45f0", "zd45f0", "$.data.sha256: must be 64 hexadecimal digits"},
        {"\"data\": {", "\"data\": {\"store\": \"../x\",", "$.data: lacks the key \"digest\""},
        {"\"held_out\": 0.05", "\"held_out\": 0.9", "$.data.held_out: must be between"},
        {"\"file\": \"train.txt\"", "\"file\": \"../t\"", "$.data.file: must be a plain file name"},
        {"\"/usr/lib/bible.data\"", "\"/usr/../x\"", "$.data.hide[0]: must be an absolute path"},
        {"\"block_bytes\": 4096", "\"block_bytes\": 64", "a block must hold tokens + 1 bytes"},
        {"[\"sh\", \"build.sh\"]", "[]", "$.phases.build.argv: must name a program"},
        {"\"wall_ms\": 1000, ", "", "$.phases.build.limits: lacks the key \"wall_ms\""},
        {"\"pids\": 8", "\"pids\": -1", "$.phases.build.limits.pids: must be between 1"},
        {"\"network\": \"loopback\"", "\"network\": \"host\"", "$.phases.examine.network"},
        {"\"rounds\": 2, ", "", "$.phases.examine: a lockstep needs"},
        {"\"streams\": 8", "\"streams\": 1025",
         "$.phases.examine.streams: must be between 1 and 1024"},
        {"\"lockstep\"", "\"program\"", "belong to a lockstep only"},
        {"\"path\": \"out\"", "\"path\": \"../out\"", "$.artifact.path: must be a path below"},
        {",   \"target\": 2.5, \"p\": 0.01", "", "$.metric: time-to-target needs a target"},
        {"\"target\": 2.5, ", "", "$.metric.p: says how surely a target is met"},
        {"\"p\": 0.01", "\"p\": 0.6", "$.metric.p: must be between"},
        {"\"budget_s\": 600", "\"budget_s\": 0", "$.measure.budget_s: must be between"},
        {"\"blocks_max\": 9", "\"blocks_max\": 2", "$.measure.blocks_max: must not be below"},
        {"600}", "600, \"bounds\": {\"steal\": -1}}", "$.measure.bounds.steal: must be between"},
        {"600}", "600, \"bounds\": {\"stolen\": 1}}", "$.measure.bounds.stolen: unknown key"},
        {"600}", "600, \"bounds\": 1}", "$.measure.bounds: must be an object"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *text = changed(rows[i].from, rows[i].to);
        put("task.json", text);
        _cleanup_task_ struct task t = {0};
        _cleanup_error_ struct error err = {0};
        assert_int_equal(task_load(root, &t, &err), -1);
        if (!strstr(error_text(&err), rows[i].want))
            fail_msg("got \"%s\", want \"%s\"", error_text(&err), rows[i].want);
        assert_non_null(strstr(error_text(&err), root));
    }
}

/* What is named replaces the default, null opens it; null for all opens all. */
static void bounds_have_defaults(void **state) {
    (void)state;
    struct task_bounds defaults;
    task_bounds_default(&defaults);
    _cleanup_task_ struct task plain = {0}, some = {0}, none = {0};
    assert_int_equal(task_load(root, &plain, NULL), 0);
    assert_memory_equal(&plain.bounds, &defaults, sizeof defaults);
    _cleanup_free_ char *named =
        changed("600}", "600, \"bounds\": {\"steal\": 0.5, \"swap_pages\": null}}");
    put("task.json", named);
    assert_int_equal(task_load(root, &some, NULL), 0);
    assert_true(some.bounds.most[BOUND_STEAL] > 0.4999 && some.bounds.most[BOUND_STEAL] < 0.5001);
    assert_true(isinf(some.bounds.most[BOUND_SWAP_PAGES]));
    assert_true(some.bounds.most[BOUND_GAUGE_CPU] <= defaults.most[BOUND_GAUGE_CPU]);
    _cleanup_free_ char *open = changed("600}", "600, \"bounds\": null}");
    put("task.json", open);
    assert_int_equal(task_load(root, &none, NULL), 0);
    for (int i = 0; i < BOUND_COUNT; i++) assert_true(isinf(none.bounds.most[i]));
}

static void every_fault_is_told_at_once(void **state) {
    (void)state;
    _cleanup_free_ char *text = changed("\"name\": \"toy\", \"title\": \"A toy\"",
                                        "\"name\": \"TOY\", \"titel\": \"A toy\"");
    put("task.json", text);
    put("records/2/b.h", "\n");
    put("hints/1/2-description.md", "");
    _cleanup_free_ char *hint = path_join(root, "hints/1/3-paper.md");
    _cleanup_free_ char *statement = path_join(root, "statement.md");
    assert_int_equal(unlink(hint), 0);
    assert_int_equal(unlink(statement), 0);
    _cleanup_buf_ struct buf faults = {0};
    int count = task_check(root, &faults, NULL);
    static const char *const want[] = {
        "lacks the key \"title\"",
        "titel",
        "$.name: must be",
        "statement.md: No such file",
        "records/2/b.h: no pattern of \"editable\" matches it",
        "hints/1/2-description.md: is empty",
        "hints/1/3-paper.md: is missing",
    };
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        if (!strstr(buf_text(&faults), want[i]))
            fail_msg("no \"%s\" in:\n%s", want[i], buf_text(&faults));
    size_t lines = 0;
    for (const char *p = buf_text(&faults); *p; p++) lines += *p == '\n';
    assert_int_equal(lines, count);
    assert_true(count >= 7);
}

/* What is the same in all records may be out of the agents' reach. */
static void a_file_may_be_fixed(void **state) {
    (void)state;
    put("records/1/fixed.h", "1\n");
    put("records/2/fixed.h", "1\n");
    _cleanup_buf_ struct buf faults = {0};
    assert_int_equal(task_check(root, &faults, NULL), 0);
    put("records/2/fixed.h", "2\n");
    assert_int_equal(task_check(root, &faults, NULL), 2);
    assert_non_null(strstr(buf_text(&faults), "records/2/fixed.h: no pattern of \"editable\""));
    buf_free(&faults);
    put("records/2/fixed.h", "1\n");
    _cleanup_free_ char *text = changed("[\"*.c\", \"sub/x\"]", "[\"*.rs\"]");
    put("task.json", text);
    assert_true(task_check(root, &faults, NULL) >= 2);
    assert_non_null(strstr(buf_text(&faults), "\"editable\" matches none of its files"));
}

static void a_policy_must_exist(void **state) {
    (void)state;
    _cleanup_free_ char *text = changed("\"policy\": \"train\"", "\"policy\": \"lenient\"");
    put("task.json", text);
    _cleanup_buf_ struct buf faults = {0};
    assert_true(task_check(root, &faults, NULL) >= 1);
    assert_non_null(strstr(buf_text(&faults), "$.phases.train.policy: "));
    assert_null(strstr(buf_text(&faults), "$.phases.build.policy"));
}

static void source_must_not_hold_the_answers(void **state) {
    (void)state;
    _cleanup_free_ char *text =
        changed("\"max_source_bytes\": 1000", "\"max_source_bytes\": 30000");
    put("task.json", text);
    _cleanup_buf_ struct buf faults = {0};
    assert_int_equal(task_check(root, &faults, NULL), 1);
    assert_non_null(strstr(buf_text(&faults), "could hold the held-out text (about 22000 bytes)"));
}

static void records_are_plain_files_only(void **state) {
    (void)state;
    _cleanup_free_ char *link = path_join(root, "records/1/link.c");
    assert_int_equal(symlink("/etc/passwd", link), 0);
    _cleanup_task_ struct task t = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(task_load(root, &t, &err), -1);
    assert_non_null(strstr(error_text(&err), "link.c: is a symbolic link"));
    assert_int_equal(unlink(link), 0);
    assert_int_equal(mkfifo(link, 0644), 0);
    error_clear(&err);
    task_clear(&t);
    assert_int_equal(task_load(root, &t, &err), -1);
    assert_non_null(strstr(error_text(&err), "link.c: neither a file nor a folder"));
}

static void a_record_without_files_is_a_fault(void **state) {
    (void)state;
    _cleanup_free_ char *path = path_join(root, "records/2/a.c");
    assert_int_equal(unlink(path), 0);
    _cleanup_task_ struct task t = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(task_load(root, &t, &err), -1);
    assert_non_null(strstr(error_text(&err), "/records/2: has no file"));
}

static void digest_of(char out[DIGEST_HEX]) {
    _cleanup_task_ struct task t = {0};
    assert_int_equal(task_load(root, &t, NULL), 0);
    memcpy(out, t.digest, DIGEST_HEX);
}

static void digest_follows_what_is_raced(void **state) {
    (void)state;
    char before[DIGEST_HEX], after[DIGEST_HEX];
    digest_of(before);
    digest_of(after);
    assert_string_equal(before, after);
    put("hints/1/1-pseudocode.md", "think again\n");
    digest_of(after);
    assert_string_equal(before, after);
    _cleanup_free_ char *path = path_join(root, "records/1/a.c");
    assert_int_equal(chmod(path, 0755), 0);
    digest_of(after);
    assert_string_not_equal(before, after);
    assert_int_equal(chmod(path, 0600), 0);
    digest_of(after);
    assert_string_equal(before, after);
    put("statement.md", "Be slow.\n");
    digest_of(after);
    assert_string_not_equal(before, after);
}

static void hints_are_found_by_step_and_level(void **state) {
    (void)state;
    _cleanup_task_ struct task t = {0};
    assert_int_equal(task_load(root, &t, NULL), 0);
    _cleanup_free_ char *text = NULL;
    assert_int_equal(task_hint(&t, 1, 2, &text, NULL), 0);
    assert_string_equal(text, "think more\n");
    _cleanup_error_ struct error err = {0};
    char *none = NULL;
    assert_int_equal(task_hint(&t, 2, 1, &none, &err), -1);
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_int_equal(task_hint(&t, 1, 0, &none, &err), -1);
    assert_int_equal(task_hint(&t, 0, 1, &none, &err), -1);
    assert_null(none);
}

static void editable_paths_stay_inside(void **state) {
    (void)state;
    _cleanup_task_ struct task t = {0};
    assert_int_equal(task_load(root, &t, NULL), 0);
    assert_true(task_may_edit(&t, "a.c"));
    assert_true(task_may_edit(&t, "sub/x"));
    static const char *const no[] = {"sub/a.c",   "../a.c", "/a.c",     "a.h",  "",
                                     ".hidden.c", "./a.c",  "a/../b.c", "sub/", "x//a.c"};
    for (size_t i = 0; i < ARRAY_SIZE(no); i++) assert_false(task_may_edit(&t, no[i]));
}

static void references_are_names_and_steps(void **state) {
    (void)state;
    static const struct {
        const char *ref, *name;
        int64_t step;
    } rows[] = {
        {"tinygpt", "tinygpt", 1}, {"tinygpt:3", "tinygpt", 3},
        {"./a/b", "./a/b", 1},     {"/t/x:2", "/t/x", 2},
        {"tinygpt:0", NULL, 0},    {"tinygpt:", NULL, 0},
        {"tinygpt:-1", NULL, 0},   {"tinygpt:1x", NULL, 0},
        {"Tiny", NULL, 0},         {"", NULL, 0},
        {":1", NULL, 0},           {"a:1:99999999999999999999", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *name = NULL;
        int64_t step = 0;
        int want = rows[i].name ? 0 : -1;
        assert_int_equal(task_ref_parse(rows[i].ref, &name, &step, NULL), want);
        if (want < 0) continue;
        assert_string_equal(name, rows[i].name);
        assert_int_equal(step, rows[i].step);
    }
}

static void catalogues_are_asked_in_order(void **state) {
    (void)state;
    _cleanup_free_ char *catalogue = path_join(root, "mine");
    put("mine/toy/task.json", "{}");
    put("mine/collatz/task.json", "{}");
    put("mine/empty/readme", "");
    assert_int_equal(setenv("PADDOCK_TASKS", catalogue, 1), 0);
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *collatz = task_find("collatz", NULL);
    assert_non_null(collatz);
    assert_true(str_starts(collatz, catalogue));
    _cleanup_strv_ char **names = NULL;
    assert_int_equal(task_list(&names, NULL), 0);
    int toys = 0, collatzes = 0;
    for (size_t i = 0; names[i]; i++) {
        toys += str_eq(names[i], "toy");
        collatzes += str_eq(names[i], "collatz");
        assert_false(str_eq(names[i], "empty"));
        if (i) assert_true(strcmp(names[i - 1], names[i]) < 0);
    }
    assert_int_equal(toys, 1);
    assert_int_equal(collatzes, 1);
    assert_null(task_find("nonesuch", &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_non_null(strstr(error_text(&err), catalogue));
    assert_null(task_find("../etc", &err));
    assert_int_equal(unsetenv("PADDOCK_TASKS"), 0);
    _cleanup_free_ char *by_path = task_find(root, NULL);
    assert_string_equal(by_path, root);
}

/* What is shipped passes its own check. */
static void the_shipped_tasks_are_sound(void **state) {
    (void)state;
    _cleanup_strv_ char **names = NULL;
    assert_int_equal(task_list(&names, NULL), 0);
    assert_true(strv_len(names) >= 2);
    for (char **n = names; *n; n++) {
        _cleanup_free_ char *dir = task_find(*n, NULL);
        _cleanup_buf_ struct buf faults = {0};
        _cleanup_error_ struct error err = {0};
        int count = task_check(dir, &faults, &err);
        if (count) fail_msg("%s: %s%s", *n, buf_text(&faults), count < 0 ? error_text(&err) : "");
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, drop_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(everything_is_read),
        TEST(gpus_are_counted_in_train_and_examine),
        TEST(faults_name_file_key_and_reason),
        TEST(bounds_have_defaults),
        TEST(every_fault_is_told_at_once),
        TEST(a_file_may_be_fixed),
        TEST(a_policy_must_exist),
        TEST(source_must_not_hold_the_answers),
        TEST(records_are_plain_files_only),
        TEST(a_record_without_files_is_a_fault),
        TEST(digest_follows_what_is_raced),
        TEST(hints_are_found_by_step_and_level),
        TEST(editable_paths_stay_inside),
        TEST(references_are_names_and_steps),
        TEST(catalogues_are_asked_in_order),
        TEST(the_shipped_tasks_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
