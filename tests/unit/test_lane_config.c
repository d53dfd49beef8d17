/* Lanes from a file, and found in trees of /sys as other machines have them. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/lane_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static char root[] = "/tmp/paddock-lanes-XXXXXX";

static int fresh_tree(void **state) {
    (void)state;
    memcpy(root, "/tmp/paddock-lanes-XXXXXX", sizeof root);
    return mkdtemp(root) ? 0 : -1;
}

static int remove_tree(void **state) {
    (void)state;
    return tree_remove(root, NULL);
}

static void put(const char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *text, const char *fmt, ...) {
    char name[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    _cleanup_free_ char *path = str_printf("%s/sys/devices/system/%s", root, name);
    _cleanup_free_ char *dir = strdup(path);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(dir_make(dir, 0755, NULL), 0);
    _cleanup_fclose_ FILE *f = fopen(path, "we");
    assert_non_null(f);
    fprintf(f, "%s\n", text);
}

/* The lanes as text: "timed-1=0-3@0 helper=…". */
static char *lanes_of(const char *allowed) {
    struct cpu_list cpus;
    struct buf out = {0};
    _cleanup_lane_configs_ struct lane_configs c = {0};
    assert_int_equal(cpu_list_parse(allowed, &cpus), 0);
    assert_int_equal(lane_configs_find(root, &cpus, &c, NULL), 0);
    for (size_t i = 0; i < c.count; i++) {
        _cleanup_free_ char *list = cpu_list_format(&c.items[i].cpus);
        buf_printf(&out, "%s%s=%s@%lld", i ? " " : "", c.items[i].name, list,
                   (long long)c.items[i].memory_node);
    }
    if (c.whole) buf_puts(&out, " whole");
    return buf_steal(&out);
}

static void a_small_machine_is_one_lane(void **state) {
    (void)state;
    put("0-1", "cpu/online");
    put("0", "cpu/cpu0/topology/thread_siblings_list");
    put("1", "cpu/cpu1/topology/thread_siblings_list");
    _cleanup_free_ char *all = lanes_of("0-1");
    assert_string_equal(all, "timed-1=0-1@-1 whole");
    _cleanup_free_ char *one = lanes_of("1");
    assert_string_equal(one, "timed-1=1@-1");
}

static void a_tree_without_a_word_is_one_lane(void **state) {
    (void)state;
    _cleanup_free_ char *text = lanes_of("0-2");
    assert_string_equal(text, "timed-1=0-2@-1 whole");
}

/* Eight cores of two threads, numbered as most are: siblings i and i + 8. */
static void a_desktop_keeps_a_core_for_helpers(void **state) {
    (void)state;
    put("0-15", "cpu/online");
    put("0", "node/online");
    put("0-15", "node/node0/cpulist");
    for (int i = 0; i < 16; i++) {
        char pair[16];
        snprintf(pair, sizeof pair, "%d,%d", i % 8, i % 8 + 8);
        put(pair, "cpu/cpu%d/topology/thread_siblings_list", i);
        put(pair, "cpu/cpu%d/cache/index0/shared_cpu_list", i);
        put("0-15", "cpu/cpu%d/cache/index3/shared_cpu_list", i);
    }
    _cleanup_free_ char *text = lanes_of("0-15");
    assert_string_equal(text, "timed-1=1-7,9-15@0 helper=0,8@-1");
}

/* Two sockets of 32 cores and 64 threads; a cache for every 16 cores. */
static void a_server_has_a_lane_for_each_cache(void **state) {
    (void)state;
    put("0-127", "cpu/online");
    put("0-1", "node/online");
    put("0-31,64-95", "node/node0/cpulist");
    put("32-63,96-127", "node/node1/cpulist");
    for (int i = 0; i < 128; i++) {
        char pair[16], cache[32];
        int core = i % 64, first = core / 16 * 16;
        snprintf(pair, sizeof pair, "%d,%d", core, core + 64);
        snprintf(cache, sizeof cache, "%d-%d,%d-%d", first, first + 15, first + 64, first + 79);
        put(pair, "cpu/cpu%d/topology/thread_siblings_list", i);
        put(cache, "cpu/cpu%d/cache/index3/shared_cpu_list", i);
    }
    _cleanup_free_ char *text = lanes_of("0-127");
    assert_string_equal(text, "timed-1=8-15,72-79@0 timed-2=16-31,80-95@0 "
                              "timed-3=32-47,96-111@1 timed-4=48-63,112-127@1 "
                              "helper=0-7,64-71@-1");
}

static int decode(const char *text, struct lane_configs *out, struct error *err) {
    struct cpu_list online;
    cpu_list_parse("0-7", &online);
    _cleanup_json_ struct json *doc = json_parse("lanes.json", text, strlen(text), err);
    return doc ? lane_configs_decode(doc, &online, out, err) : -1;
}

static void a_file_names_lanes(void **state) {
    (void)state;
    _cleanup_lane_configs_ struct lane_configs c = {0};
    assert_int_equal(decode("{\"lanes\": [{\"name\": \"a\", \"cpus\": \"2-7\", \"memory_node\": 0,"
                            " \"gpus\": [\"0\"]}, {\"name\": \"h\", \"role\": \"helper\","
                            " \"cpus\": \"0-1\"}]}",
                            &c, NULL),
                     0);
    assert_int_equal(c.count, 2);
    assert_int_equal(c.items[0].memory_node, 0);
    assert_int_equal(c.items[0].role, LANE_ROLE_TIMED);
    assert_ptr_equal(lane_configs_helper(&c), &c.items[1]);
}

static void what_is_wrong_is_named(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"{\"lanes\": []}", "at least one timed lane"},
        {"{\"lanes\": [{\"name\": \"a\", \"cpus\": \"0\", \"role\": \"helper\"}]}",
         "at least one timed lane"},
        {"{\"lanes\": [{\"name\": \"a\", \"cpus\": \"0-8\"}]}", "cpus 8 are not there"},
        {"{\"lanes\": [{\"name\": \"a\", \"cpus\": \"x\"}]}", "$.lanes[0].cpus"},
        {"{\"lanes\": [{\"name\": \"a\", \"cpus\": \"0\", \"role\": \"x\"}]}", "$.lanes[0].role"},
        {"{\"lanes\": [{\"name\": \"a\", \"cpus\": \"0\", \"cores\": 1}]}", "cores"},
        {"{\"lanes\": [{\"name\": \"a\", \"cpus\": \"0-1\"}, {\"name\": \"b\", \"cpus\": \"1\"}]}",
         "lane a has some of them"},
        {"{\"lanes\": [{\"name\": \"a\", \"cpus\": \"0\"}, {\"name\": \"a\", \"cpus\": \"1\"}]}",
         "is used twice"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_error_ struct error err = {0};
        _cleanup_lane_configs_ struct lane_configs c = {0};
        assert_int_equal(decode(bad[i][0], &c, &err), -1);
        if (!strstr(error_text(&err), bad[i][1])) fail_msg("%s", error_text(&err));
    }
}

int main(void) {
#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, fresh_tree, remove_tree)
    const struct CMUnitTest tests[] = {
        WITH_TREE(a_small_machine_is_one_lane),
        WITH_TREE(a_tree_without_a_word_is_one_lane),
        WITH_TREE(a_desktop_keeps_a_core_for_helpers),
        WITH_TREE(a_server_has_a_lane_for_each_cache),
        cmocka_unit_test(a_file_names_lanes),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests_name("lane_config", tests, NULL, NULL);
}
