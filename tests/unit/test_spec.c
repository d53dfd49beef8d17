#include "common/cleanup.h"
#include "sandbox/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int decode(const char *text, struct spec *out, struct error *err) {
    _cleanup_json_ struct json *doc = json_parse("spec", text, strlen(text), err);
    return doc ? spec_decode(doc, out, err) : -1;
}

#define LEAST "\"id\": \"a\", \"argv\": [\"true\"], \"policy\": \"/p.json\""

static void test_defaults(void **state) {
    (void)state;
    _cleanup_spec_ struct spec s = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(decode("{" LEAST "}", &s, &err), 0);
    assert_string_equal(s.workspace_target, "/work");
    assert_string_equal(s.cwd, "/work");
    assert_string_equal(s.image, "host");
    assert_string_equal(s.hostname, "paddock");
    assert_int_equal(s.network, NETWORK_NONE);
    assert_int_equal(s.stdin_mode, STDIO_NULL);
    assert_int_equal(s.stdout_mode, STDIO_FILE);
    assert_null(s.env[0]);
    assert_int_equal(s.limits.wall_ms, 0);
    assert_false(s.gauge);
}

static void refuse(const char *text, const char *needle) {
    _cleanup_spec_ struct spec s = {0};
    _cleanup_error_ struct error err = {0};
    if (decode(text, &s, &err) == 0) fail_msg("accepted: %s", text);
    if (!strstr(error_text(&err), needle))
        fail_msg("%s: wanted \"%s\" in \"%s\"", text, needle, error_text(&err));
}

static void test_refusals(void **state) {
    (void)state;
    refuse("{}", "\"id\"");
    refuse("[]", "object");
    refuse("{\"id\": \"a\", \"argv\": [\"true\"]}", "policy");
    refuse("{" LEAST ", \"more\": 1}", "$.more");
    refuse("{\"id\": \"../a\", \"argv\": [\"true\"], \"policy\": \"/p\"}", "$.id");
    refuse("{\"id\": \"a\", \"argv\": [], \"policy\": \"/p\"}", "$.argv");
    refuse("{\"id\": \"a\", \"argv\": [\"\"], \"policy\": \"/p\"}", "$.argv");
    refuse("{\"id\": \"a\", \"argv\": [\"x\"], \"policy\": \"p\"}", "$.policy");
    refuse("{" LEAST ", \"env\": [\"novalue\"]}", "$.env[0]");
    refuse("{" LEAST ", \"env\": [\"=x\"]}", "$.env[0]");
    refuse("{" LEAST ", \"cwd\": \"work\"}", "$.cwd");
    refuse("{" LEAST ", \"cwd\": \"/work/../x\"}", "$.cwd");
    refuse("{" LEAST ", \"hostname\": \"a b\"}", "$.hostname");
    refuse("{" LEAST ", \"image\": \"ubuntu\"}", "$.image");
    refuse("{" LEAST ", \"network\": \"host\"}", "$.network");
    refuse("{" LEAST ", \"cpus\": \"0;1\"}", "$.cpus");
    refuse("{" LEAST ", \"stdin\": \"file\"}", "$.stdin");
    refuse("{" LEAST ", \"stdin\": \"tee\"}", "$.stdin");
    refuse("{" LEAST ", \"workspace\": {\"source\": \"x\"}}", "$.workspace.source");
    refuse("{" LEAST ", \"workspace\": {\"target\": \"/proc/self\"}}", "belongs to the fence");
    refuse("{" LEAST ", \"limits\": {\"wall_ms\": -1}}", "$.limits.wall_ms");
    refuse("{" LEAST ", \"limits\": {\"wall_ms\": 1e3}}", "$.limits.wall_ms");
    refuse("{" LEAST ", \"limits\": {\"wall_s\": 1}}", "$.limits.wall_s");
    refuse("{" LEAST ", \"limits\": {\"open_files\": 3}}", "at least 8");
    refuse("{" LEAST ", \"gauge\": 1}", "$.gauge");
    refuse("{" LEAST ", \"labels\": 3}", "$.labels");
}

