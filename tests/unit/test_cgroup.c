#include "sandbox/cgroup.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "sandbox/cgroup_internal.h"

#include <linux/sched.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define MIB (INT64_C(1) << 20)

static void need_root(void) {
    if (geteuid() == 0) return;
    print_message("skip - only root can become somebody else\n");
    skip();
}

static void need_groups(void) {
    if (geteuid() == 0 || getenv("PADDOCK_CGROUP")) return;
    print_message("skip - neither root nor a user with a delegated group\n");
    skip();
}

/* A group of this test's own; skips where the machine lets nobody make one. */
static struct cgroup *make(const char *what, const struct spec_limits *limits, const char *cpus) {
    need_groups();
    _cleanup_free_ char *id = str_printf("test-%s-%d", what, (int)getpid());
    _cleanup_error_ struct error err = {0};
    struct cgroup *cg = NULL;
    if (cgroup_create(id, limits, cpus, &cg, &err) < 0) fail_msg("%s", error_text(&err));
    const char *detail;
    if (cgroup_enforces(cg, CGROUP_MEMORY, &detail) && cgroup_enforces(cg, CGROUP_PIDS, &detail))
        return cg;
    print_message("skip - no groups here: %s\n", detail);
    cgroup_destroy(cg, 0, NULL);
    skip();
    return NULL;
}

static void destroy(struct cgroup *cg) {
    _cleanup_error_ struct error err = {0};
    _cleanup_strv_ char **paths = strv_copy(cgroup_paths(cg));
    assert_non_null(paths);
    if (cgroup_destroy(cg, 5000, &err) < 0) fail_msg("%s", error_text(&err));
    for (size_t i = 0; paths[i]; i++) assert_int_equal(access(paths[i], F_OK), -1);
}

static void kill_all(struct cgroup *cg) {
    _cleanup_error_ struct error err = {0};
    if (cgroup_kill(cg, &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(cgroup_population(cg), 0);
}

static void attach(struct cgroup *cg, pid_t pid) {
    _cleanup_error_ struct error err = {0};
    if (cgroup_attach(cg, pid, false, &err) < 0) fail_msg("%s", error_text(&err));
}

static int64_t value_of(const struct cgroup *cg, enum cgroup_control c, const char *v1,
                        const char *v2) {
    const struct cgroup_group *g = cgroup_group_of(cg, c);
    assert_non_null(g);
    return cgroup_read_int(g->fd, g->unified ? v2 : v1);
}

/* A child that waits for a byte on a pipe, then does `work`. */
static pid_t start(int *go, void (*work)(void)) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char c;
        close(ends[1]);
        if (read(ends[0], &c, 1) == 1) work();
        _exit(0);
    }
    close(ends[0]);
    *go = ends[1];
    return pid;
}

static void let_go(int go) {
    assert_int_equal(write(go, "x", 1), 1);
    close(go);
}

/* ---- discovery ---- */

