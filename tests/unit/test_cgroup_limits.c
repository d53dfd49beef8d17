/* Limits of control groups that only some machines can have, and where groups
 * lie on machines unlike this one. What a running sandbox meets is tested in a
 * machine of its own (tests/vm). */
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/cgroup.h"
#include "sandbox/cgroup_internal.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define MIB (INT64_C(1) << 20)

static struct cgroup_map parsed(const char *mounts, const char *groups) {
    struct cgroup_map map;
    _cleanup_error_ struct error err = {0};
    if (cgroup_map_parse(mounts, groups, &map, &err) < 0) fail_msg("%s", error_text(&err));
    return map;
}

static void bases_are(const struct cgroup_hierarchy *h, const char *delegated,
                      const char *const *expected) {
    _cleanup_cgroup_bases_ struct cgroup_bases bases;
    cgroup_bases(h, delegated, &bases);
    size_t i = 0;
    for (; expected[i]; i++) {
        assert_true(i < bases.count);
        assert_string_equal(bases.items[i], expected[i]);
    }
    assert_int_equal(bases.count, i);
}

/* ---- machines ---- */

static const char v1_mounts[] =
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "34 31 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "35 31 0:32 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "36 31 0:33 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n"
    "37 31 0:34 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";

static void a_machine_without_the_unified_hierarchy(void **state) {
    (void)state;
    _cleanup_cgroup_map_ struct cgroup_map map =
        parsed(v1_mounts, "4:cpu,cpuacct:/a\n3:memory:/\n2:pids:/b\n1:blkio:/\n");
    assert_null(cgroup_map_unified(&map));
    assert_int_equal(map.count, 4);
    assert_int_equal(map.items[0].controllers, CTL_BIT(CTL_CPU) | CTL_BIT(CTL_CPUACCT));
    bases_are(&map.items[0], NULL, (const char *const[]){"/a", "", NULL});
    bases_are(&map.items[1], NULL, (const char *const[]){"", NULL});
}

/* cpu and cpuacct may as well be two hierarchies. */
static void a_lone_cpu_hierarchy_is_seen(void **state) {
    (void)state;
    _cleanup_cgroup_map_ struct cgroup_map map =
        parsed("33 31 0:30 / /c/cpu rw - cgroup cgroup rw,cpu\n"
               "34 31 0:31 / /c/cpuacct rw - cgroup cgroup rw,cpuacct\n",
               "2:cpuacct:/x\n1:cpu:/y\n");
    assert_int_equal(map.count, 2);
    assert_int_equal(map.items[0].controllers, CTL_BIT(CTL_CPU));
    assert_string_equal(map.items[0].own, "/y");
    assert_string_equal(map.items[1].own, "/x");
}

static const char v2_mount[] =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

/* A user's service with Delegate=: the launcher was started in a leaf of it. */
static void a_delegated_subtree_comes_first(void **state) {
    (void)state;
    static const char own[] = "/user.slice/user-1000.slice/user@1000.service/app.slice/x.service";
    _cleanup_free_ char *groups = str_printf("0::%s/shell\n", own);
    _cleanup_cgroup_map_ struct cgroup_map map = parsed(v2_mount, groups);
    _cleanup_free_ char *shell = str_printf("%s/shell", own);
    _cleanup_free_ char *runs = str_printf("%s/runs", own);
    bases_are(cgroup_map_unified(&map), runs, (const char *const[]){runs, shell, "", NULL});
    /* What names no folder below the mount point is passed over. */
    bases_are(cgroup_map_unified(&map), "relative", (const char *const[]){shell, "", NULL});
    bases_are(cgroup_map_unified(&map), "/a/../b", (const char *const[]){shell, "", NULL});
}

static void a_launcher_in_its_leaf_is_where_it_was(void **state) {
    (void)state;
    _cleanup_cgroup_map_ struct cgroup_map map =
        parsed(v2_mount, "0::/system.slice/paddock.service/paddock.launcher\n");
    bases_are(cgroup_map_unified(&map), NULL,
              (const char *const[]){"/system.slice/paddock.service", "", NULL});
}

