#include "sandbox/live.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/cgroup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

/* A registry of this test's own. */
static char base[64];

static int setup(void **state) {
    (void)state;
    snprintf(base, sizeof base, "/tmp/test-live-XXXXXX");
    return mkdtemp(base) && setenv("PADDOCK_LIVE", base, 1) == 0 ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    return tree_remove(base, NULL);
}

static char *entry_path(const char *id) {
    char *path = str_printf("%s/live/%s", base, id);
    assert_non_null(path);
    return path;
}

static bool entry_exists(const char *id) {
    _cleanup_free_ char *path = entry_path(id);
    return access(path, F_OK) == 0;
}

static struct live *enlist(const char *id) {
    _cleanup_error_ struct error err = {0};
    struct live *l = NULL;
    char *const none[] = {NULL};
    if (live_register(id, &l, &err) < 0 || live_record_cgroups(l, none, &err) < 0)
        fail_msg("%s", error_text(&err));
    return l;
}

static void an_id_is_registered_once(void **state) {
    (void)state;
    struct live *l = enlist("run-1");
    struct live *second = NULL;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(live_register("run-1", &second, &err), -1);
    assert_int_equal(err.kind, ERROR_EXISTS);
    assert_null(second);
    live_release(l);
    assert_false(entry_exists("run-1"));
    live_release(enlist("run-1"));
}

static void an_entry_that_is_left_is_swept(void **state) {
    (void)state;
    live_leave(enlist("run-left"));
    assert_true(entry_exists("run-left"));
    assert_int_equal(live_sweep(NULL), 1);
    assert_false(entry_exists("run-left"));
}

static void names_are_checked(void **state) {
    (void)state;
    static const char *const bad[] = {"", "../x", "a/b", ".x", "ids", "A", "x\n"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct live *l = NULL;
        _cleanup_error_ struct error err = {0};
        assert_int_equal(live_register(bad[i], &l, &err), -1);
        assert_int_equal(err.kind, ERROR_INVALID);
    }
}

static void the_live_are_listed_and_not_swept(void **state) {
    (void)state;
    struct live *a = enlist("run-a");
    struct live *b = enlist("run-b");
    assert_int_equal(live_sweep(NULL), 0);
    struct live_entry *list = NULL;
    size_t count = 0;
    assert_int_equal(live_list(&list, &count, NULL), 0);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        assert_true(str_starts(list[i].id, "run-"));
        assert_int_equal(list[i].pid, getpid());
        assert_true(list[i].started_real_ns > 0);
    }
    live_list_free(list, count);
    live_release(a);
    live_release(b);
    assert_int_equal(live_list(&list, &count, NULL), 0);
    assert_int_equal(count, 0);
    live_list_free(list, count);
}

static void id_ranges_do_not_overlap(void **state) {
    (void)state;
    struct live *l[20];
    uint32_t bases[20];
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%d", i);
        l[i] = enlist(id);
        assert_int_equal(live_reserve_ids(l[i], &bases[i], NULL), 0);
        assert_true(bases[i] >= 0x40000000U && bases[i] < 0x50000000U);
        assert_int_equal(bases[i] % 65536, 0);
        for (int k = 0; k < i; k++) assert_int_not_equal(bases[i], bases[k]);
    }
    uint32_t freed = bases[3];
    live_release(l[3]);
    l[3] = enlist("again");
    assert_int_equal(live_reserve_ids(l[3], &bases[3], NULL), 0);
    assert_int_equal(bases[3], freed);
    for (int i = 0; i < 20; i++) live_release(l[i]);
}

/* Runs `act` in a child, which then waits to be killed without a chance to
 * clean up. It writes a byte when it is ready. */
static pid_t start_owner(void (*act)(int)) {
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        act(ends[1]);
        _exit(1);
    }
    close(ends[1]);
    char c = 'n';
    ssize_t n = read(ends[0], &c, 1);
    close(ends[0]);
    if (n != 1 || c != 'y') fail_msg("the owner could not start");
    return pid;
}

