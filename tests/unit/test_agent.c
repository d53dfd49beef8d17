/* Replay folders and the kinds of agents that need no model. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/agent.h"
#include "orchestrator/client/race.h"
#include "orchestrator/client/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static int make_place(void **state) {
    char *path = strdup("/tmp/paddock-test-XXXXXX");
    *state = path;
    return path && mkdtemp(path) ? 0 : -1;
}

static int remove_place(void **state) {
    int r = tree_remove(*state, NULL);
    free(*state);
    return r;
}

static void write_file(const char *dir, const char *name, const char *text) {
    _cleanup_free_ char *path = path_join(dir, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
}

#define EDIT               "{\"op\": \"delete\", \"path\": \"a.c\"}"
#define STEP(parent, rest) "{\"parent\": " #parent ", \"hypothesis\": \"Why.\", " rest "}"
#define REPLAY(steps)      "{\"version\": 1, \"title\": \"t\", \"steps\": [" steps "]}"

static void test_replay_reads_inline_and_separate_edits(void **state) {
    const char *dir = *state;
    _cleanup_replay_ struct replay r = {0};
    _cleanup_error_ struct error err = {0};
    write_file(dir, "one.json", "[" EDIT "]");
    write_file(dir, "two.json", "{\"edits\": [" EDIT ", " EDIT "]}");
    write_file(dir, "replay.json",
               REPLAY(STEP(0, "\"edits\": []") "," STEP(1, "\"edits_file\": \"one.json\"") "," STEP(
                   0, "\"edits_file\": \"two.json\"")));
    if (replay_load(dir, &r, &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(r.count, 3);
    assert_int_equal(json_count(r.steps[0].edits), 0);
    assert_int_equal(json_count(r.steps[1].edits), 1);
    assert_int_equal(json_count(r.steps[2].edits), 2);
    assert_int_equal(r.steps[1].parent, 1);
    assert_string_equal(r.steps[2].hypothesis, "Why.");
}

static void expect_fault(const char *dir, const char *text, const char *file, const char *part) {
    _cleanup_replay_ struct replay r = {0};
    _cleanup_error_ struct error err = {0};
    if (text) write_file(dir, "replay.json", text);
    assert_int_equal(replay_load(dir, &r, &err), -1);
    if (!strstr(error_text(&err), file) || !strstr(error_text(&err), part))
        fail_msg("“%s” lacks “%s” or “%s”", error_text(&err), file, part);
}

static void test_replay_faults_name_file_key_and_reason(void **state) {
    const char *dir = *state;
    const char *own = "replay.json";
    write_file(dir, "bad.json", "[{\"op\": \"erase\", \"path\": \"a\"}]");
    write_file(dir, "up.json", "[{\"op\": \"delete\", \"path\": \"../a\"}]");
    expect_fault(dir, "{", own, "replay.json");
    expect_fault(dir, "{\"version\": 2, \"title\": \"t\", \"steps\": []}", own, "$.version");
    expect_fault(dir, REPLAY(""), own, "$.steps: is empty");
    expect_fault(dir, "{\"version\": 1, \"title\": \"t\", \"step\": []}", own, "step");
    expect_fault(dir, REPLAY(STEP(1, "\"edits\": []")), own, "$.steps[0].parent: must be 0");
    expect_fault(dir, REPLAY(STEP(-1, "\"edits\": []")), own, "$.steps[0].parent");
    expect_fault(dir, REPLAY("{\"parent\": 0, \"hypothesis\": \"\", \"edits\": []}"), own,
                 "$.steps[0].hypothesis: must have");
    expect_fault(dir, REPLAY(STEP(0, "\"edits\": [], \"more\": 1")), own, "more");
    expect_fault(dir, REPLAY("{\"parent\": 0, \"hypothesis\": \"x\"}"), own,
                 "needs either edits or edits_file");
    expect_fault(dir, REPLAY(STEP(0, "\"edits_file\": \"../x.json\"")), own,
                 "$.steps[0].edits_file: leaves the replay's folder");
    expect_fault(dir, REPLAY(STEP(0, "\"edits_file\": \"none.json\"")), "none.json",
                 "No such file");
    expect_fault(dir, REPLAY(STEP(0, "\"edits_file\": \"bad.json\"")), "bad.json", "$[0].op");
    expect_fault(dir, REPLAY(STEP(0, "\"edits_file\": \"up.json\"")), "up.json", "$[0].path");
}

static void test_replay_follows_no_link(void **state) {
    const char *dir = *state;
    _cleanup_free_ char *link = path_join(dir, "link.json");
    assert_int_equal(symlink("/etc/passwd", link), 0);
    expect_fault(dir, REPLAY(STEP(0, "\"edits_file\": \"link.json\"")), "link.json", "");
}

/* What next() of a kind says about versions of these ids. */
static int ask(const struct agent_kind *kind, void *state, size_t count, const char *refused,
               struct agent_proposal *p, enum agent_step *step, struct error *err) {
    static const char text[] = "[{\"id\": \"v7\"}, {\"id\": \"v9\"}, {\"id\": \"v10\"}]";
    _cleanup_json_ struct json *doc = json_parse("test", text, strlen(text), NULL);
    const struct json *versions[] = {json_at(doc, 0), json_at(doc, 1), json_at(doc, 2)};
    const struct agent_view view = {.versions = versions, .count = count, .refused = refused};
    return kind->next(state, &view, p, step, err);
}

