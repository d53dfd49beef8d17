/* Specifications of the Container Device Interface, honest and hostile, on a machine of
 * the test's making with two GPUs, of which the first is lent. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/gpu_loan.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define UUID "GPU-00000000-aaaa-bbbb-cccc-dddddddddddd"

static char root[64];
static bool has_nodes; /* those of devices can be made */
static struct gpu gpus[2] = {{.index = 0, .minor = 0, .uuid = UUID},
                             {.index = 1, .minor = 1, .uuid = UUID}};

static const char *at(const char *path) {
    static char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    return full;
}

static void put(const char *path, const char *text) {
    unlink(at(path));
    _cleanup_close_ int fd = open(at(path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && write_all(fd, text, strlen(text)) == 0);
}

static bool make_node(const char *path, unsigned high, unsigned low) {
    return mknod(at(path), S_IFCHR | 0666, makedev(high, low)) == 0;
}

static int set_up(void **state) {
    (void)state;
    static const char *const folders[] = {"/dev/dri", "/etc/cdi", "/run/cdi", "/lib"};
    snprintf(root, sizeof root, "/tmp/paddock-cdi-XXXXXX");
    if (!mkdtemp(root) || setenv("PADDOCK_GPU_ROOT", root, 1) < 0) return -1;
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (dir_make(at(folders[i]), 0755, NULL) < 0) return -1;
    has_nodes = geteuid() == 0 && make_node("/dev/nvidia0", 195, 0) &&
                make_node("/dev/nvidia1", 195, 1) && make_node("/dev/nvidiactl", 195, 255) &&
                make_node("/dev/nvidia-uvm", 511, 0) &&
                make_node("/dev/nvidia-modeset", 195, 254) && make_node("/dev/dri/card0", 226, 0) &&
                make_node("/dev/sda", 8, 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unsetenv("PADDOCK_GPU_ROOT");
    return tree_remove(root, NULL);
}

/* A loan of the first GPU; what it holds on the heap is its own. */
static void begin(struct gpu_loan *loan) {
    *loan = (struct gpu_loan){
        .inventory = {.driver = "570.86.15", .major = 195, .uvm_major = 511, .caps_major = 510}};
    loan->lent = calloc(1, sizeof *loan->lent);
    assert_non_null(loan->lent);
    loan->lent[0] =
        (struct gpu_lent){.gpu = &gpus[0], .visible = strdup(UUID), .lease = -1, .share = -1};
    loan->count = 1;
}

static int parse(const char *text, struct gpu_loan *loan, struct error *err) {
    begin(loan);
    return gpu_parse_cdi("x.json", text, strlen(text), loan, err);
}

static void refused(const char *text, const char *why) {
    _cleanup_gpu_loan_ struct gpu_loan loan;
    _cleanup_error_ struct error err = {0};
    if (parse(text, &loan, &err) == 0) fail_msg("taken: %s", text);
    if (!str_starts(error_text(&err), "x.json: ") || !strstr(error_text(&err), why))
        fail_msg("%s: \"%s\" lacks \"%s\"", text, error_text(&err), why);
}

static void taken(const char *text, size_t nodes) {
    _cleanup_gpu_loan_ struct gpu_loan loan;
    _cleanup_error_ struct error err = {0};
    if (parse(text, &loan, &err) < 0) fail_msg("%s: %s", text, error_text(&err));
    assert_int_equal(loan.node_count, nodes);
    assert_int_equal(loan.library_count, 0);
    assert_null(loan.env);
}

#define HEAD     "{\"cdiVersion\":\"0.6.0\",\"kind\":\"nvidia.com/gpu\","
#define EDITS(e) HEAD "\"devices\":[{\"name\":\"0\",\"containerEdits\":{" e "}}]}"
#define NODE(n)  EDITS("\"deviceNodes\":[{" n "}]")
#define MOUNT(m) EDITS("\"mounts\":[{" m "}]")
#define HOOK(h)  EDITS("\"hooks\":[{" h "}]")

struct bad {
    const char *text, *why;
};

static void refuse_all(const struct bad *all, size_t count) {
    for (size_t i = 0; i < count; i++) refused(all[i].text, all[i].why);
}

static void documents(void **state) {
    (void)state;
    static const struct bad all[] = {
        {"", ""},
        {"{", ""},
        {"[]", "must be an object"},
        {"null", "must be an object"},
        {"\"x\"", "must be an object"},
        {"{}", ""},
        {"{\"kind\":7}", "$.kind"},
        {"{\"kind\":\"nvidia.com/gpu\"}", "cdiVersion"},
        {"{\"cdiVersion\":\"0.6.0\",\"devices\":[]}", "kind"},
        {HEAD "\"x\":1,\"devices\":[{\"name\":\"0\",\"containerEdits\":{}}]}", "x"},
        {HEAD "\"kind\":\"nvidia.com/gpu\",\"devices\":[]}", "kind"},
        {HEAD "\"devices\":[]}", "$.devices: must have a device"},
        {HEAD "\"devices\":{}}", "$.devices"},
        {HEAD "\"devices\":[1]}", "$.devices[0]"},
        {HEAD "\"devices\":[{}]}", "name"},
        {HEAD "\"devices\":[{\"name\":\"0\"}]}", "containerEdits"},
        {HEAD "\"devices\":[{\"name\":0,\"containerEdits\":{}}]}", "$.devices[0].name"},
        {HEAD "\"devices\":[{\"name\":\"\",\"containerEdits\":{}}]}", "no name of a device"},
        {HEAD "\"devices\":[{\"name\":\"../0\",\"containerEdits\":{}}]}", "no name of a device"},
        {HEAD "\"devices\":[{\"name\":\"-0\",\"containerEdits\":{}}]}", "no name of a device"},
        {HEAD "\"devices\":[{\"name\":\"0:\",\"containerEdits\":{}}]}", "no name of a device"},
        {HEAD "\"devices\":[{\"name\":\"0\",\"containerEdits\":{}},"
              "{\"name\":\"0\",\"containerEdits\":{}}]}",
         "$.devices[1].name: \"0\" is there twice"},
        {HEAD "\"devices\":[{\"name\":\"0\",\"containerEdits\":{},\"x\":1}]}", "x"},
        {HEAD "\"annotations\":{\"a\":1},\"devices\":[{\"name\":\"0\",\"containerEdits\":{}}]}",
         "$.annotations.a"},
        {HEAD "\"annotations\":[],\"devices\":[{\"name\":\"0\",\"containerEdits\":{}}]}",
         "$.annotations"},
        {HEAD "\"containerEdits\":[],\"devices\":[{\"name\":\"0\",\"containerEdits\":{}}]}",
         "$.containerEdits"},
        {EDITS("\"x\":1"), "x"},
        {EDITS("\"env\":{}"), "env"},
        {EDITS("\"env\":[1]"), "env[0]"},
        {EDITS("\"env\":[\"X\"]"), "KEY=VALUE"},
        {EDITS("\"env\":[\"=X\"]"), "KEY=VALUE"},
        {EDITS("\"env\":[\"LD_PRELOAD=/x.so\"]"), "variable of the loader"},
        {EDITS("\"env\":[\"A=b\",\"LD_AUDIT=/x.so\"]"), "env[1]"},
    };
    refuse_all(all, ARRAY_SIZE(all));
}

static void versions(void **state) {
    (void)state;
    static const char *const good[] = {"0.3.0", "0.5.0", "0.8.0", "1.0.0", "1.1.0"};
    static const char *const bad[] = {"0.2.0", "1.2.0", "2.0.0", "v0.6.0", "0.6", "", "0.6.0 "};
    static const char form[] = "{\"cdiVersion\":\"%s\",\"kind\":\"nvidia.com/gpu\","
                               "\"devices\":[{\"name\":\"0\",\"containerEdits\":{}}]}";
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        _cleanup_free_ char *text = str_printf(form, good[i]);
        taken(text, 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_free_ char *text = str_printf(form, bad[i]);
        refused(text, "$.cdiVersion");
    }
}

static void other_kinds_are_not_ours_to_read(void **state) {
    (void)state;
    taken("{\"kind\":\"vendor.com/net\",\"devices\":7}", 0);
    taken("{\"kind\":\"nvidia.com/mig\",\"x\":{}}", 0);
    taken("{\"kind\":\"nvidia.com/gpu.x\",\"cdiVersion\":\"9\"}", 0);
}

static void nodes_in_bad_form(void **state) {
    (void)state;
    static const struct bad all[] = {
        {EDITS("\"deviceNodes\":{}"), "deviceNodes"},
        {EDITS("\"deviceNodes\":[\"/dev/nvidia0\"]"), "deviceNodes[0]"},
        {NODE(""), "path"},
        {NODE("\"path\":7"), "path"},
        {NODE("\"path\":\"/dev/nvidia0\",\"x\":1"), "x"},
        {NODE("\"path\":\"\""), "absolute"},
        {NODE("\"path\":\"dev/nvidia0\""), "absolute"},
        {NODE("\"path\":\"/etc/nvidia0\""), "below /dev/"},
        {NODE("\"path\":\"/dev\""), "below /dev/"},
        {NODE("\"path\":\"/dev/../etc/shadow\""), "absolute"},
        {NODE("\"path\":\"/dev/./nvidia0\""), "absolute"},
        {NODE("\"path\":\"/dev//nvidia0\""), "absolute"},
        {NODE("\"path\":\"/dev/nvidia0/\""), "absolute"},
        {NODE("\"path\":\"/dev/nvidia0\\u0000x\""), ""},
        {NODE("\"path\":\"/dev/nvidia0\",\"hostPath\":\"nvidia0\""), "absolute"},
        {NODE("\"path\":\"/dev/nvidia0\",\"hostPath\":\"/dev/../sda\""), "absolute"},
        {NODE("\"path\":\"/dev/nvidia0\",\"type\":\"b\""), "must be \"c\""},
        {NODE("\"path\":\"/dev/nvidia0\",\"type\":\"p\""), "must be \"c\""},
        {NODE("\"path\":\"/dev/nvidia0\",\"type\":\"u\""), "must be \"c\""},
        {NODE("\"path\":\"/dev/nvidia0\",\"type\":\"\""), "must be \"c\""},
        {NODE("\"path\":\"/dev/nvidia0\",\"type\":1"), "type"},
        {NODE("\"path\":\"/dev/nvidia0\",\"major\":\"195\""), "major"},
        {NODE("\"path\":\"/dev/nvidia0\",\"major\":-1"), "major"},
        {NODE("\"path\":\"/dev/nvidia0\",\"major\":4096"), "major"},
        {NODE("\"path\":\"/dev/nvidia0\",\"major\":195.5"), "major"},
        {NODE("\"path\":\"/dev/nvidia0\",\"minor\":1e3"), "minor"},
        {NODE("\"path\":\"/dev/nvidia0\",\"minor\":99999999999999999999"), "minor"},
        {NODE("\"path\":\"/dev/nvidia0\",\"fileMode\":\"0666\""), "fileMode"},
        {NODE("\"path\":\"/dev/nvidia0\",\"fileMode\":4096"), "fileMode"},
        {NODE("\"path\":\"/dev/nvidia0\",\"permissions\":\"rwx\""), "r, w and m"},
        {NODE("\"path\":\"/dev/nvidia0\",\"permissions\":7"), "permissions"},
        {NODE("\"path\":\"/dev/nvidia0\",\"uid\":-1"), "uid"},
        {NODE("\"path\":\"/dev/nvidia0\",\"gid\":4294967296"), "gid"},
    };
    refuse_all(all, ARRAY_SIZE(all));
}

static void nodes_that_are_other_devices(void **state) {
    (void)state;
    static const struct bad all[] = {
        {NODE("\"path\":\"/dev/nvidia0\",\"major\":8"), "is the device 195:0"},
        {NODE("\"path\":\"/dev/nvidia0\",\"minor\":1"), "is the device 195:0"},
        {NODE("\"path\":\"/dev/null\",\"hostPath\":\"/dev/nvidia0\""),
         "the device is /dev/nvidia0"},
        {NODE("\"path\":\"/dev/nvidia1\",\"hostPath\":\"/dev/nvidia0\""),
         "the device is /dev/nvidia0"},
        {NODE("\"path\":\"/dev/nvidia0\",\"hostPath\":\"/etc/cdi\""), "no character device"},
    };
    if (!has_nodes) {
        print_message("no nodes of devices can be made\n");
        skip();
    }
    refuse_all(all, ARRAY_SIZE(all));
}

static void nodes_that_are_lent_and_others(void **state) {
    (void)state;
    if (!has_nodes) {
        print_message("no nodes of devices can be made\n");
        skip();
    }
    taken(NODE("\"path\":\"/dev/nvidia0\""), 1);
    taken(NODE("\"path\":\"/dev/nvidia0\",\"permissions\":\"rwm\",\"type\":\"c\",\"major\":195,"
               "\"minor\":0,\"fileMode\":438,\"uid\":0,\"gid\":0"),
          1);
    taken(NODE("\"path\":\"/dev/nvidiactl\"},{\"path\":\"/dev/nvidiactl\""), 1);
    taken(NODE("\"path\":\"/dev/nvidia-uvm\""), 1);
    /* Not of what was lent, whatever the document says. */
    taken(NODE("\"path\":\"/dev/nvidia1\""), 0);
    taken(NODE("\"path\":\"/dev/nvidia-modeset\""), 0);
    taken(NODE("\"path\":\"/dev/dri/card0\""), 0);
    taken(NODE("\"path\":\"/dev/sda\""), 0);
    taken(NODE("\"path\":\"/dev/nvidia0\",\"hostPath\":\"/dev/nvidia1\""), 0);
    taken(NODE("\"path\":\"/dev/nvidia0\",\"hostPath\":\"/dev/sda\"") /* a character device */, 0);
    taken(NODE("\"path\":\"/dev/nvidia7\"") /* is not there */, 0);
}

static void the_nodes_of_another_device_are_not_lent(void **state) {
    (void)state;
    static const char form[] = HEAD "\"devices\":[{\"name\":\"%s\",\"containerEdits\":{"
                                    "\"deviceNodes\":[{\"path\":\"/dev/nvidia0\"}]}}]}";
    static const char *const names[] = {"1", "all", "00", "GPU-0", "0:0"};
    if (!has_nodes) {
        print_message("no nodes of devices can be made\n");
        skip();
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *text = str_printf(form, names[i]);
        taken(text, 0);
    }
    _cleanup_free_ char *own = str_printf(form, UUID);
    taken(own, 1);
}

static void an_instance_has_its_own_two_capabilities(void **state) {
    (void)state;
    static struct gpu_mig instance = {.gi = 1, .ci = 0, .gi_cap = 12, .ci_cap = 13};
    static const char text[] = HEAD
        "\"devices\":[{\"name\":\"" UUID "\",\"containerEdits\":{\"deviceNodes\":["
        "{\"path\":\"/dev/nvidia0\"},{\"path\":\"/dev/nvidia-caps/nvidia-cap12\"},"
        "{\"path\":\"/dev/nvidia-caps/nvidia-cap13\"},{\"path\":\"/dev/nvidia-caps/nvidia-cap1\"},"
        "{\"path\":\"/dev/nvidia-caps/nvidia-cap14\"}]}}]}";
    static const unsigned caps[] = {1, 12, 13, 14};
    if (!has_nodes) {
        print_message("no nodes of devices can be made\n");
        skip();
    }
    assert_int_equal(mkdir(at("/dev/nvidia-caps"), 0755), 0);
    for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
        char path[64];
        snprintf(path, sizeof path, "/dev/nvidia-caps/nvidia-cap%u", caps[i]);
        assert_true(make_node(path, 510, caps[i]));
    }
    _cleanup_gpu_loan_ struct gpu_loan loan;
    _cleanup_error_ struct error err = {0};
    begin(&loan);
    loan.lent[0].mig = &instance;
    if (gpu_parse_cdi("x.json", text, strlen(text), &loan, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_int_equal(loan.node_count, 3);
    assert_string_equal(loan.nodes[1].target, "/dev/nvidia-caps/nvidia-cap12");
    assert_string_equal(loan.nodes[2].target, "/dev/nvidia-caps/nvidia-cap13");
    assert_int_equal(strv_len(loan.notes), 2); /* the driver's own settings, and a neighbour's */
}

static void mounts(void **state) {
    (void)state;
    static const struct bad all[] = {
        {EDITS("\"mounts\":{}"), "mounts"},
        {EDITS("\"mounts\":[1]"), "mounts[0]"},
        {MOUNT(""), "hostPath"},
        {MOUNT("\"hostPath\":\"/x\""), "containerPath"},
        {MOUNT("\"hostPath\":\"/x\",\"containerPath\":\"/x\",\"x\":1"), "x"},
        {MOUNT("\"hostPath\":\"x\",\"containerPath\":\"/x\""), "absolute"},
        {MOUNT("\"hostPath\":\"/x\",\"containerPath\":\"x\""), "absolute"},
        {MOUNT("\"hostPath\":\"/lib/../etc/x\",\"containerPath\":\"/x\""), "absolute"},
        {MOUNT("\"hostPath\":\"/x\",\"containerPath\":\"/lib/../x\""), "absolute"},
        {MOUNT("\"hostPath\":\"/x\",\"containerPath\":\"/\""), "absolute"},
        {MOUNT("\"hostPath\":[],\"containerPath\":\"/x\""), "hostPath"},
        {MOUNT("\"hostPath\":\"/x\",\"containerPath\":\"/x\",\"options\":\"ro\""), "options"},
        {MOUNT("\"hostPath\":\"/x\",\"containerPath\":\"/x\",\"options\":[1]"), "options"},
        {MOUNT("\"hostPath\":\"/x\",\"containerPath\":\"/x\",\"type\":1"), "type"},
    };
    refuse_all(all, ARRAY_SIZE(all));
    put("/lib/libc.so.6", "x");
    put("/lib/libcuda.so.1", "x");
    taken(MOUNT("\"hostPath\":\"/lib/libc.so.6\",\"containerPath\":\"/lib/libc.so.6\""), 0);
    taken(MOUNT("\"hostPath\":\"/lib/libcuda.so.1\",\"containerPath\":\"/lib/libcuda.so.1\""), 0);
    taken(MOUNT("\"hostPath\":\"/etc/cdi\",\"containerPath\":\"/x\""), 0);
    put("/lib/libcuda.so.570.86.15", "no library");
    if (geteuid() != 0) return;
    refused(MOUNT("\"hostPath\":\"/lib/libcuda.so.570.86.15\",\"containerPath\":\"/x\""),
            "no 64-bit library");
}

static void what_has_no_effect_is_in_good_form_too(void **state) {
    (void)state;
    static const struct bad all[] = {
        {EDITS("\"hooks\":{}"), "hooks"},
        {EDITS("\"hooks\":[\"/bin/sh\"]"), "hooks[0]"},
        {HOOK("\"path\":\"/x\""), "hookName"},
        {HOOK("\"hookName\":\"createContainer\""), "path"},
        {HOOK("\"hookName\":\"prestart\",\"path\":\"x\""), "absolute"},
        {HOOK("\"hookName\":\"prestart\",\"path\":\"/x/../y\""), "absolute"},
        {HOOK("\"hookName\":\"prestart\",\"path\":\"/x\",\"args\":\"x\""), "args"},
        {HOOK("\"hookName\":\"prestart\",\"path\":\"/x\",\"env\":[1]"), "env"},
        {HOOK("\"hookName\":\"prestart\",\"path\":\"/x\",\"timeout\":\"1\""), "timeout"},
        {HOOK("\"hookName\":\"prestart\",\"path\":\"/x\",\"cwd\":\"/\""), "cwd"},
        {EDITS("\"additionalGids\":[\"root\"]"), "additionalGids[0]"},
        {EDITS("\"additionalGids\":[-1]"), "additionalGids[0]"},
        {EDITS("\"netDevices\":[{\"name\":\"x\"}]"), "hostInterfaceName"},
        {EDITS("\"netDevices\":[{\"hostInterfaceName\":\"x\",\"name\":\"x\",\"mac\":\"x\"}]"),
         "mac"},
        {EDITS("\"intelRdt\":[]"), "intelRdt"},
        {EDITS("\"intelRdt\":{\"closID\":1}"), "closID"},
        {EDITS("\"intelRdt\":{\"x\":\"y\"}"), "x"},
    };
    refuse_all(all, ARRAY_SIZE(all));
}

static void hooks_and_their_kin_are_counted(void **state) {
    (void)state;
    static const char text[] = EDITS(
        "\"env\":[\"NVIDIA_VISIBLE_DEVICES=void\",\"A=\"],"
        "\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"/bin/touch\",\"args\":[\"touch\"],"
        "\"env\":[\"LD_PRELOAD=/x\"],\"timeout\":1},{\"hookName\":\"x\",\"path\":\"/x\"}],"
        "\"additionalGids\":[0],\"netDevices\":[{\"hostInterfaceName\":\"a\",\"name\":\"b\"}],"
        "\"intelRdt\":{\"closID\":\"x\",\"enableCMT\":true,\"schemata\":[\"L3:0=f\"]}");
    static const char *const notes[] = {"2 hooks not run", "1 additionalGids not set",
                                        "1 netDevices not moved", "1 intelRdt not set"};
    _cleanup_gpu_loan_ struct gpu_loan loan;
    _cleanup_error_ struct error err = {0};
    if (parse(text, &loan, &err) < 0) fail_msg("%s", error_text(&err));
    assert_null(loan.env);
    assert_int_equal(strv_len(loan.notes), ARRAY_SIZE(notes));
    for (size_t i = 0; i < ARRAY_SIZE(notes); i++) assert_non_null(strstr(loan.notes[i], notes[i]));
}

static void no_list_is_endless(void **state) {
    (void)state;
    _cleanup_buf_ struct buf text = {0};
    buf_puts(&text, HEAD "\"devices\":[{\"name\":\"0\",\"containerEdits\":{\"env\":[\"A=\"");
    for (int i = 0; i < 4096; i++) buf_puts(&text, ",\"A=\"");
    buf_puts(&text, "]}}]}");
    refused(buf_text(&text), "has more than 4096");
    _cleanup_buf_ struct buf deep = {0};
    for (int i = 0; i < 3000; i++) buf_putc(&deep, '[');
    refused(buf_text(&deep), "");
}

/* ---- the folders ---- */

static int read_all(struct gpu_loan *loan, struct error *err) {
    begin(loan);
    return gpu_read_cdi(loan, err);
}

static void file_refused(const char *file, const char *why) {
    _cleanup_gpu_loan_ struct gpu_loan loan;
    _cleanup_error_ struct error err = {0};
    if (read_all(&loan, &err) == 0) fail_msg("%s was taken", file);
    if (!strstr(error_text(&err), file) || !strstr(error_text(&err), why))
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", error_text(&err), file, why);
    unlink(at("/etc/cdi/x.json"));
}

static void files_that_are_not_read(void **state) {
    (void)state;
    put("/etc/cdi/a.yaml", "hooks: [x]");
    put("/run/cdi/b.yml", "{");
    put("/run/cdi/c.txt", "{");
    _cleanup_gpu_loan_ struct gpu_loan loan;
    assert_int_equal(read_all(&loan, NULL), 0);
    assert_int_equal(strv_len(loan.notes), 2);
    assert_non_null(strstr(loan.notes[0], "/run/cdi/b.yml"));
    assert_non_null(strstr(loan.notes[1], "/etc/cdi/a.yaml"));
}

static void files_that_are_refused(void **state) {
    (void)state;
    static const char file[] = "/etc/cdi/x.json";
    if (geteuid() != 0) {
        print_message("files of root's are needed\n");
        skip();
    }
    put(file, "{\"kind\":\"nvidia.com/gpu\",\"hooks\":[]}");
    file_refused(file, "cdiVersion");
    put(file, "{}");
    assert_int_equal(chmod(at(file), 0664), 0);
    file_refused(file, "others cannot write");
    put(file, "{}");
    assert_int_equal(chown(at(file), 12345, 0), 0);
    file_refused(file, "no regular file of root's");
    assert_int_equal(mkfifo(at(file), 0644), 0);
    file_refused(file, "no regular file of root's");
    assert_int_equal(symlink("/../../../../etc/passwd", at(file)), 0);
    file_refused(file, "No such file");
    assert_int_equal(symlink("/proc/self/root/etc/passwd", at(file)), 0);
    file_refused(file, "No such file");
    put(file, "{}");
    assert_int_equal(truncate(at(file), (1 << 20) + 1), 0);
    file_refused(file, "larger than");
}

static void no_folder_is_no_error(void **state) {
    (void)state;
    _cleanup_gpu_loan_ struct gpu_loan loan;
    assert_int_equal(rmdir(at("/etc/cdi")), 0);
    assert_int_equal(rmdir(at("/run/cdi")), 0);
    assert_int_equal(read_all(&loan, NULL), 0);
    assert_null(loan.notes);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(documents),
        TEST(versions),
        TEST(other_kinds_are_not_ours_to_read),
        TEST(nodes_in_bad_form),
        TEST(nodes_that_are_other_devices),
        TEST(nodes_that_are_lent_and_others),
        TEST(the_nodes_of_another_device_are_not_lent),
        TEST(an_instance_has_its_own_two_capabilities),
        TEST(mounts),
        TEST(what_has_no_effect_is_in_good_form_too),
        TEST(hooks_and_their_kin_are_counted),
        TEST(no_list_is_endless),
        TEST(files_that_are_not_read),
        TEST(files_that_are_refused),
        TEST(no_folder_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
