/* The queue's choice: first come, first served, and who rests waits. */
#include "orchestrator/daemon/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void nothing_waits(void **state) {
    (void)state;
    assert_int_equal(queue_choose(NULL, 0, 0), -1);
}

static void the_first_ticket_goes_first(void **state) {
    (void)state;
    const struct queue_job jobs[] = {{.kind = QUEUE_VERSION, .id = 1, .ticket = 30},
                                     {.kind = QUEUE_MEASUREMENT, .id = 1, .ticket = 10},
                                     {.kind = QUEUE_VERSION, .id = 2, .ticket = 20}};
    assert_int_equal(queue_choose(jobs, 3, 0), 1);
}

static void what_another_lane_has_is_left_alone(void **state) {
    (void)state;
    const struct queue_job jobs[] = {{.id = 1, .ticket = 1, .leased = true},
                                     {.id = 2, .ticket = 2}};
    assert_int_equal(queue_choose(jobs, 2, 0), 1);
    assert_int_equal(queue_choose(jobs, 1, 0), -1);
}

static void a_resting_job_keeps_nobody_waiting(void **state) {
    (void)state;
    const struct queue_job jobs[] = {{.id = 1, .ticket = 1, .not_before = 100},
                                     {.id = 2, .ticket = 2}};
    assert_int_equal(queue_choose(jobs, 2, 99), 1);
    assert_int_equal(queue_choose(jobs, 2, 100), 0);
    assert_int_equal(queue_choose(jobs, 1, 99), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_waits),
        cmocka_unit_test(the_first_ticket_goes_first),
        cmocka_unit_test(what_another_lane_has_is_left_alone),
        cmocka_unit_test(a_resting_job_keeps_nobody_waiting),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