/* A slot's text is what says, after its owner's death, whose processes may still
 * have its ids: it goes along when the entry gets another name. */
static void a_slot_follows_its_entry(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf text = {0};
    struct live *l = enlist("ready-1");
    uint32_t first = 0;
    assert_int_equal(live_reserve_ids(l, &first, &err), 0);
    assert_int_equal(live_rename(l, "run-named", &err), 0);
    _cleanup_free_ char *slot = str_printf("%s/live/ids/0", base);
    assert_int_equal(file_read(slot, 256, &text, &err), 0);
    assert_string_equal(buf_text(&text), "run-named");
    live_release(l);
}

static void kill_owner(pid_t pid) {
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void ready(int fd, bool good) {
    if (write(fd, good ? "y" : "n", 1) != 1 || !good) _exit(1);
    for (;;) pause();
}

static void own_an_entry_with_ids(int fd) {
    struct live *l = NULL;
    uint32_t ids;
    ready(fd, live_register("dead", &l, NULL) == 0 && live_reserve_ids(l, &ids, NULL) == 0);
}

static void what_the_dead_left_is_swept(void **state) {
    (void)state;
    pid_t pid = start_owner(own_an_entry_with_ids);
    struct live *alive = enlist("alive");
    assert_int_equal(live_sweep(NULL), 0);
    kill_owner(pid);
    assert_true(entry_exists("dead"));
    /* Until then its range may have processes in it. */
    uint32_t ids;
    assert_int_equal(live_reserve_ids(alive, &ids, NULL), 0);
    assert_int_not_equal(ids, 0x40000000U);
    struct live_entry *list = NULL;
    size_t count = 0;
    assert_int_equal(live_list(&list, &count, NULL), 0);
    assert_int_equal(count, 1);
    live_list_free(list, count);
    assert_int_equal(live_sweep(NULL), 1);
    assert_false(entry_exists("dead"));
    assert_true(entry_exists("alive"));
    struct live *next = enlist("next");
    assert_int_equal(live_reserve_ids(next, &ids, NULL), 0);
    assert_int_equal(ids, 0x40000000U);
    live_release(next);
    live_release(alive);
}

static void an_id_of_the_dead_can_be_taken_at_once(void **state) {
    (void)state;
    kill_owner(start_owner(own_an_entry_with_ids));
    struct live *l = enlist("dead");
    assert_int_equal(live_sweep(NULL), 0);
    live_release(l);
}

/* Registers, makes groups and leaves a sleeping grandchild in them. */
static void own_groups(int fd) {
    struct live *l = NULL;
    struct cgroup *cg = NULL;
    bool good = live_register("grouped", &l, NULL) == 0 &&
                cgroup_create("grouped-by-test", NULL, NULL, &cg, NULL) == 0 &&
                live_record_cgroups(l, cgroup_paths(cg), NULL) == 0;
    pid_t pid = good ? fork() : -1;
    if (pid == 0) {
        /* As a launcher's child must: the lock is not ours to hold. */
        for (int i = 3; i < 256; i++) close(i);
        setsid();
        for (;;) pause();
    }
    ready(fd, good && pid > 0 && cgroup_attach(cg, pid, false, NULL) == 0);
}

static void groups_of_the_dead_are_killed_and_removed(void **state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("skip - groups can be made by root only\n");
        skip();
    }
    pid_t pid = start_owner(own_groups);
    _cleanup_free_ char *path = entry_path("grouped");
    _cleanup_buf_ struct buf text = {0};
    assert_int_equal(file_read(path, 65536, &text, NULL), 0);
    assert_int_equal(live_sweep(NULL), 0);
    kill_owner(pid);
    _cleanup_error_ struct error err = {0};
    if (live_sweep(&err) != 1) fail_msg("%s", error_text(&err));
    assert_false(entry_exists("grouped"));
    if (!strstr(buf_text(&text), "/paddock/grouped-by-test")) {
        print_message("skip - no groups here\n");
        skip();
    }
    /* The orphan came to us when its parent died. */
    int status;
    assert_true(waitpid(-1, &status, 0) > 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(access("/sys/fs/cgroup/memory/paddock/grouped-by-test", F_OK), -1);
    assert_int_equal(access("/sys/fs/cgroup/unified/paddock/grouped-by-test", F_OK), -1);
    assert_int_equal(access("/sys/fs/cgroup/paddock/grouped-by-test", F_OK), -1);
}

static void own_groups_unrecorded(int fd) {
    struct live *l = NULL;
    struct cgroup *cg = NULL;
    ready(fd, live_register("unrecorded", &l, NULL) == 0 &&
                  cgroup_create("unrecorded", NULL, NULL, &cg, NULL) == 0);
}

/* Killed between making its groups and saying where they are. */
static void unrecorded_groups_are_found(void **state) {
    (void)state;
    kill_owner(start_owner(own_groups_unrecorded));
    assert_int_equal(live_sweep(NULL), 1);
    assert_int_equal(access("/sys/fs/cgroup/memory/paddock/unrecorded", F_OK), -1);
    assert_int_equal(access("/sys/fs/cgroup/unified/paddock/unrecorded", F_OK), -1);
    assert_int_equal(access("/sys/fs/cgroup/paddock/unrecorded", F_OK), -1);
}

static void put(const char *id, const char *text) {
    _cleanup_free_ char *path = entry_path(id);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    close(fd);
}

/* An owner can die at any byte; what cannot be read names no group. */
static void torn_entries_are_swept(void **state) {
    (void)state;
    live_release(enlist("first"));
    put("empty", "");
    put("torn", "{\"pid\":12,\"star");
    put("strange", "[1,2]");
    put("no-groups", "{\"pid\":1,\"started_real_ns\":1,\"id_base\":0,\"cgroups\":[]}");
    assert_int_equal(live_sweep(NULL), 4);
}

static void an_entry_cannot_point_at_groups_of_others(void **state) {
    (void)state;
    live_release(enlist("first"));
    put("evil", "{\"pid\":1,\"started_real_ns\":1,\"id_base\":0,"
                "\"cgroups\":[\"/sys/fs/cgroup/memory/other\"]}");
    _cleanup_error_ struct error err = {0};
    assert_int_equal(live_sweep(&err), -1);
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_true(entry_exists("evil"));
}

/* Between a launcher's open and its lock a sweep may remove the file: then the
 * lock is worth nothing, and must be taken anew. */
static void registering_and_sweeping_at_once(void **state) {
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 2000; i++)
            if (live_sweep(NULL) != 0) _exit(1);
        _exit(0);
    }
    for (int i = 0; i < 500; i++) {
        struct live *l = enlist("racer");
        assert_true(entry_exists("racer"));
        live_release(l);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void a_folder_of_others_is_refused(void **state) {
    (void)state;
    _cleanup_free_ char *path = str_printf("%s/live", base);
    struct live *l = NULL;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(symlink("/tmp", path), 0);
    assert_int_equal(live_register("x", &l, &err), -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, 0777), 0);
    assert_int_equal(live_register("x", &l, &err), -1);
    assert_int_equal(err.kind, ERROR_DENIED);
    if (geteuid() != 0) return;
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_int_equal(live_register("x", &l, &err), -1);
    assert_int_equal(err.kind, ERROR_DENIED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_registered_once),
        TEST(an_entry_that_is_left_is_swept),
        TEST(names_are_checked),
        TEST(the_live_are_listed_and_not_swept),
        TEST(id_ranges_do_not_overlap),
        TEST(a_slot_follows_its_entry),
        TEST(what_the_dead_left_is_swept),
        TEST(an_id_of_the_dead_can_be_taken_at_once),
        TEST(groups_of_the_dead_are_killed_and_removed),
        TEST(unrecorded_groups_are_found),
        TEST(torn_entries_are_swept),
        TEST(an_entry_cannot_point_at_groups_of_others),
        TEST(registering_and_sweeping_at_once),
        TEST(a_folder_of_others_is_refused),
    };
    return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