#define GATE(rest)   "{" LEAST ", \"clock\": {\"kind\": \"gated\", \"init_wall_ms\": 5" rest "}"
#define DATA(target) ", \"data\": [{\"source\": \"/s\", \"target\": \"" target "\"}]}"

static void test_clocks(void **state) {
    (void)state;
    refuse("{" LEAST ", \"clock\": \"gated\"}", "$.clock");
    refuse("{" LEAST ", \"clock\": 3}", "$.clock");
    refuse("{" LEAST ", \"clock\": {}}", "\"kind\"");
    refuse("{" LEAST ", \"clock\": {\"kind\": \"gated\"}}", "init_wall_ms");
    refuse("{" LEAST ", \"clock\": {\"kind\": \"process\", \"init_wall_ms\": 5}}", "init_wall_ms");
    refuse(GATE(", \"stop\": \"x\"}"), "$.clock.stop");
    refuse(GATE(DATA("data")), "$.clock.data[0].target");
    refuse(GATE(DATA("/proc/x")), "belongs to the fence");
    refuse(GATE(DATA("/work/data")), "/work/data");
    refuse(GATE(DATA("/tmp/data")), "/tmp/data");
    refuse(GATE(DATA("/m/data") ", \"mounts\": [{\"source\": \"/a\", \"target\": \"/m\"}]"),
           "/m/data");
    refuse(GATE(", \"data\": [{\"source\": \"/s\", \"target\": \"/d\"},"
                " {\"source\": \"/s\", \"target\": \"/d/e\"}]}"),
           "$.clock.data[1].target");
    refuse("{" LEAST ", \"clock\": {\"kind\": \"lines\", \"start\": \"(\", \"stop\": \"a\","
           " \"outside_ms\": 1}}",
           "$.clock.start: is no regular expression");
    refuse("{" LEAST ", \"stdout\": \"inherit\", \"clock\": {\"kind\": \"lines\","
           " \"start\": \"a\", \"stop\": \"a\", \"outside_ms\": 1}}",
           "captured");
}

/* What a decoder takes, the encoder writes so that it is taken again. */
static void survives(const char *text, struct spec *again) {
    _cleanup_spec_ struct spec one = {0};
    _cleanup_error_ struct error err = {0};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    size_t len = 0;
    if (decode(text, &one, &err) < 0) fail_msg("%s: %s", text, error_text(&err));
    assert_int_equal(spec_encode(&one, w, &err), 0);
    assert_int_equal(decode(json_writer_text(w, &len), again, &err), 0);
}

static void test_clocks_survive(void **state) {
    (void)state;
    _cleanup_spec_ struct spec gate = {0}, lines = {0};
    survives(GATE(", \"init_cpu_ms\": 7" DATA("/data")), &gate);
    assert_int_equal(gate.clock.kind, CLOCK_GATED);
    assert_int_equal(gate.clock.gate.init_wall_ms, 5);
    assert_int_equal(gate.clock.gate.init_cpu_ms, 7);
    assert_int_equal(gate.clock.gate.data_count, 1);
    assert_string_equal(gate.clock.gate.data[0].source, "/s");
    assert_string_equal(gate.clock.gate.data[0].target, "/data");
    survives("{" LEAST ", \"clock\": {\"kind\": \"lines\", \"start\": \"^a\", \"stop\": \"b$\","
             " \"outside_ms\": 9}}",
             &lines);
    assert_int_equal(lines.clock.kind, CLOCK_LINES);
    assert_string_equal(lines.clock.lines.start, "^a");
    assert_string_equal(lines.clock.lines.stop, "b$");
    assert_int_equal(lines.clock.lines.outside_ms, 9);
}

