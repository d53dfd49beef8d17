/* Leases of timed runs, and the answers of the others. Locks are of open files, so
 * that one process can play all parts. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "sandbox/lease.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static char folder[] = "/tmp/paddock-lease-XXXXXX";
static struct live *timed, *other;

static int set_up(void **state) {
    (void)state;
    memcpy(folder, "/tmp/paddock-lease-XXXXXX", sizeof folder);
    if (!mkdtemp(folder) || setenv("PADDOCK_LIVE", folder, 1) < 0) return -1;
    return live_register("timed", &timed, NULL) < 0 || live_register("other", &other, NULL) < 0;
}

static int tear_down(void **state) {
    (void)state;
    live_release(timed);
    live_release(other);
    return tree_remove(folder, NULL);
}

static struct cpu_list cpus(const char *text) {
    struct cpu_list l;
    assert_int_equal(cpu_list_parse(text, &l), 0);
    return l;
}

static struct lease *take(struct live *who, const char *list) {
    struct lease *lease = NULL;
    struct cpu_list wanted = cpus(list);
    assert_int_equal(lease_try(who, &wanted, &lease, NULL), 0);
    return lease;
}

static bool refused(struct live *who, const char *list) {
    struct lease *lease = NULL;
    struct cpu_list wanted = cpus(list);
    int rc = lease_try(who, &wanted, &lease, NULL);
    lease_end(lease);
    return rc == 1;
}

static void without_a_lease_there_is_nothing_to_see(void **state) {
    (void)state;
    struct cpu_list taken;
    assert_false(lease_any());
    assert_false(live_saw_leases(other));
    assert_int_equal(lease_look(other, &taken), 0);
}

static void a_lease_is_seen_and_ends(void **state) {
    (void)state;
    struct cpu_list taken;
    struct lease *lease = take(timed, "0-1");
    assert_true(lease_any());
    assert_int_equal(lease_look(other, &taken), 1);
    _cleanup_free_ char *text = cpu_list_format(&taken);
    assert_string_equal(text, "0-1");
    assert_int_equal(lease_look(NULL, &taken), 1); /* from who is not registered */
    struct live *late = NULL;
    assert_int_equal(live_register("late", &late, NULL), 0);
    assert_true(live_saw_leases(late));
    live_release(late);
    lease_end(lease);
    assert_false(lease_any());
}

static void cpus_are_leased_once(void **state) {
    (void)state;
    struct cpu_list taken;
    struct lease *lease = take(timed, "0-1");
    assert_true(refused(other, "1-2"));
    assert_false(refused(other, "2-3"));
    struct lease *beside = take(other, "2-3");
    assert_int_equal(lease_look(NULL, &taken), 2);
    assert_int_equal(cpu_list_count(&taken), 4);
    lease_end(lease);
    assert_true(refused(timed, "3"));
    lease_end(beside);
    assert_false(lease_any());
}

/* A killed holder's file stays, without its lock. */
static void a_dead_lease_is_nothing(void **state) {
    (void)state;
    struct cpu_list taken;
    _cleanup_free_ char *dir = path_join(folder, "live/.lanes");
    _cleanup_free_ char *file = path_join(dir, "dead");
    assert_int_equal(mkdir(dir, 0700), 0);
    _cleanup_close_ int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write_all(fd, "0", 1), 0);
    assert_int_equal(lease_look(other, &taken), 0);
    assert_false(lease_any()); /* whoever looks removes it */
    lease_end(take(timed, "0"));
}

static void asks(const struct lease *lease, int count, int loud, int pending) {
    struct lease_others o;
    lease_ask(lease, &o);
    assert_int_equal(o.count, count);
    assert_int_equal(o.loud, loud);
    assert_int_equal(o.pending, pending);
}

static void answers_are_for_the_leases_seen(void **state) {
    (void)state;
    lease_answer(other, LEASE_AWAY, clock_mono_ns());
    struct lease *lease = take(timed, "0");
    asks(lease, 1, 1, 1); /* an answer to an earlier one */
    lease_answer(other, LEASE_AWAY, clock_mono_ns());
    asks(lease, 1, 0, 0);
    lease_answer(other, LEASE_STAYS, clock_mono_ns());
    asks(lease, 1, 1, 0);
    lease_answer(other, LEASE_BACK, 0);
    asks(lease, 1, 1, 1);
    lease_answer(other, LEASE_IDLE, 0);
    asks(lease, 0, 0, 0);
    lease_end(lease);
}

static void who_holds_a_lease_need_not_answer(void **state) {
    (void)state;
    struct lease *beside = take(other, "1");
    struct lease *lease = take(timed, "0");
    asks(lease, 0, 0, 0);
    lease_end(beside);
    asks(lease, 1, 1, 1);
    lease_end(lease);
}

int main(void) {
#define REGISTERED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        REGISTERED(without_a_lease_there_is_nothing_to_see),
        REGISTERED(a_lease_is_seen_and_ends),
        REGISTERED(cpus_are_leased_once),
        REGISTERED(a_dead_lease_is_nothing),
        REGISTERED(answers_are_for_the_leases_seen),
        REGISTERED(who_holds_a_lease_need_not_answer),
    };
    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
