/* The roles against a model that says what a script says, and the configuration. */
#include "common/cleanup.h"
#include "orchestrator/agent/roles.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

struct scripted {
    const char *replies[6]; /* one that begins with '!' is a fault */
    size_t used;
    char keys[6][40];
    size_t turns[6];
    struct buf prompts[6]; /* the user's last turn */
};

static void scripted_clear(struct scripted *s) {
    for (size_t i = 0; i < ARRAY_SIZE(s->prompts); i++) buf_free(&s->prompts[i]);
}

static int say(void *context, enum role role, const char *key, const struct turn *turns,
               size_t count, struct role_answer *out, struct error *err) {
    struct scripted *s = context;
    (void)role;
    assert_true(s->used < ARRAY_SIZE(s->replies) && s->replies[s->used]);
    const char *reply = s->replies[s->used];
    if (str_eq(reply, "stop")) return error_set(err, ERROR_LIMIT, "no money");
    snprintf(s->keys[s->used], sizeof s->keys[0], "%s", key);
    s->turns[s->used] = count;
    assert_int_equal(turns[0].speaker, SPEAKER_SYSTEM);
    assert_int_equal(turns[count - 1].speaker, SPEAKER_USER);
    buf_puts(&s->prompts[s->used++], turns[count - 1].text);
    if (reply[0] == '!') out->fault = strdup(reply + 1);
    else out->text = strdup(reply);
    return 0;
}

struct office {
    struct scripted script;
    struct talk talk;
    struct prompts prompts;
    struct sources sources;
    struct briefing b;
    struct assignment a;
};

static char *editable[] = {"*.c", NULL};