static const char hybrid_mounts[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime shared:9 - cgroup cgroup rw,blkio\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
static const char hybrid_groups[] = "9:name=systemd:/\n7:blkio:/\n4:memory:/supervisor/36bae\n"
                                    "2:cpuacct:/\n0::/\n";

static struct cgroup_map parsed(const char *mounts, const char *groups) {
    struct cgroup_map map;
    _cleanup_error_ struct error err = {0};
    if (cgroup_map_parse(mounts, groups, &map, &err) < 0) fail_msg("%s", error_text(&err));
    return map;
}

static const struct cgroup_hierarchy *with(const struct cgroup_map *map, enum controller c) {
    for (size_t i = 0; i < map->count; i++)
        if (map->items[i].controllers & CTL_BIT(c)) return &map->items[i];
    return NULL;
}

static void own_is(const struct cgroup_hierarchy *h, const char *expected) {
    assert_non_null(h);
    _cleanup_free_ char *own = cgroup_hierarchy_own(h);
    if (expected) assert_non_null(own);
    else assert_null(own);
    if (expected) assert_string_equal(own, expected);
}

static void a_hybrid_machine_is_understood(void **state) {
    (void)state;
    _cleanup_cgroup_map_ struct cgroup_map map = parsed(hybrid_mounts, hybrid_groups);
    assert_int_equal(map.count, 4);
    own_is(with(&map, CTL_MEMORY), "/supervisor/36bae");
    own_is(with(&map, CTL_IO), "");
    own_is(cgroup_map_unified(&map), "");
    assert_string_equal(cgroup_map_unified(&map)->mount, "/sys/fs/cgroup/unified");
    assert_null(with(&map, CTL_PIDS));
}

static void a_unified_machine_is_understood(void **state) {
    (void)state;
    _cleanup_cgroup_map_ struct cgroup_map map =
        parsed("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
               "0::/user.slice/user-1000.slice/session-3.scope\n");
    assert_int_equal(map.count, 1);
    own_is(cgroup_map_unified(&map), "/user.slice/user-1000.slice/session-3.scope");
    _cleanup_cgroup_bases_ struct cgroup_bases bases;
    cgroup_bases(cgroup_map_unified(&map), "/paddock.service", &bases);
    assert_int_equal(bases.count, 3);
    assert_string_equal(bases.items[0], "/paddock.service");
    assert_string_equal(bases.items[1], "/user.slice/user-1000.slice/session-3.scope");
    assert_string_equal(bases.items[2], "");
}

static void comounted_controllers_are_one_hierarchy(void **state) {
    (void)state;
    _cleanup_cgroup_map_ struct cgroup_map map =
        parsed("33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
               "34 31 0:31 / /sys/fs/cgroup/a\\040b rw - cgroup cgroup rw,memory\n"
               "35 31 0:30 /docker /var/lib/copy rw - cgroup cgroup rw,cpu,cpuacct\n",
               "3:cpu,cpuacct:/system.slice\n4:memory:/\n");
    assert_int_equal(map.count, 2);
    own_is(with(&map, CTL_CPUACCT), "/system.slice");
    assert_string_equal(with(&map, CTL_MEMORY)->mount, "/sys/fs/cgroup/a b");
}

/* A container without a cgroup namespace sees its own group at the mount
 * point, and one whose view is of another namespace sees none. */
static void a_container_is_understood(void **state) {
    (void)state;
    const char *mounts =
        "34 31 0:31 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
        "35 31 0:32 /docker/abc /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n"
        "36 31 0:33 /docker/abc /sys/fs/cgroup/unified ro - cgroup2 cgroup rw\n";
    _cleanup_cgroup_map_ struct cgroup_map map =
        parsed(mounts, "4:memory:/docker/abc/sub\n5:pids:/docker/abcdef\n0::/../x\n");
    own_is(with(&map, CTL_MEMORY), "/sub");
    own_is(with(&map, CTL_PIDS), NULL);
    own_is(cgroup_map_unified(&map), NULL);
}

static void nonsense_is_passed_over(void **state) {
    (void)state;
    _cleanup_cgroup_map_ struct cgroup_map map =
        parsed("\n1\n1 2 3\na b c d e\na b c d e - cgroup\n1 2 3 / /x rw - cgroup cgroup rw\n"
               "1 2 3 / /x rw - cgroup cgroup rw,frob",
               ":\n::\n0::\nx\n4:memory\n");
    assert_int_equal(map.count, 0);
    _cleanup_cgroup_map_ struct cgroup_map none = parsed("", "");
    assert_int_equal(none.count, 0);
}

static void membership_is_by_whole_path(void **state) {
    (void)state;
    char path[] = "/top/paddock/a";
    struct cgroup_group g = {.in_hierarchy = path};
    assert_true(cgroup_membership_has("3:pids:/\n4:memory:/top/paddock/a\n0::/\n", &g));
    assert_true(cgroup_membership_has("4:memory:/top/paddock/a/sub\n", &g));
    assert_false(cgroup_membership_has("4:memory:/top/paddock/ab\n", &g));
    assert_false(cgroup_membership_has("0::/top/paddock/a\n", &g));
    assert_false(cgroup_membership_has("4:memory:/\n", &g));
    g.unified = true;
    assert_true(cgroup_membership_has("4:memory:/\n0::/top/paddock/a", &g));
}

/* ---- limits ---- */

static void limits_are_in_the_files(void **state) {
    (void)state;
    struct spec_limits limits = {.memory_bytes = 64 * MIB, .pids = 20};
    struct cgroup *cg = make("limits", &limits, "0");
    assert_int_equal(value_of(cg, CGROUP_MEMORY, "memory.limit_in_bytes", "memory.max"), 64 * MIB);
    assert_int_equal(value_of(cg, CGROUP_PIDS, "pids.max", "pids.max"), 20);
    const struct cgroup_group *memory = cgroup_group_of(cg, CGROUP_MEMORY);
    int64_t swap = cgroup_read_int(memory->fd, memory->unified ? "memory.swap.max"
                                                               : "memory.memsw.limit_in_bytes");
    if (swap >= 0) assert_int_equal(swap, memory->unified ? 0 : 64 * MIB);
    const char *detail;
    if (cgroup_enforces(cg, CGROUP_CPUSET, &detail)) {
        char cpus[64];
        const struct cgroup_group *set = cgroup_group_of(cg, CGROUP_CPUSET);
        assert_true(cgroup_read(set->fd, "cpuset.cpus", cpus, sizeof cpus) > 0);
        assert_string_equal(cpus, "0\n");
    }
    char list[512];
    const struct cgroup_group *devices = cgroup_group_of(cg, CGROUP_DEVICES);
    if (devices) {
        assert_true(cgroup_read(devices->fd, "devices.list", list, sizeof list) > 0);
        assert_null(strstr(list, "a *:*"));
        assert_null(strstr(list, "m"));
        assert_non_null(strstr(list, "c 1:3 rw\n"));
    }
    destroy(cg);
}

static void no_limit_asked_for_is_none(void **state) {
    (void)state;
    struct cgroup *cg = make("nolimit", NULL, NULL);
    const char *detail;
    assert_true(cgroup_enforces(cg, CGROUP_MEMORY, &detail));
    assert_non_null(strstr(detail, "no limit asked for"));
    assert_false(cgroup_enforces(cg, CGROUP_CPUSET, &detail));
    assert_int_equal(cgroup_oom_fd(cg), -1);
    destroy(cg);
}

static void spin(void) {
    int64_t end = clock_mono_ns() + 50 * NS_PER_MS;
    while (clock_mono_ns() < end) {
    }
}

static void what_a_child_uses_is_counted(void **state) {
    (void)state;
    struct spec_limits limits = {.memory_bytes = 64 * MIB, .pids = 20};
    struct cgroup *cg = make("usage", &limits, NULL);
    int go;
    pid_t pid = start(&go, spin);
    attach(cg, pid);
    assert_int_equal(cgroup_population(cg), 1);
    let_go(go);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    struct cgroup_usage usage;
    cgroup_sample(cg, &usage);
    assert_true(usage.cpu_total_ns > 5 * NS_PER_MS);
    assert_true(usage.memory_peak_bytes >= 0);
    assert_int_equal(usage.pids_refused, 0);
    assert_int_equal(usage.oom_kills, 0);
    assert_int_equal(cgroup_population(cg), 0);
    assert_false(cgroup_oom_seen(cg));
    destroy(cg);
}

static pid_t clone_into(int cgroup) {
    struct clone_args args = {.exit_signal = SIGCHLD};
    if (cgroup >= 0) args.flags = CLONE_INTO_CGROUP;
    if (cgroup >= 0) args.cgroup = (uint64_t)cgroup;
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static void a_child_enters_by_itself(void **state) {
    (void)state;
    struct cgroup *cg = make("enter", NULL, NULL);
    struct cgroup_door door;
    int unified = cgroup_clone_fd(cg);
    assert_int_equal(cgroup_enter_open(cg, unified >= 0, &door, NULL), 0);
    pid_t pid = clone_into(unified);
    assert_true(pid >= 0);
    if (pid == 0) {
        if (cgroup_enter(&door) < 0) _exit(1);
        for (size_t i = 0; i < cg->count; i++)
            if (cgroup_group_population(&cg->groups[i]) != 1) _exit(2);
        _exit(0);
    }
    cgroup_enter_close(&door);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    destroy(cg);
}

static void hog(void) {
    size_t size = 64 * MIB;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; p != MAP_FAILED && i < size; i += 4096) p[i] = 1;
    _exit(7);
}

static void running_out_of_memory_is_noticed(void **state) {
    (void)state;
    struct spec_limits limits = {.memory_bytes = 16 * MIB, .pids = 20};
    struct cgroup *cg = make("oom", &limits, NULL);
    int go;
    pid_t pid = start(&go, hog);
    attach(cg, pid);
    let_go(go);
    struct pollfd event = {.fd = cgroup_oom_fd(cg), .events = POLLIN};
    assert_true(event.fd >= 0);
    assert_int_equal(poll(&event, 1, 60000), 1);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(cgroup_oom_seen(cg));
    struct cgroup_usage usage;
    cgroup_sample(cg, &usage);
    assert_true(usage.oom_kills >= 1);
    assert_true(usage.memory_peak_bytes <= 16 * MIB);
    destroy(cg);
}

static void fork_many(void) {
    for (int i = 0; i < 100; i++)
        if (fork() == 0)
            for (;;) pause();
    for (;;) pause();
}

static int64_t population_settles(struct cgroup *cg, int64_t expected) {
    int64_t n = -1;
    for (int i = 0; i < 3000 && n != expected; i++) {
        usleep(10000);
        n = cgroup_population(cg);
    }
    return n;
}

static void forks_beyond_the_limit_are_refused(void **state) {
    (void)state;
    struct spec_limits limits = {.pids = 10};
    struct cgroup *cg = make("pids", &limits, NULL);
    int go;
    pid_t pid = start(&go, fork_many);
    attach(cg, pid);
    let_go(go);
    assert_int_equal(population_settles(cg, 10), 10);
    struct cgroup_usage before;
    for (int i = 0; i < 3000; i++) {
        cgroup_sample(cg, &before);
        if (before.pids_refused >= 91) break;
        usleep(10000);
    }
    assert_true(before.pids_refused > 0);
    kill_all(cg);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    destroy(cg);
}

/* ---- killing ---- */

/* 50 grandchildren in sessions of their own, their parents gone. */
static void grow_tree(void) {
    for (int i = 0; i < 50; i++) {
        pid_t middle = fork();
        if (middle == 0) {
            setsid();
            if (fork() == 0) {
                signal(SIGTERM, SIG_IGN);
                for (;;) pause();
            }
            _exit(0);
        }
        waitpid(middle, NULL, 0);
    }
    for (;;) pause();
}

static void tree_is_killed(struct cgroup *cg) {
    int go;
    pid_t pid = start(&go, grow_tree);
    attach(cg, pid);
    let_go(go);
    assert_int_equal(population_settles(cg, 51), 51);
    kill_all(cg);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    struct cgroup_usage usage;
    cgroup_sample(cg, &usage);
    assert_true(usage.pids_refused <= 0);
    destroy(cg);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

static void a_tree_of_orphans_is_killed(void **state) {
    (void)state;
    tree_is_killed(make("tree", NULL, NULL));
}

/* The same with v1 hierarchies alone, as on older machines. */
static struct cgroup *make_v1(const char *what) {
    need_groups();
    _cleanup_cgroup_map_ struct cgroup_map map;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(cgroup_map_load(&map, &err), 0);
    for (size_t i = 0; i < map.count; i++) {
        struct cgroup_hierarchy *h = &map.items[i];
        if (!h->unified) continue;
        h->unified = false;
        h->controllers = 0;
    }
    if (!with(&map, CTL_FREEZER) || !with(&map, CTL_PIDS)) {
        print_message("skip - no v1 hierarchies for freezer and pids\n");
        skip();
    }
    _cleanup_free_ char *id = str_printf("test-%s-%d", what, (int)getpid());
    struct cgroup *cg = NULL;
    if (cgroup_create_on(&map, NULL, id, NULL, "0", &cg, &err) < 0)
        fail_msg("%s", error_text(&err));
    const char *detail;
    assert_int_equal(cgroup_clone_fd(cg), -1);
    for (int c = 0; c < CGROUP_CONTROLS; c++)
        if (!cgroup_enforces(cg, (enum cgroup_control)c, &detail))
            print_message("control %d: %s\n", c, detail);
    assert_true(cgroup_enforces(cg, CGROUP_FREEZE, &detail));
    return cg;
}

static void a_tree_is_killed_without_the_unified_hierarchy(void **state) {
    (void)state;
    tree_is_killed(make_v1("tree-v1"));
}

static void bomb(void) {
    for (;;)
        if (fork() == 0) continue;
}

static void a_fork_bomb_is_killed(struct cgroup *cg) {
    int go;
    const struct cgroup_group *pids = cgroup_group_of(cg, CGROUP_PIDS);
    assert_int_equal(cgroup_write(pids->fd, "pids.max", "100"), 0);
    pid_t pid = start(&go, bomb);
    attach(cg, pid);
    let_go(go);
    usleep(200000);
    kill_all(cg);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    destroy(cg);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

static void fork_bombs_are_killed(void **state) {
    (void)state;
    a_fork_bomb_is_killed(make("bomb", NULL, NULL));
}

static void fork_bombs_are_killed_without_cgroup_kill(void **state) {
    (void)state;
    a_fork_bomb_is_killed(make_v1("bomb-v1"));
}

static void for_ever(void) {
    for (;;) pause();
}

static void frozen_is_killed(struct cgroup *cg) {
    _cleanup_error_ struct error err = {0};
    int go;
    pid_t pid = start(&go, for_ever);
    attach(cg, pid);
    let_go(go);
    if (cgroup_freeze(cg, true, &err) < 0) fail_msg("%s", error_text(&err));
    kill(pid, SIGCONT);
    kill_all(cg);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    destroy(cg);
}

static void the_frozen_are_killed_too(void **state) {
    (void)state;
    frozen_is_killed(make("frozen", NULL, NULL));
}

static void the_frozen_of_v1_are_killed_too(void **state) {
    (void)state;
    frozen_is_killed(make_v1("frozen-v1"));
}

static void frozen_processes_do_not_run(void **state) {
    (void)state;
    struct cgroup *cg = make("thaw", NULL, NULL);
    int go;
    pid_t pid = start(&go, for_ever);
    attach(cg, pid);
    assert_int_equal(cgroup_freeze(cg, true, NULL), 0);
    /* v1 calls a process frozen a moment before it has left its cpu. */
    usleep(50000);
    struct cgroup_usage before;
    struct cgroup_usage after;
    cgroup_sample(cg, &before);
    let_go(go);
    usleep(20000);
    cgroup_sample(cg, &after);
    assert_int_equal(before.cpu_total_ns, after.cpu_total_ns);
    assert_int_equal(cgroup_freeze(cg, false, NULL), 0);
    kill_all(cg);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    destroy(cg);
}

/* Controllers may all be elsewhere, or off: what remains is used and said. */
static void the_unified_hierarchy_alone_is_used(void **state) {
    (void)state;
    need_groups();
    _cleanup_cgroup_map_ struct cgroup_map map;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(cgroup_map_load(&map, &err), 0);
    for (size_t i = 0; i < map.count; i++)
        if (!map.items[i].unified) map.items[i].controllers = 0;
    _cleanup_free_ char *id = str_printf("test-v2-%d", (int)getpid());
    struct spec_limits limits = {.memory_bytes = 64 * MIB, .pids = 200};
    struct cgroup *cg = NULL;
    if (cgroup_create_on(&map, NULL, id, &limits, "0", &cg, &err) < 0)
        fail_msg("%s", error_text(&err));
    for (int c = 0; c < CGROUP_CONTROLS; c++) {
        const char *detail = NULL;
        bool on = cgroup_enforces(cg, (enum cgroup_control)c, &detail);
        assert_true(detail[0] != '\0');
        print_message("v2 control %d: %s, %s\n", c, on ? "on" : "off", detail);
    }
    if (cgroup_clone_fd(cg) < 0) {
        print_message("skip - no unified hierarchy that can be written\n");
        cgroup_destroy(cg, 0, NULL);
        skip();
    }
    tree_is_killed(cg);
}

/* ---- ids, leftovers, strangers ---- */

/* A group somebody set aside for us comes before all others; one that is not
 * there is passed over. */
static void a_delegated_group_is_preferred(void **state) {
    (void)state;
    struct cgroup *outer = make("outer", NULL, NULL);
    _cleanup_cgroup_map_ struct cgroup_map map;
    assert_int_equal(cgroup_map_load(&map, NULL), 0);
    _cleanup_free_ char *id = str_printf("test-inner-%d", (int)getpid());
    struct cgroup *inner = NULL;
    const char *delegated = outer->groups[0].in_hierarchy;
    assert_int_equal(cgroup_create_on(&map, delegated, id, NULL, NULL, &inner, NULL), 0);
    _cleanup_free_ char *expected = str_printf("%s/paddock/%s", outer->groups[0].path, id);
    assert_string_equal(cgroup_paths(inner)[0], expected);
    destroy(inner);
    assert_int_equal(cgroup_create_on(&map, "/not/there", id, NULL, NULL, &inner, NULL), 0);
    assert_null(strstr(cgroup_paths(inner)[0], "/not/there"));
    destroy(inner);
    destroy(outer);
}

static void a_name_in_use_is_refused_and_a_leftover_replaced(void **state) {
    (void)state;
    struct cgroup *cg = make("twice", NULL, NULL);
    _cleanup_free_ char *id = str_printf("test-twice-%d", (int)getpid());
    int go;
    pid_t pid = start(&go, for_ever);
    attach(cg, pid);
    _cleanup_error_ struct error err = {0};
    struct cgroup *second = NULL;
    assert_int_equal(cgroup_create(id, NULL, NULL, &second, &err), -1);
    assert_int_equal(err.kind, ERROR_EXISTS);
    assert_int_equal(cgroup_population(cg), 1);
    kill_all(cg);
    waitpid(pid, NULL, 0);
    close(go);
    assert_int_equal(cgroup_create(id, NULL, NULL, &second, &err), 0);
    destroy(second);
    cgroup_destroy(cg, 0, NULL);
}

static void only_our_own_groups_are_swept(void **state) {
    (void)state;
    static char *const bad[][2] = {{"/sys/fs/cgroup/memory", NULL},
                                   {"/sys/fs/cgroup/memory/other/x", NULL},
                                   {"/sys/fs/cgroup/memory/paddock/../x", NULL},
                                   {"/sys/fs/cgroup/memory/paddock/", NULL},
                                   {"/tmp/paddock/x", NULL},
                                   {"paddock/x", NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_error_ struct error err = {0};
        assert_int_equal(cgroup_sweep(bad[i], &err), -1);
        assert_int_equal(err.kind, ERROR_INVALID);
    }
    struct cgroup *cg = NULL;
    assert_int_equal(cgroup_create("../x", NULL, NULL, &cg, NULL), -1);
    assert_int_equal(cgroup_create("a/b", NULL, NULL, &cg, NULL), -1);
}

static void a_recorded_group_is_swept(void **state) {
    (void)state;
    struct cgroup *cg = make("sweep", NULL, NULL);
    _cleanup_strv_ char **paths = strv_copy(cgroup_paths(cg));
    int go;
    pid_t pid = start(&go, for_ever);
    attach(cg, pid);
    cgroup_free(cg); /* as if its launcher had died */
    _cleanup_error_ struct error err = {0};
    if (cgroup_sweep(paths, &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(go);
    for (size_t i = 0; paths[i]; i++) assert_int_equal(access(paths[i], F_OK), -1);
    assert_int_equal(cgroup_sweep(paths, &err), 0);
}

static void a_group_nobody_recorded_is_swept_by_name(void **state) {
    (void)state;
    struct cgroup *cg = make("byname", NULL, NULL);
    _cleanup_strv_ char **paths = strv_copy(cgroup_paths(cg));
    _cleanup_free_ char *id = str_printf("test-byname-%d", (int)getpid());
    cgroup_free(cg);
    assert_int_equal(cgroup_sweep_id(id, NULL), 0);
    for (size_t i = 0; paths[i]; i++) assert_int_equal(access(paths[i], F_OK), -1);
}

/* What a plain user gets: an object that enforces nothing and says why. */
static int as_plain_user(void) {
    struct cgroup *cg = NULL;
    struct spec_limits limits = {.memory_bytes = MIB, .pids = 5};
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0) return 1;
    if (cgroup_create("plain-user", &limits, "0", &cg, NULL) < 0) return 2;
    for (int c = 0; c < CGROUP_CONTROLS; c++) {
        const char *detail = NULL;
        if (cgroup_enforces(cg, (enum cgroup_control)c, &detail)) return 3;
        if (!detail || !detail[0]) return 4;
    }
    const char *why = NULL;
    cgroup_enforces(cg, CGROUP_MEMORY, &why);
    if (!strstr(why, "no writable group: ") && !strstr(why, "no such controller")) return 5;
    struct cgroup_usage usage;
    cgroup_sample(cg, &usage);
    if (usage.cpu_total_ns != -1 || usage.pids != -1) return 6;
    if (cgroup_population(cg) != -1 || cgroup_clone_fd(cg) != -1 || cgroup_paths(cg)[0]) return 7;
    if (cgroup_attach(cg, getpid(), false, NULL) < 0) return 8;
    if (cgroup_kill(cg, NULL) < 0 || cgroup_freeze(cg, true, NULL) == 0) return 9;
    return cgroup_destroy(cg, 0, NULL) < 0 ? 10 : 0;
}

static void a_plain_user_gets_nothing_and_is_told_why(void **state) {
    (void)state;
    need_root();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(as_plain_user());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void) {
    /* Orphans of the trees come to us, so that none is left behind. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hybrid_machine_is_understood),
        cmocka_unit_test(a_unified_machine_is_understood),
        cmocka_unit_test(comounted_controllers_are_one_hierarchy),
        cmocka_unit_test(a_container_is_understood),
        cmocka_unit_test(nonsense_is_passed_over),
        cmocka_unit_test(membership_is_by_whole_path),
        cmocka_unit_test(limits_are_in_the_files),
        cmocka_unit_test(no_limit_asked_for_is_none),
        cmocka_unit_test(what_a_child_uses_is_counted),
        cmocka_unit_test(a_child_enters_by_itself),
        cmocka_unit_test(running_out_of_memory_is_noticed),
        cmocka_unit_test(forks_beyond_the_limit_are_refused),
        cmocka_unit_test(a_tree_of_orphans_is_killed),
        cmocka_unit_test(a_tree_is_killed_without_the_unified_hierarchy),
        cmocka_unit_test(fork_bombs_are_killed),
        cmocka_unit_test(fork_bombs_are_killed_without_cgroup_kill),
        cmocka_unit_test(the_frozen_are_killed_too),
        cmocka_unit_test(the_frozen_of_v1_are_killed_too),
        cmocka_unit_test(frozen_processes_do_not_run),
        cmocka_unit_test(the_unified_hierarchy_alone_is_used),
        cmocka_unit_test(a_delegated_group_is_preferred),
        cmocka_unit_test(a_name_in_use_is_refused_and_a_leftover_replaced),
        cmocka_unit_test(only_our_own_groups_are_swept),
        cmocka_unit_test(a_recorded_group_is_swept),
        cmocka_unit_test(a_group_nobody_recorded_is_swept_by_name),
        cmocka_unit_test(a_plain_user_gets_nothing_and_is_told_why),
    };
    return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