static void test_rates_and_shares(void **state) {
    (void)state;
    refuse("{" LEAST ", \"limits\": {\"cpu_percent\": -1}}", "$.limits.cpu_percent");
    refuse("{" LEAST ", \"limits\": {\"io\": {}}}", "$.limits.io");
    refuse("{" LEAST ", \"limits\": {\"io\": [{}]}}", "\"path\" and \"device\"");
    refuse("{" LEAST ", \"limits\": {\"io\": [{\"path\": \"/a\", \"device\": \"8:0\"}]}}",
           "\"path\" and \"device\"");
    refuse("{" LEAST ", \"limits\": {\"io\": [{\"path\": \"a\"}]}}", "$.limits.io[0].path");
    refuse("{" LEAST ", \"limits\": {\"io\": [{\"path\": \"/a/..\"}]}}", "$.limits.io[0].path");
    static const char *const bad[] = {"",     "8",     "8:",     ":0",          "8:0 rbps=max",
                                      "8:0x", "-1:0",  "8:0\\n", "sda",         "8 :0",
                                      "8:-0", "8:0:0", "/dev/x", "9999999999:0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "{" LEAST ", \"limits\": {\"io\": [{\"device\": \"%s\"}]}}",
                 bad[i]);
        refuse(text, "$.limits.io[0].device");
    }
    refuse("{" LEAST ", \"limits\": {\"io\": [{\"device\": \"8:0\", \"read\": 1}]}}", "read");
    refuse("{" LEAST ", \"limits\": {\"cpus_exclusive\": true}}", "\"cpus\"");
    _cleanup_spec_ struct spec s = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(decode("{" LEAST ", \"cpus\": \"1\", \"limits\": {\"cpu_percent\": 150,"
                            " \"memory_high_bytes\": 4096, \"cpus_exclusive\": true, \"io\": ["
                            "{\"path\": \"/data\", \"read_bps\": 5},"
                            "{\"device\": \"254:16\", \"write_iops\": 6}]}}",
                            &s, &err),
                     0);
    assert_int_equal(s.limits.cpu_percent, 150);
    assert_int_equal(s.limits.memory_high_bytes, 4096);
    assert_true(s.limits.cpus_exclusive);
    assert_int_equal(s.limits.io_count, 2);
    assert_string_equal(s.limits.io[0].path, "/data");
    assert_int_equal(s.limits.io[0].read_bps, 5);
    assert_int_equal(s.limits.io[0].write_bps, 0);
    assert_string_equal(s.limits.io[1].device, "254:16");
    assert_int_equal(s.limits.io[1].write_iops, 6);
}

static void test_mounts(void **state) {
    (void)state;
    refuse("{" LEAST ", \"mounts\": [{\"source\": \"/a\", \"target\": \"/\"}]}", "fence");
    refuse("{" LEAST ", \"mounts\": [{\"source\": \"/a\", \"target\": \"/dev/x\"}]}", "fence");
    refuse("{" LEAST ", \"mounts\": [{\"source\": \"/a\", \"target\": \"/b/../c\"}]}", "target");
    refuse("{" LEAST ", \"mounts\": [{\"source\": \"a\", \"target\": \"/b\"}]}", "source");
    refuse("{" LEAST ", \"mounts\": [{\"target\": \"/b\"}]}", "source");
    refuse("{" LEAST ", \"mounts\": [{\"source\": \"/a\", \"target\": \"/b\"},"
           " {\"source\": \"/c\", \"target\": \"/b\"}]}",
           "twice");
    refuse("{" LEAST ", \"mounts\": [{\"source\": \"/a\", \"target\": \"/work\"}]}", "twice");
    _cleanup_spec_ struct spec s = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(decode("{" LEAST
                            ", \"mounts\": [{\"source\": \"/a\", \"target\": \"/devices\","
                            " \"writable\": true}]}",
                            &s, &err),
                     0);
    assert_true(s.mounts[0].writable);
    assert_false(s.mounts[0].exec);
}

static void test_collect(void **state) {
    (void)state;
    refuse("{" LEAST ", \"collect\": [{\"path\": \"../x\"}]}", "path");
    refuse("{" LEAST ", \"collect\": [{\"path\": \"/x\"}]}", "path");
    refuse("{" LEAST ", \"collect\": [{\"path\": \"x\", \"as\": \"a//b\"}]}", "as");
    refuse("{" LEAST ", \"collect\": [{\"path\": \"x\", \"bytes\": 0}]}", "bytes");
    _cleanup_spec_ struct spec s = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(decode("{" LEAST ", \"collect\": [{\"path\": \"x/y\"}]}", &s, &err), 0);
    assert_string_equal(s.collect[0].as, "x/y");
    assert_true(s.collect[0].bytes > 0);
}