/* Inside a cgroup namespace our own group is the top; of a mount that shows
 * another namespace we are outside. */
static void a_cgroup_namespace_has_its_own_top(void **state) {
    (void)state;
    _cleanup_cgroup_map_ struct cgroup_map map = parsed(v2_mount, "0::/\n");
    bases_are(cgroup_map_unified(&map), NULL, (const char *const[]){"", NULL});
    _cleanup_cgroup_map_ struct cgroup_map outside = parsed(v2_mount, "0::/../other\n");
    bases_are(cgroup_map_unified(&outside), NULL, (const char *const[]){"", NULL});
    _cleanup_cgroup_map_ struct cgroup_map bound =
        parsed("30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/\n");
    assert_null(cgroup_hierarchy_own(cgroup_map_unified(&bound)));
}

/* ---- rates ---- */

static void refused(const struct spec_io *io, const char *why) {
    char text[CGROUP_DEVICE_TEXT];
    assert_int_equal(cgroup_io_device(io, text), -1);
    if (!strstr(text, why)) fail_msg("wanted \"%s\" in \"%s\"", why, text);
}

static void what_is_no_disk_has_no_rate(void **state) {
    (void)state;
    refused(&(struct spec_io){.path = (char *)"/proc"}, "no single block device");
    refused(&(struct spec_io){.path = (char *)"/not/there"}, "No such file");
    refused(&(struct spec_io){.device = (char *)"9999:0"}, "9999:0 is no block device");
    char long_path[4000];
    memset(long_path, 'a', sizeof long_path - 1);
    long_path[0] = '/';
    long_path[sizeof long_path - 1] = '\0';
    refused(&(struct spec_io){.path = long_path}, "/aaaa");
}

static void a_path_stands_for_its_whole_disk(void **state) {
    (void)state;
    struct stat st;
    assert_int_equal(stat("/", &st), 0);
    char text[CGROUP_DEVICE_TEXT];
    if (major(st.st_dev) == 0) {
        print_message("skip - the root lies on no block device\n");
        skip();
    }
    assert_int_equal(cgroup_io_device(&(struct spec_io){.path = (char *)"/"}, text), 0);
    _cleanup_free_ char *partition = str_printf("/sys/dev/block/%s/partition", text);
    assert_int_equal(access(partition, F_OK), -1);
    char again[CGROUP_DEVICE_TEXT];
    assert_int_equal(cgroup_io_device(&(struct spec_io){.device = text}, again), 0);
    assert_string_equal(text, again);
}

/* ---- groups ---- */

static struct cgroup *make(const char *what, const struct spec_limits *limits, const char *cpus) {
    char id[64]; /* a skip jumps out of here past all cleanups */
    snprintf(id, sizeof id, "test-%s-%d", what, (int)getpid());
    struct error err = {0};
    struct cgroup *cg = NULL;
    if (cgroup_create(id, limits, cpus, &cg, &err) < 0) fail_msg("%s", error_text(&err));
    const char *detail;
    if (cgroup_enforces(cg, CGROUP_MEMORY, &detail)) return cg;
    print_message("skip - no groups here: %s\n", detail);
    cgroup_destroy(cg, 0, NULL);
    skip();
    return NULL;
}

static void hog(void) {
    size_t size = 64 * MIB;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; p != MAP_FAILED && i < size; i += 4096) p[i] = 1;
    _exit(7);
}

/* The one that asks for too much and two that did nothing. */
static void out_of_memory_ends_the_whole_group(void **state) {
    (void)state;
    struct spec_limits limits = {.memory_bytes = 16 * MIB};
    struct cgroup *cg = make("whole", &limits, NULL);
    if (!cgroup_group_of(cg, CGROUP_MEMORY)->unified) {
        print_message("skip - the memory controller is in a v1 hierarchy, which kills one\n");
        cgroup_destroy(cg, 0, NULL);
        skip();
    }
    pid_t pids[3];
    int go[2];
    assert_int_equal(pipe(go), 0);
    for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            char c;
            close(go[1]);
            if (i == 0 && read(go[0], &c, 1) == 1) hog();
            for (;;) pause();
        }
        assert_int_equal(cgroup_attach(cg, pids[i], false, NULL), 0);
    }
    assert_int_equal(write(go[1], "x", 1), 1);
    for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    assert_true(cgroup_oom_seen(cg));
    close(go[0]);
    close(go[1]);
    assert_int_equal(cgroup_destroy(cg, 5000, NULL), 0);
}

