/* Policy files: what is refused, and in which words; finding; explaining. */
#include "common/cleanup.h"
#include "common/file.h"
#include "policies/policy_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define HEAD              "{\"name\": \"p\", \"description\": \"d\", "
#define ENOSYS_           "\"default\": {\"action\": \"errno\", \"errno\": \"ENOSYS\"}, "
#define EXEC              "{\"name\": \"x\", \"reason\": \"r\", \"action\": \"allow\", \"calls\": [\"execve\"]}"
#define RULES             HEAD ENOSYS_ "\"rules\": [" EXEC
#define RULE(name, rest)  ", {\"name\": \"" name "\", \"reason\": \"r\", " rest "}"
#define ALLOW(name, rest) RULE(name, "\"action\": \"allow\", " rest)
#define KILL(name, rest)  RULE(name, "\"action\": \"kill\", " rest)
#define IF(conditions)    "\"when\": [" conditions "]"
#define INT(arg, compare, rest) \
    "{\"argument\": " #arg ", \"bits\": 32, \"compare\": \"" compare "\", " rest "}"
#define LONG(arg, compare, rest) \
    "{\"argument\": " #arg ", \"bits\": 64, \"compare\": \"" compare "\", " rest "}"
#define READ "\"calls\": [\"read\"]"

static const struct {
    const char *text, *message;
} refusals[] = {
    {"[]", "$: must be an object, is array"},
    {"{\"name\": \"p\"}", "$: lacks the key \"description\""},
    {"{\"name\": \"../p\"}", "$.name: must be 1 to 64 of a-z, 0-9, '.', '_' and '-'"},
    {"{\"name\": \"p\", \"description\": \"\"}", "$.description: must not be empty"},
    {HEAD "\"default\": {}}", "$.default: lacks the key \"action\""},
    {HEAD "\"default\": {\"action\": \"allow\"}}",
     "$.default.action: must be \"errno\" or \"kill\": a policy lists what is allowed"},
    {HEAD "\"default\": {\"action\": \"errno\"}}", "$.default: lacks the key \"errno\""},
    {HEAD "\"default\": {\"action\": \"kill\", \"errno\": \"EPERM\"}}",
     "$.default.errno: only goes with the action \"errno\""},
    {HEAD "\"default\": {\"action\": \"errno\", \"errno\": \"EFOO\"}}",
     "$.default.errno: \"EFOO\" is no errno name"},
    {HEAD ENOSYS_ "\"rules\": []}", "$.rules: must have 1 to 256 rules"},
    {HEAD ENOSYS_ "\"rules\": [{\"name\": \"a\"}]}", "$.rules[0]: lacks the key \"reason\""},
    {HEAD ENOSYS_ "\"devices\": [\"/dev/../etc\"]}",
     "$.devices[0]: must be a path below /dev without \"..\""},
    {RULES "], \"loopback\": 1}", "$.loopback: must be true or false, is number"},
    {RULES "], \"listen\": true}", "$.listen: needs \"loopback\""},
    {RULES "], \"network\": true}", "$.network: unknown key"},
    {RULES ALLOW("x", READ) "]}", "$.rules[1].name: \"x\" is the name of $.rules[0]"},
    {RULES ALLOW("a", READ ", \"note\": 1") "]}", "$.rules[1].note: unknown key"},
    {RULES ALLOW("a", "\"calls\": []") "]}", "$.rules[1].calls: must name 1 to 512 calls"},
    {RULES ALLOW("a", "\"calls\": [\"read\", \"opne\"]") "]}",
     "$.rules[1].calls[1]: no system call \"opne\" is known here (\"?name\" if it may be unknown)"},
    {RULES ALLOW("a", "\"calls\": [\"?o pen\"]") "]}",
     "$.rules[1].calls[0]: no system call \"o pen\" is known here (\"?name\" if it may be "
     "unknown)"},
    {HEAD ENOSYS_ "\"rules\": [{\"name\": \"a\", \"reason\": \"r\", \"action\": \"allow\", " READ
                  "}]}",
     "$.rules: must allow execve, or nothing could be started"},

    /* contradictions */
    {RULES ALLOW("a", "\"calls\": [\"read\", \"?read\"]") "]}",
     "$.rules[1].calls[1]: named twice in this rule"},
    {RULES ALLOW("a", READ) ALLOW("b", READ) "]}",
     "$.rules[2].calls[0]: rule \"a\" decides this call already"},
    {RULES ALLOW("a", READ) KILL("b", READ) "]}",
     "$.rules[2].calls[0]: rule \"a\" decides this call already"},
    {RULES ALLOW("a", READ) ALLOW("b", READ ", " IF(INT(0, "eq", "\"value\": 1"))) "]}",
     "$.rules[1].calls[0]: rule \"b\" gives the same answer under conditions"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "eq", "\"value\": 1")))
         KILL("b", READ ", " IF(INT(1, "eq", "\"value\": 1"))) "]}",
     "$.rules[2].calls[0]: rule \"a\" may hold for the same arguments and answers otherwise"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "in", "\"values\": [1, 2]")))
         KILL("b", READ ", " IF(LONG(0, "masked-eq", "\"mask\": 1, \"value\": 0"))) "]}",
     "$.rules[2].calls[0]: rule \"a\" may hold for the same arguments and answers otherwise"},
    {RULES ALLOW("a", READ ", " IF(LONG(0, "lt", "\"value\": 9")))
         ALLOW("b", READ ", " IF(LONG(0, "eq", "\"value\": 12"))) "]}",
     "$.rules[2].calls[0]: beside rule \"a\" only eq, masked-eq and in are compiled correctly"},
    {RULES RULE("a", "\"action\": \"errno\", \"errno\": \"ENOSYS\", " READ
                     ", " IF(INT(0, "eq", "\"value\": 1"))) "]}",
     "$.rules[1].calls[0]: the conditions change nothing: the default gives the same answer"},

    /* conditions */
    {RULES ALLOW("a", READ ", \"when\": []") "]}", "$.rules[1].when: must have 1 to 6 conditions"},
    {RULES ALLOW("a", READ ", " IF(INT(6, "eq", "\"value\": 1"))) "]}",
     "$.rules[1].when[0].argument: must be between 0 and 5, is 6"},
    {RULES ALLOW("a", READ ", " IF("{\"argument\": 0, \"compare\": \"eq\", \"value\": 1}")) "]}",
     "$.rules[1].when[0]: lacks the key \"bits\""},
    {RULES ALLOW("a", READ ", " IF("{\"argument\": 0, \"bits\": 33, \"compare\": \"eq\"}")) "]}",
     "$.rules[1].when[0].bits: must be 32 or 64"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "lt", "\"value\": 1"))) "]}",
     "$.rules[1].when[0].compare: 32 bits can only be compared by eq, masked-eq and in"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "eq", "\"values\": [1]"))) "]}",
     "$.rules[1].when[0]: lacks the key \"value\""},
    {RULES ALLOW("a", READ ", " IF(INT(0, "in", "\"values\": [1], \"value\": 1"))) "]}",
     "$.rules[1].when[0].value: \"in\" takes \"values\""},
    {RULES ALLOW("a", READ ", " IF(INT(0, "eq", "\"value\": 1, \"mask\": 1"))) "]}",
     "$.rules[1].when[0].mask: only goes with masked-eq and in"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "masked-eq", "\"value\": 1"))) "]}",
     "$.rules[1].when[0]: lacks the key \"mask\""},
    {RULES ALLOW("a", READ ", " IF(INT(0, "masked-eq", "\"value\": 0, \"mask\": 0"))) "]}",
     "$.rules[1].when[0].mask: 0 compares nothing"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "masked-eq", "\"value\": 2, \"mask\": 1"))) "]}",
     "$.rules[1].when[0].value: 0x2 has bits outside the 0x1 compared"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "eq", "\"value\": \"0x100000000\""))) "]}",
     "$.rules[1].when[0].value: 0x100000000 has bits outside the 0xffffffff compared"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "eq", "\"value\": -1"))) "]}",
     "$.rules[1].when[0].value: must be between 0 and 9223372036854775807, is -1"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "eq", "\"value\": \"AF_UNIX|AF_FOO\""))) "]}",
     "$.rules[1].when[0].value: \"AF_FOO\" is no constant known here (nor like 0x1f)"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "eq", "\"value\": \"\""))) "]}",
     "$.rules[1].when[0].value: \"\" is no constant known here (nor like 0x1f)"},
    {RULES ALLOW("a", READ ", " IF(LONG(0, "eq", "\"value\": \"0x11111111111111111\""))) "]}",
     "$.rules[1].when[0].value: \"0x11111111111111111\" is no constant known here (nor like "
     "0x1f)"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "in", "\"values\": [1, 2, \"AF_UNIX\"]"))) "]}",
     "$.rules[1].when[0].values[2]: given twice"},
    {RULES ALLOW("a", READ ", " IF(INT(0, "eq", "\"value\": true"))) "]}",
     "$.rules[1].when[0].value: must be a number or the name of a constant"},
    {RULES ALLOW("a",
                 READ ", " IF(INT(0, "eq", "\"value\": 1") ", " INT(0, "eq", "\"value\": 2"))) "]}",
     "$.rules[1].when[1]: argument 0 is compared twice; libseccomp can do it once a rule"},
};