static void test_listen(void **state) {
    (void)state;
    refuse("{" LEAST ", \"listen\": 4100}", "needs the network");
    refuse("{" LEAST ", \"network\": \"none\", \"listen\": 4100}", "needs the network");
    refuse("{" LEAST ", \"network\": \"loopback\", \"listen\": 80}", "listen");
    refuse("{" LEAST ", \"network\": \"loopback\", \"listen\": 65536}", "listen");
    refuse("{" LEAST ", \"network\": \"loopback\", \"listen\": \"4100\"}", "listen");
    refuse("{" LEAST ", \"network\": \"loopback\", \"listen\": [4100]}", "listen");
}

/* What is written is read back the same, written again byte for byte. */
static void test_round_trip(void **state) {
    (void)state;
    const char *text =
        "{\"id\": \"r1\", \"argv\": [\"sh\", \"-c\", \"x\"], \"env\": [\"A=1\", \"B=\"],"
        " \"cwd\": \"/tmp\", \"hostname\": \"h\", \"image\": \"/img\", \"policy\": \"/p.json\", "
        "\"learn\": true,"
        " \"network\": \"loopback\", \"listen\": 4100, \"workspace\": {\"source\": \"/s\", "
        "\"target\": \"/w\"},"
        " \"mounts\": [{\"source\": \"/a\", \"target\": \"/b\", \"exec\": true}],"
        " \"limits\": {\"wall_ms\": 1, \"cpu_ms\": 2, \"memory_bytes\": 3, \"pids\": 4,"
        " \"output_bytes\": 5, \"disk_bytes\": 6, \"disk_inodes\": 7, \"tmp_bytes\": 8,"
        " \"open_files\": 9, \"file_bytes\": 10, \"grace_ms\": 11, \"cpu_percent\": 12,"
        " \"memory_high_bytes\": 13, \"cpus_exclusive\": true, \"io\": [{\"path\": \"/a\","
        " \"read_bps\": 1, \"write_bps\": 2, \"read_iops\": 3, \"write_iops\": 4},"
        " {\"device\": \"8:0\"}]}, \"cpus\": \"0-1\","
        " \"clock\": \"process\", \"gauge\": true, \"stdin\": \"inherit\", \"stdout\": \"tee\","
        " \"stderr\": \"null\", \"collect\": [{\"path\": \"o\", \"as\": \"p\", \"bytes\": 12,"
        " \"files\": 13, \"required\": true}], \"require\": [\"seccomp\"], \"dir\": \"/d\","
        " \"labels\": {\"k\": [1, \"two\"]}}";
    _cleanup_spec_ struct spec one = {0}, two = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(decode(text, &one, &err), 0);
    _cleanup_json_writer_ struct json_writer *w1 = json_writer_new(true);
    _cleanup_json_writer_ struct json_writer *w2 = json_writer_new(true);
    assert_int_equal(spec_encode(&one, w1, &err), 0);
    size_t n1 = 0, n2 = 0;
    const char *t1 = json_writer_text(w1, &n1);
    assert_int_equal(decode(t1, &two, &err), 0);
    assert_int_equal(spec_encode(&two, w2, &err), 0);
    const char *t2 = json_writer_text(w2, &n2);
    assert_string_equal(t1, t2);
    assert_true(two.gauge);
    assert_int_equal(two.limits.grace_ms, 11);
    assert_int_equal(two.limits.cpu_percent, 12);
    assert_int_equal(two.limits.memory_high_bytes, 13);
    assert_true(two.limits.cpus_exclusive);
    assert_int_equal(two.limits.io_count, 2);
    assert_int_equal(two.limits.io[0].write_iops, 4);
    assert_int_equal(two.stdout_mode, STDIO_TEE);
    assert_true(two.learn);
    assert_int_equal(two.listen, 4100);
    assert_true(two.labels_kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_mounts),         cmocka_unit_test(test_collect),
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_rates_and_shares),
        cmocka_unit_test(test_listen),         cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_clocks_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