static void test_noop_and_reference_propose_once(void **state) {
    (void)state;
    static const struct agent_kind *const kinds[] = {&agent_noop, &agent_reference};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        _cleanup_(agent_proposal_clear) struct agent_proposal p = {0}, none = {0};
        enum agent_step step;
        assert_int_equal(ask(kinds[i], NULL, 1, NULL, &p, &step, NULL), 0);
        assert_int_equal(step, AGENT_PROPOSES);
        assert_string_equal(p.parent, "v7");
        assert_null(p.edits);
        if (i == 0) assert_null(p.base);
        if (i == 1) assert_string_equal(p.base, "next-record");
        assert_int_equal(ask(kinds[i], NULL, 2, NULL, &none, &step, NULL), 0);
        assert_int_equal(step, AGENT_IS_DONE);
        assert_null(none.parent);
    }
}

static void test_replay_goes_on_where_the_server_stands(void **state) {
    const char *dir = *state;
    void *r = NULL;
    enum agent_step step;
    write_file(dir, "replay.json",
               REPLAY(STEP(0, "\"edits\": []") "," STEP(1, "\"edits\": [" EDIT "]")));
    assert_int_equal(agent_replay.open(&(struct agent_options){.replay_dir = dir}, &r, NULL), 0);
    {
        _cleanup_(agent_proposal_clear) struct agent_proposal p = {0}, end = {0}, no = {0};
        _cleanup_error_ struct error err = {0};
        assert_int_equal(ask(&agent_replay, r, 2, NULL, &p, &step, NULL), 0);
        assert_int_equal(step, AGENT_PROPOSES);
        assert_string_equal(p.parent, "v9");
        assert_int_equal(json_count(p.edits), 1);
        assert_int_equal(ask(&agent_replay, r, 3, NULL, &end, &step, NULL), 0);
        assert_int_equal(step, AGENT_IS_DONE);
        assert_int_equal(ask(&agent_replay, r, 1, "no such file", &no, &step, &err), -1);
        assert_string_equal(error_text(&err), "step 1 was refused: no such file");
    }
    agent_replay.close(r);
}

static void test_agent_words_are_checked(void **state) {
    (void)state;
    static const char *const wrong[] = {"gpt", "replay", "replay:", "noop:x"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct racer r = {0};
        _cleanup_error_ struct error err = {0};
        int got = racer_parse(wrong[i], &r, &err);
        free(r.dir);
        assert_int_equal(got, -1);
        if (i == 0) assert_non_null(strstr(error_text(&err), "reference, noop, replay and model"));
    }
    struct racer good = {0};
    assert_int_equal(racer_parse("replay:/a/b", &good, NULL), 0);
    assert_ptr_equal(good.kind, &agent_replay);
    assert_string_equal(good.dir, "/a/b");
    free(good.dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replay_reads_inline_and_separate_edits, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(test_replay_faults_name_file_key_and_reason, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(test_replay_follows_no_link, make_place, remove_place),
        cmocka_unit_test(test_noop_and_reference_propose_once),
        cmocka_unit_test_setup_teardown(test_replay_goes_on_where_the_server_stands, make_place,
                                        remove_place),
        cmocka_unit_test(test_agent_words_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