static void faults_are_named_with_their_place(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        _cleanup_error_ struct error err = {0};
        _cleanup_policy_ struct policy p = {0};
        const char *text = refusals[i].text;
        if (policy_parse("p.json", text, strlen(text), &p, &err) == 0)
            fail_msg("accepted: %s", text);
        assert_null(p.name);
        assert_memory_equal(error_text(&err), "p.json: ", 8);
        assert_string_equal(error_text(&err) + 8, refusals[i].message);
        assert_int_equal(policy_parse("p.json", text, strlen(text), &p, NULL), -1);
    }
}

static void what_excludes_itself_is_accepted(void **state) {
    (void)state;
    static const char *const texts[] = {
        RULES ALLOW("a", READ ", " IF(INT(0, "eq", "\"value\": 1")))
            KILL("b", READ ", " IF(INT(0, "in", "\"values\": [2, 3]"))) "]}",
        RULES ALLOW("a", READ ", " IF(INT(0, "eq", "\"value\": 1"))) KILL("b", READ) "]}",
        RULES ALLOW("a", READ ", " IF(LONG(0, "le", "\"value\": 4096"))) KILL("b", READ) "]}",
        RULES RULE("a", "\"action\": \"errno\", \"errno\": \"ENOSYS\", " READ) "]}",
        RULES ALLOW("a", "\"calls\": [\"?a_call_of_the_future\", \"socketcall\", \"mseal\"]") "]}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_error_ struct error err = {0};
        _cleanup_policy_ struct policy p = {0};
        _cleanup_(policy_filter_clear) struct policy_filter f = {0};
        if (policy_parse("p.json", texts[i], strlen(texts[i]), &p, &err) < 0 ||
            policy_filter(&p, &f, &err) < 0)
            fail_msg("%s", error_text(&err));
    }
}