static void office_open(struct office *o, int64_t repairs) {
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *shipped = prompts_shipped(&err);
    char *folders[] = {shipped, NULL};
    if (!shipped || prompts_load(folders, &o->prompts, &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(sources_add(&o->sources, "a.c", "one\ntwo\n", 8, true, NULL), 0);
    o->talk = (struct talk){.call = say, .context = &o->script};
    o->b = (struct briefing){.talk = &o->talk,
                             .prompts = &o->prompts,
                             .repairs = repairs,
                             .format = FORMAT_BLOCKS,
                             .editable = editable,
                             .title = "A toy",
                             .statement = "Be quick.",
                             .goal = "less time",
                             .hints = "Sleep less."};
    o->a = (struct assignment){.number = 3, .sources = &o->sources, .parent = "n1"};
}

static void office_close(struct office *o) {
    scripted_clear(&o->script);
    prompts_clear(&o->prompts);
    sources_clear(&o->sources);
}
#define _cleanup_office_ __attribute__((cleanup(office_close)))

static void test_ideator(void **state) {
    (void)state;
    _cleanup_office_ struct office o = {
        .script.replies = {"Hm.",
                           "IDEA:", "I think.\nIDEA: no\n**IDEA:**\n\nSleep less,\nthen go.\n"}};
    _cleanup_free_ char *idea = NULL, *why = NULL;
    office_open(&o, 2);
    o.a.siblings = "- Hop.\n";
    assert_int_equal(ideator_ask(&o.b, &o.a, &idea, &why, NULL), 0);
    assert_string_equal(idea, "Sleep less,\nthen go.");
    assert_string_equal(o.script.keys[0], "n3/ideator/1");
    assert_string_equal(o.script.keys[2], "n3/ideator/3");
    const char *first = buf_text(&o.script.prompts[0]);
    static const char *const parts[] = {"# Task: A toy", "one\ntwo",        "Sleep less.",
                                        "- Hop.",        "start from (n1)", "*.c"};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) assert_non_null(strstr(first, parts[i]));
    assert_null(strstr(first, "What was tried so far"));
    assert_int_equal(o.script.turns[0], 2);
    assert_int_equal(o.script.turns[1], 4);
    assert_non_null(strstr(buf_text(&o.script.prompts[1]), "there is no line that begins with"));
}

static void test_attempts_are_bounded(void **state) {
    (void)state;
    _cleanup_office_ struct office o = {.script.replies = {"!was cut off", "No."}};
    _cleanup_free_ char *idea = NULL, *why = NULL;
    office_open(&o, 1);
    assert_int_equal(ideator_ask(&o.b, &o.a, &idea, &why, NULL), 0);
    assert_null(idea);
    assert_non_null(
        strstr(why, "the ideator gave no usable reply in 2 attempts: there is no line"));
    /* Nothing could be quoted, so the second attempt is one prompt as well. */
    assert_int_equal(o.script.turns[1], 2);
    assert_non_null(strstr(buf_text(&o.script.prompts[1]), "the reply was cut off"));
    assert_non_null(strstr(buf_text(&o.script.prompts[1]), "# Task: A toy"));
}

static void test_an_error_ends_the_work(void **state) {
    (void)state;
    _cleanup_office_ struct office o = {.script.replies = {"stop"}};
    _cleanup_free_ char *idea = NULL, *why = NULL;
    _cleanup_error_ struct error err = {0};
    office_open(&o, 5);
    assert_int_equal(ideator_ask(&o.b, &o.a, &idea, &why, &err), -1);
    assert_int_equal(err.kind, ERROR_LIMIT);
}

struct accepted {
    const char *refusals[4];
    size_t calls;
    char *change;
};

static int take(void *context, const struct patch *p, const char *change, char **refused,
                struct error *err) {
    struct accepted *a = context;
    (void)err;
    assert_int_equal(p->problem_count, 0);
    const char *no = a->refusals[a->calls++];
    if (no) *refused = strdup(no);
    else a->change = strdup(change);
    return 0;
}

#define BLOCK(old, new) "FILE: a.c\n<<<<<<< SEARCH\n" old "\n=======\n" new "\n>>>>>>> REPLACE\n"

static void test_coder_repairs(void **state) {
    (void)state;
    _cleanup_office_ struct office o = {
        .script.replies = {BLOCK("three", "3"), BLOCK("two", "bad"),
                           "SUMMARY: two is 2\n" BLOCK("two", "2")}};
    struct accepted a = {.refusals = {"too large"}};
    _cleanup_free_ char *why = NULL;
    bool done = false;
    office_open(&o, 2);
    assert_int_equal(coder_ask(&o.b, &o.a, "Make it two.", take, &a, &done, &why, NULL), 0);
    assert_true(done);
    assert_int_equal(a.calls, 2);
    assert_string_equal(a.change, "two is 2");
    free(a.change);
    assert_non_null(strstr(buf_text(&o.script.prompts[0]), "Make it two."));
    assert_non_null(strstr(buf_text(&o.script.prompts[0]), "<<<<<<< SEARCH"));
    assert_non_null(strstr(buf_text(&o.script.prompts[1]), "is not in a.c"));
    assert_non_null(strstr(buf_text(&o.script.prompts[2]), "refused: too large"));
}

static void test_coder_gives_up(void **state) {
    (void)state;
    _cleanup_office_ struct office o = {.script.replies = {"FILE: ../../etc/x.c\n"}};
    struct accepted a = {.calls = 0};
    _cleanup_free_ char *why = NULL;
    bool done = true;
    office_open(&o, 0);
    o.b.format = FORMAT_DIFF;
    assert_int_equal(coder_ask(&o.b, &o.a, NULL, take, &a, &done, &why, NULL), 0);
    assert_false(done);
    assert_int_equal(a.calls, 0);
    assert_non_null(strstr(why, "in 1 attempts: the reply holds no change"));
}

static void test_analyst(void **state) {
    (void)state;
    _cleanup_office_ struct office o = {.script.replies = {" \n", "\nIt slept.\001"}};
    _cleanup_free_ char *summary = NULL, *why = NULL;
    office_open(&o, 1);
    o.a.outcome = "timeout";
    o.a.log = "zzz";
    assert_int_equal(analyst_ask(&o.b, &o.a, "Sleep.", "more sleep", &summary, &why, NULL), 0);
    assert_string_equal(summary, "It slept.\\x01");
    assert_non_null(strstr(buf_text(&o.script.prompts[0]), "It ended as: timeout\n"));
}

/* ---- the configuration ---- */

static int decode(const char *text, struct agent_config *c, struct error *err) {
    _cleanup_json_ struct json *v = json_parse("c.json", text, strlen(text), err);
    assert_non_null(v);
    return agent_config_decode(v, c, err);
}

static void test_config(void **state) {
    (void)state;
    _cleanup_agent_config_ struct agent_config c = {0}, d = {0};
    _cleanup_error_ struct error err = {0};
    if (decode("{\"model\": \"m\", \"search\": \"aide\", \"nodes\": 7, \"hints\": [1, 3]}", &c,
               &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_true(c.ideates && c.analyses && c.hints[1] && c.hints[3] && !c.hints[0] && !c.hints[2]);
    assert_int_equal(c.search.n0, 3);
    assert_int_equal(c.search.nodes, 7);
    assert_int_equal(c.search.seed, 1);
    assert_string_equal(c.models[ROLE_ANALYST], "m");
    if (decode(
            "{\"models\": {\"coder\": \"x\"}, \"ideator\": \"none\", \"analyst\": false, \"coder\":"
            " \"diff\", \"search\": {\"n0\": 2, \"n\": 0, \"nodes\": 2}, \"budget\": {\"cost\": "
            "0.5},"
            " \"seed\": 9, \"repairs\": 0}",
            &d, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_true(!d.ideates && !d.analyses && d.format == FORMAT_DIFF && d.repairs == 0);
    assert_null(d.models[ROLE_IDEATOR]);
    assert_true(d.budget.cost == 0.5 && d.search.seed == 9);
}

static void test_a_command_as_coder(void **state) {
    (void)state;
    _cleanup_agent_config_ struct agent_config c = {0};
    struct error err = {0};
    if (decode("{\"model\": \"m\", \"search\": \"flat\", \"coder\": \"command:a-coder -p x\","
               " \"coder_mounts\": [\"/opt/a\"], \"coder_limits\": {\"wall_s\": 60}}",
               &c, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_string_equal(c.command, "a-coder -p x");
    assert_string_equal(c.coder_mounts[0], "/opt/a");
    assert_int_equal(c.coder_limits.wall_s, 60);
}

/* It is told where the files are, and not what is in them; the ideator still is. */
static void test_the_order_of_a_command(void **state) {
    (void)state;
    _cleanup_office_ struct office o = {.script.replies = {"IDEA: x"}};
    _cleanup_free_ char *idea = NULL, *why = NULL;
    office_open(&o, 0);
    o.b.place = "They are here.";
    _cleanup_free_ char *order = coder_order(&o.b, &o.a, "Sleep less.", NULL);
    static const char *const parts[] = {"# Task: A toy", "They are here.",   "Sleep less.",
                                        "*.c",           "no reply is read", "SUMMARY: "};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) assert_non_null(strstr(order, parts[i]));
    assert_null(strstr(order, "one\ntwo"));
    assert_int_equal(ideator_ask(&o.b, &o.a, &idea, &why, NULL), 0);
    assert_non_null(strstr(buf_text(&o.script.prompts[0]), "one\ntwo"));
}

static void test_shipped_configs(void **state) {
    (void)state;
    _cleanup_(globfree) glob_t found = {0};
    assert_int_equal(glob(AGENT_CONFIGS "/*.json", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        _cleanup_agent_config_ struct agent_config c = {0};
        _cleanup_error_ struct error err = {0};
        _cleanup_json_ struct json *v = json_load(found.gl_pathv[i], 65536, &err);
        if (!v || agent_config_decode(v, &c, &err) < 0) fail_msg("%s", error_text(&err));
        assert_true(c.budget.cost > 0); /* who tries it out pays no more than that */
    }
}

static void test_config_faults(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"model\": \"m\", \"search\": \"flat\", \"coder\": \"command:\"}", "names no command"},
        {"{\"model\": \"m\", \"search\": \"flat\", \"coder\": \"shout\"}", "$.coder"},
        {"{\"model\": \"m\", \"search\": \"flat\", \"coder_mounts\": [\"/a\"]}",
         "a coder that is a command"},
        {"{\"model\": \"m\", \"search\": \"flat\", \"coder\": \"command:x\", \"coder_limits\": "
         "{\"wall\": 1}}",
         "wall"},
        {"{\"search\": \"tree\"}", "names no model for the ideator"},
        {"{\"model\": \"m\"}", "search"},
        {"{\"model\": \"m\", \"search\": \"beam\"}", "$.search: there is no search"},
        {"{\"model\": \"m\", \"search\": {\"n0\": 1}}", "$.search"},
        {"{\"model\": \"m\", \"search\": \"tree\", \"hints\": [4]}", "$.hints[0]"},
        {"{\"model\": \"m\", \"search\": \"tree\", \"modle\": 1}", "modle"},
        {"{\"model\": \"m\", \"search\": \"tree\", \"coder\": \"telepathy\"}", "$.coder"},
        {"{\"model\": \"m\", \"search\": \"tree\", \"budget\": {\"euros\": 1}}", "euros"},
        {"{\"model\": \"m\", \"search\": \"tree\", \"nodes\": 0}", "$.nodes"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_agent_config_ struct agent_config c = {0};
        _cleanup_error_ struct error err = {0};
        assert_int_equal(decode(cases[i][0], &c, &err), -1);
        if (!strstr(error_text(&err), cases[i][1]))
            fail_msg("“%s” lacks “%s”", error_text(&err), cases[i][1]);
    }
}

static void test_paths_of_a_config(void **state) {
    (void)state;
    static const char text[] =
        "{\"model\": \"replay:c/x\", \"models\": {\"coder\": \"plain\", \"analyst\": \"./m.json\"},"
        "\"knowledge\": [\"*.md\", \"/k\"], \"prompts\": \"p\", \"nodes\": 3}";
    _cleanup_json_ struct json *v = json_parse("c.json", text, strlen(text), NULL);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    assert_int_equal(agent_config_absolute(v, "/d", w, NULL, NULL), 0);
    assert_string_equal(json_writer_text(w, NULL),
                        "{\"model\":\"replay:/d/c/x\",\"models\":{\"coder\":\"plain\",\"analyst\":"
                        "\"/d/./m.json\"},\"knowledge\":[\"/d/*.md\",\"/k\"],\"prompts\":\"/d/p\","
                        "\"nodes\":3}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ideator),
        cmocka_unit_test(test_attempts_are_bounded),
        cmocka_unit_test(test_an_error_ends_the_work),
        cmocka_unit_test(test_coder_repairs),
        cmocka_unit_test(test_coder_gives_up),
        cmocka_unit_test(test_analyst),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_a_command_as_coder),
        cmocka_unit_test(test_the_order_of_a_command),
        cmocka_unit_test(test_shipped_configs),
        cmocka_unit_test(test_config_faults),
        cmocka_unit_test(test_paths_of_a_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