static void a_share_of_the_cpu_is_in_the_file(void **state) {
    (void)state;
    struct spec_limits limits = {.cpu_percent = 150};
    struct cgroup *cg = make("share", &limits, NULL);
    const char *detail;
    if (!cgroup_enforces(cg, CGROUP_CPU_SHARE, &detail)) {
        print_message("skip - no cpu controller: %s\n", detail);
        cgroup_destroy(cg, 0, NULL);
        skip();
    }
    const struct cgroup_group *g = cgroup_group_of(cg, CGROUP_CPU_SHARE);
    char text[64];
    assert_true(cgroup_read(g->fd, g->unified ? "cpu.max" : "cpu.cfs_quota_us", text, sizeof text) >
                0);
    assert_string_equal(text, g->unified ? "150000 100000\n" : "150000\n");
    assert_int_equal(cgroup_destroy(cg, 5000, NULL), 0);
}

/* Whoever gets its cpus alone, or does not, leaves no folder. */
static void cpus_of_ones_own_are_given_back(void **state) {
    (void)state;
    struct spec_limits limits = {.cpus_exclusive = true};
    struct cgroup *cg = make("alone", &limits, "0");
    _cleanup_strv_ char **paths = strv_copy(cgroup_paths(cg));
    const char *detail;
    bool on = cgroup_enforces(cg, CGROUP_EXCLUSIVE, &detail);
    assert_true(detail[0] != '\0');
    print_message("cpus of one's own: %s, %s\n", on ? "on" : "off", detail);
    _cleanup_free_ char *id = str_printf("test-alone-%d", (int)getpid());
    cgroup_free(cg); /* as if its launcher had died */
    assert_int_equal(cgroup_sweep_id(id, NULL), 0);
    for (size_t i = 0; paths[i]; i++) {
        assert_int_equal(access(paths[i], F_OK), -1);
        char *slash = strrchr(paths[i], '/');
        *slash = '\0';
        if (str_ends(paths[i], id)) assert_int_equal(access(paths[i], F_OK), -1);
    }
}

static void another_ones_folder_is_not_swept(void **state) {
    (void)state;
    static char *const bad[][2] = {{"/sys/fs/cgroup/paddock-y/x", NULL},
                                   {"/sys/fs/cgroup/paddock-/x", NULL},
                                   {"/sys/fs/cgroup/paddock.x/x", NULL},
                                   {"/sys/fs/cgroup/apaddock-x/x", NULL},
                                   {"/x", NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_error_ struct error err = {0};
        assert_int_equal(cgroup_sweep(bad[i], &err), -1);
        assert_int_equal(err.kind, ERROR_INVALID);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_without_the_unified_hierarchy),
        cmocka_unit_test(a_lone_cpu_hierarchy_is_seen),
        cmocka_unit_test(a_delegated_subtree_comes_first),
        cmocka_unit_test(a_launcher_in_its_leaf_is_where_it_was),
        cmocka_unit_test(a_cgroup_namespace_has_its_own_top),
        cmocka_unit_test(what_is_no_disk_has_no_rate),
        cmocka_unit_test(a_path_stands_for_its_whole_disk),
        cmocka_unit_test(out_of_memory_ends_the_whole_group),
        cmocka_unit_test(a_share_of_the_cpu_is_in_the_file),
        cmocka_unit_test(cpus_of_ones_own_are_given_back),
        cmocka_unit_test(another_ones_folder_is_not_swept),
    };
    return cmocka_run_group_tests_name("cgroup limits", tests, NULL, NULL);
}