static char *shipped(const char *name) {
    return str_printf("%s/%s.json", TEST_POLICIES, name);
}

static void permissions_are_read(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool loopback, exec_workspace, exec_tmp, listen;
    } cases[] = {{"strict", false, true, false, false},   {"train", true, true, true, false},
                 {"train-gpu", true, true, true, false},  {"build", false, true, true, false},
                 {"compile", false, false, false, false}, {"coder", true, true, true, true}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_error_ struct error err = {0};
        _cleanup_policy_ struct policy p = {0};
        _cleanup_free_ char *path = shipped(cases[i].name);
        if (policy_load(path, &p, &err) < 0) fail_msg("%s", error_text(&err));
        assert_string_equal(p.name, cases[i].name);
        assert_int_equal(p.loopback, cases[i].loopback);
        assert_int_equal(p.listen, cases[i].listen);
        assert_int_equal(p.exec_workspace, cases[i].exec_workspace);
        assert_int_equal(p.exec_tmp, cases[i].exec_tmp);
        assert_false(p.devpts);
        assert_null(p.devices);
        bool gpus = strcmp(p.name, "train-gpu") == 0;
        assert_int_equal(p.gpus, gpus);
        assert_int_equal(p.memlock_bytes, gpus ? 0 : 8 << 20);
        assert_int_equal(p.gpu_shm_bytes, gpus ? INT64_C(2) << 30 : 0);
        assert_int_equal(p.default_action, POLICY_ERRNO);
        assert_int_equal(p.default_errno, ENOSYS);
    }
}

/* A known digest lets the loader skip its checks: the shipped files must pass
 * them when read as strangers. */
static void shipped_policies_pass_the_checks(void **state) {
    (void)state;
    static const char *const names[] = {"strict", "train",   "train-gpu",
                                        "build",  "compile", "coder"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_error_ struct error err = {0};
        _cleanup_policy_ struct policy p = {0};
        _cleanup_(policy_filter_clear) struct policy_filter f = {0};
        _cleanup_buf_ struct buf text = {0};
        _cleanup_free_ char *path = shipped(names[i]);
        assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
        buf_putc(&text, '\n');
        if (policy_parse(path, text.data, text.len, &p, &err) < 0) fail_msg("%s", error_text(&err));
        assert_int_equal(policy_filter(&p, &f, NULL), 0);
        assert_false(f.prebuilt);
    }
}

static void files_are_found_by_name_and_path(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    unsetenv("PADDOCK_POLICIES");
    _cleanup_free_ char *beside = policy_find("strict", &err);
    _cleanup_free_ char *expected = shipped("strict");
    assert_string_equal(beside, expected);
    _cleanup_free_ char *by_path = policy_find(expected, &err);
    assert_string_equal(by_path, expected);
    assert_null(policy_find("./no-such.json", &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_null(policy_find("no-such", &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_null(policy_find("UP\x1b", &err));
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_null(strchr(error_text(&err), '\x1b'));
}

static void the_list_is_sorted_and_of_one_folder(void **state) {
    (void)state;
    char dir[] = "/tmp/paddock-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    static const char *const files[] = {"b.json", "a.json", "NOT.json", "c.txt"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *path = path_join(dir, files[i]);
        assert_int_equal(file_write_atomic(path, "{}", 2, 0600, NULL), 0);
    }
    setenv("PADDOCK_POLICIES", dir, 1);
    _cleanup_strv_ char **list = NULL;
    assert_int_equal(policy_list(&list, NULL), 0);
    assert_int_equal(strv_len(list), 2);
    assert_string_equal(list[0], "a");
    assert_string_equal(list[1], "b");
    _cleanup_free_ char *found = policy_find("b", NULL);
    assert_non_null(found);
    assert_null(policy_find("strict", NULL));
    unsetenv("PADDOCK_POLICIES");
    _cleanup_strv_ char **own = NULL;
    assert_int_equal(policy_list(&own, NULL), 0);
    assert_int_equal(strv_len(own), 6);
    assert_string_equal(own[0], "build");
    assert_int_equal(tree_remove(dir, NULL), 0);
}

static const struct {
    const char *call, *part;
} explanations[] = {
    {"read", " in policy train:\n  allowed\n     rule files: "},
    {"kexec_load",
     "  forbidden: the run ends as a policy-violation\n     rule administration-kills: "},
    {"io_setup",
     "  refused with ENOSYS (Function not implemented)\n     the default: no rule names"},
    {"socket", "  1. when family is one of AF_INET, AF_INET6 and type & 0xf is one of SOCK_STREAM, "
               "SOCK_DGRAM and protocol is one of IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP: allowed\n"},
    {"socket", "  4. otherwise refused with EAFNOSUPPORT ("},
    {"clone3", "  refused with ENOSYS (Function not implemented)\n     rule clone3: "},
    {"clone", "when flags has none of CLONE_PTRACE, CLONE_PARENT, CLONE_NEWNS"},
    {"memfd_create", "when flags has no flags but MFD_CLOEXEC, MFD_ALLOW_SEALING, "},
    {"setsockopt", "level is IPPROTO_TCP and option is one of TCP_NODELAY, TCP_MAXSEG"},
    {"socketcall", "this architecture has no such call"},
};

static void answers_are_explained(void **state) {
    (void)state;
    _cleanup_policy_ struct policy p = {0};
    _cleanup_free_ char *path = shipped("train");
    assert_int_equal(policy_load(path, &p, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(explanations); i++) {
        _cleanup_buf_ struct buf out = {0};
        const struct policy_question q = {.call = explanations[i].call};
        assert_int_equal(policy_explain(&p, &q, &out, NULL), 0);
        if (!strstr(buf_text(&out), explanations[i].part))
            fail_msg("%s\nlacks\n%s", buf_text(&out), explanations[i].part);
    }
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf out = {0};
    const struct policy_question wrong = {.call = "raed"};
    assert_int_equal(policy_explain(&p, &wrong, &out, &err), -1);
    assert_string_equal(error_text(&err), "no system call \"raed\" is known here");
    assert_int_equal(out.len, 0);
}

static void constants_are_in_order(void **state) {
    (void)state;
    for (size_t i = 1; policy_constant_at(i); i++)
        assert_true(strcmp(policy_constant_at(i - 1), policy_constant_at(i)) < 0);
    uint64_t value = 0;
    for (size_t i = 0; policy_constant_at(i); i++)
        assert_true(policy_constant(policy_constant_at(i), strlen(policy_constant_at(i)), &value));
    assert_false(policy_constant("AF_UNI", 6, &value));
    assert_false(policy_constant("AF_UNIXX", 8, &value));
    assert_true(policy_constant("AF_UNIXX", 7, &value));
}

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Whatever happens to a file, it is accepted or refused with a reason. */
static void damaged_files_do_no_harm(void **state) {
    (void)state;
    _cleanup_buf_ struct buf text = {0};
    _cleanup_free_ char *path = shipped("train");
    assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
    _cleanup_free_ char *copy = malloc(text.len);
    assert_non_null(copy);
    uint64_t seed = 42;
    for (int round = 0; round < 4000; round++) {
        memcpy(copy, text.data, text.len);
        size_t len = text.len;
        if (round % 4 == 0) len = next_random(&seed) % len;
        for (uint64_t flips = next_random(&seed) % 4; len && flips; flips--)
            copy[next_random(&seed) % len] ^= (char)(1 << next_random(&seed) % 8);
        _cleanup_error_ struct error err = {0};
        _cleanup_policy_ struct policy p = {0};
        _cleanup_(policy_filter_clear) struct policy_filter f = {0};
        if (policy_parse("damaged", copy, len, &p, &err) < 0) assert_true(error_is_set(&err));
        else if (round % 16 == 0) assert_int_equal(policy_filter(&p, &f, NULL), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_named_with_their_place),
        cmocka_unit_test(what_excludes_itself_is_accepted),
        cmocka_unit_test(permissions_are_read),
        cmocka_unit_test(shipped_policies_pass_the_checks),
        cmocka_unit_test(files_are_found_by_name_and_path),
        cmocka_unit_test(the_list_is_sorted_and_of_one_folder),
        cmocka_unit_test(answers_are_explained),
        cmocka_unit_test(constants_are_in_order),
        cmocka_unit_test(damaged_files_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
