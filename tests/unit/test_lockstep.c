/* The examiner against fake predict programs, each a forked child on two pipes. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/judge/lockstep.h"
#include "orchestrator/judge/repeats.h"

#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

enum { B = 5, V = 256, T = 7, ROUNDS = 3, BLOCK = 64, LEN = 8 * BLOCK };

static uint8_t text[LEN];

static struct lockstep_config config(void) {
    return (struct lockstep_config){.text = text,
                                    .len = LEN,
                                    .block_bytes = BLOCK,
                                    .streams = B,
                                    .tokens = T,
                                    .rounds = ROUNDS,
                                    .vocabulary = V,
                                    .seed = 42,
                                    .cancel_fd = -1};
}

/* What a fake program does differently from an honest one. */
enum trick {
    HONEST,      /* the same score for every token */
    COUNTS,      /* sure that the next token is one more than this one */
    HUGE_SCORES, /* finite, but at the ends of float */
    SCALED,      /* scores of 1000 for everything: not normalised */
    INFLATED,    /* the same with 1e38, beside which the logarithm of the sum is nothing */
    SAYS_NAN,
    SAYS_INFINITE,
    SHORT,
    DIES,
    SILENT,
    BAD_MAGIC,
    BAD_VERSION,
    NO_HELLO,
    TALKS_ON,
    STAYS,
    PEEKS, /* exits with 7 when there is more to read before it has answered */
    STOPS_READING,
    LEARNS,    /* surer of everything, the more it has been asked */
    REMEMBERS, /* forgets nothing at a RESET: what a stream had before changes its answer */
};

static bool get(int fd, void *data, size_t len) {
    for (size_t got = 0; got < len;) {
        ssize_t n = read(fd, (char *)data + got, len - got);
        if (n <= 0) return false;
        got += (size_t)n;
    }
    return true;
}

static void put(int fd, const void *data, size_t len) {
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)data + done, len - done);
        if (n <= 0) _exit(1);
        done += (size_t)n;
    }
}

static void fill_row(enum trick trick, float *row, uint32_t token) {
    for (int i = 0; i < V; i++) row[i] = trick == SCALED ? 1000.0F : 0.0F;
    for (int i = 0; i < V && trick == INFLATED; i++) row[i] = 1e38F;
    if (trick == COUNTS) row[(token + 1) % V] = 60.0F;
    if (trick == HUGE_SCORES)
        for (int i = 0; i < V; i++) row[i] = i % 2 ? 3e38F : -3e38F;
}

static void answer(enum trick trick, int in, int out, const uint32_t *tokens, int step) {
    static float rows[B][V];
    static uint32_t before[B];
    for (int b = 0; b < B; b++) fill_row(trick, rows[b], tokens[b]);
    for (int b = 0; b < B; b++) {
        if (trick == LEARNS) rows[b][(tokens[b] + 1) % V] = (float)step / 10;
        if (trick == REMEMBERS && step % T == 0) before[b] = tokens[b] + 13 * before[b];
        if (trick == REMEMBERS) rows[b][0] = (float)(before[b] % 7);
    }
    size_t len = sizeof rows;
    if (step == 9) {
        if (trick == SAYS_NAN) rows[3][17] = NAN;
        if (trick == SAYS_INFINITE) rows[0][255] = -INFINITY;
        if (trick == SHORT) len -= 5;
        if (trick == DIES) _exit(3);
        if (trick == SILENT) pause();
    }
    struct pollfd p = {.fd = in, .events = POLLIN};
    if (trick == PEEKS && poll(&p, 1, 20) != 0) _exit(7);
    put(out, rows, len);
    if (trick == SHORT && step == 9) _exit(0);
}

static void speak(enum trick trick, int in, int out) {
    uint32_t hello[5], ours[2] = {LOCKSTEP_MAGIC, 1}, kind, tokens[B];
    if (trick == STOPS_READING) pause();
    if (trick == NO_HELLO || !get(in, hello, sizeof hello)) _exit(0);
    if (hello[0] != LOCKSTEP_MAGIC || hello[1] != 1 || hello[2] != B || hello[3] != V ||
        hello[4] != T)
        _exit(8);
    if (trick == BAD_MAGIC) ours[0] ^= 1;
    if (trick == BAD_VERSION) ours[1] = 2;
    put(out, ours, sizeof ours);
    for (int step = 0; get(in, &kind, sizeof kind) && kind != LOCKSTEP_END;) {
        if (kind == LOCKSTEP_RESET) continue;
        if (kind != LOCKSTEP_STEP || !get(in, tokens, sizeof tokens)) _exit(9);
        answer(trick, in, out, tokens, step++);
    }
    if (trick == TALKS_ON) put(out, "x", 1);
    if (trick == STAYS) pause();
    _exit(0);
}

/* Runs the examiner against a trick; returns the child's wait status. */
static int examine(const struct lockstep_config *c, enum trick trick,
                   struct lockstep_report *report) {
    int down[2], up[2], status = 0;
    assert_int_equal(pipe2(down, O_CLOEXEC), 0);
    assert_int_equal(pipe2(up, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        close(down[1]);
        close(up[0]);
        speak(trick, down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    _cleanup_error_ struct error err = {0};
    if (lockstep_run(c, down[1], up[0], report, &err) < 0) fail_msg("%s", error_text(&err));
    close(down[1]);
    close(up[0]);
    if (report->outcome == LOCKSTEP_LATE || report->outcome == LOCKSTEP_CANCELLED)
        kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static int make_text(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < LEN; i++) text[i] = (uint8_t)i;
    return 0;
}

static void expect_complete(enum trick trick, double bits, double tolerance) {
    struct lockstep_config c = config();
    struct lockstep_report r;
    int status = examine(&c, trick, &r);
    if (r.outcome != LOCKSTEP_COMPLETE) fail_msg("%s", r.reason);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(r.positions, B * T * ROUNDS);
    assert_string_equal(r.reason, "");
    double loss = r.bits_total / (double)r.positions;
    if (!(fabs(loss - bits) <= tolerance)) fail_msg("loss %.12g, want %.12g", loss, bits);
}

static void equal_scores_cost_eight_bits(void **state) {
    (void)state;
    expect_complete(HONEST, 8, 1e-12);
}

static void knowing_costs_nothing(void **state) {
    (void)state;
    expect_complete(COUNTS, 0, 1e-12);
}

static void what_is_scaled_up_is_normalised(void **state) {
    (void)state;
    expect_complete(SCALED, 8, 1e-12);
    expect_complete(INFLATED, 8, 1e-12);
}

/* What is asked again is answered the same by a function of the tokens since the
 * last RESET, and by nothing else. */
static void who_learns_is_found_out(void **state) {
    (void)state;
    static const enum trick tricks[] = {LEARNS, REMEMBERS};
    for (size_t i = 0; i < ARRAY_SIZE(tricks); i++) {
        struct lockstep_config c = config();
        struct lockstep_report r;
        int status = examine(&c, tricks[i], &r);
        assert_int_equal(r.outcome, LOCKSTEP_INCONSISTENT);
        assert_int_equal(status, 0);
        assert_true(r.again_bits > 0.01);
        assert_int_equal(strncmp(r.reason, "asked the same again, its answers were ", 39), 0);
    }
}

static void every_segment_is_asked_and_some_again(void **state) {
    (void)state;
    for (uint32_t rounds = 1; rounds <= 16; rounds += 5) {
        _cleanup_error_ struct error err = {0};
        struct repeats plan = {0};
        size_t seen[16 * 64] = {0}, again = 0;
        assert_int_equal(repeats_draw(64, rounds, rounds, &plan, &err), 0);
        for (size_t i = 0; i < (rounds + 1) * 64UL; i++) {
            assert_true(plan.order[i] < rounds * 64UL);
            again += seen[plan.order[i]]++ > 0;
        }
        for (size_t i = 0; i < rounds * 64UL; i++) assert_true(seen[i] > 0);
        assert_int_equal(again, 64);
        repeats_clear(&plan);
    }
}

/* Every other score is −3e38: half of the positions are infinitely improbable,
 * nearly. A finite number all the same. */
static void huge_scores_stay_finite(void **state) {
    (void)state;
    struct lockstep_config c = config();
    struct lockstep_report r;
    examine(&c, HUGE_SCORES, &r);
    assert_int_equal(r.outcome, LOCKSTEP_COMPLETE);
    assert_true(isfinite(r.bits_total) && r.bits_total > 1e38);
}

/* The examiner sends nothing beyond a step until its answer is there. */
static void the_next_token_cannot_be_seen(void **state) {
    (void)state;
    expect_complete(PEEKS, 8, 1e-12);
}

static void expect_fault(enum trick trick, enum lockstep_outcome outcome, const char *reason) {
    struct lockstep_config c = config();
    struct lockstep_report r;
    if (outcome == LOCKSTEP_LATE) c.deadline_ns = clock_mono_ns() + 300 * NS_PER_MS;
    examine(&c, trick, &r);
    if (r.outcome != outcome || !strstr(r.reason, reason))
        fail_msg("%s: \"%s\", want %s: \"%s\"", lockstep_outcome_name(r.outcome), r.reason,
                 lockstep_outcome_name(outcome), reason);
}

static void faults_are_told_by_place(void **state) {
    (void)state;
    expect_fault(SAYS_NAN, LOCKSTEP_NOT_FINITE,
                 "score 17 of stream 3 at step 2 of round 1 is not a finite number");
    expect_fault(SAYS_INFINITE, LOCKSTEP_NOT_FINITE, "score 255 of stream 0 at step 2 of round 1");
    expect_fault(SHORT, LOCKSTEP_SHORT_ANSWER,
                 "its answer to step 2 of round 1 was whole (5115 of 5120 bytes)");
    expect_fault(DIES, LOCKSTEP_CLOSED, "its answer to step 2 of round 1");
    expect_fault(NO_HELLO, LOCKSTEP_CLOSED, "gone before its hello");
    expect_fault(BAD_MAGIC, LOCKSTEP_BAD_HELLO, "its hello was 0x534c4451 0x00000001");
    expect_fault(BAD_VERSION, LOCKSTEP_BAD_HELLO, "0x00000002");
    expect_fault(TALKS_ON, LOCKSTEP_EXTRA, "more than it was asked for");
    expect_fault(SILENT, LOCKSTEP_LATE, "the time was up before its answer to step 2 of round 1");
    expect_fault(STAYS, LOCKSTEP_LATE, "it ended after END");
    expect_fault(STOPS_READING, LOCKSTEP_LATE, "its hello");
}

static void it_can_be_called_off(void **state) {
    (void)state;
    int cancel[2];
    assert_int_equal(pipe2(cancel, O_CLOEXEC), 0);
    assert_int_equal(write(cancel[1], "x", 1), 1);
    struct lockstep_config c = config();
    c.cancel_fd = cancel[0];
    struct lockstep_report r;
    examine(&c, SILENT, &r);
    assert_int_equal(r.outcome, LOCKSTEP_CANCELLED);
    close(cancel[0]);
    close(cancel[1]);
}

static void a_seed_chooses_the_segments(void **state) {
    (void)state;
    /* A text in which "one more" is right only here and there, so that the loss
     * tells which segments were asked about. */
    for (size_t i = 0; i < LEN; i++) text[i] = (uint8_t)(i + (i * 2654435761U >> 28) % 2);
    struct lockstep_config c = config();
    struct lockstep_report a, b, other;
    examine(&c, COUNTS, &a);
    examine(&c, COUNTS, &b);
    int differs = 0;
    for (c.seed = 1; c.seed < 6; c.seed++) {
        examine(&c, COUNTS, &other);
        differs += a.bits_total != other.bits_total;
    }
    make_text(NULL);
    assert_true(a.bits_total == b.bits_total);
    assert_true(differs > 0);
}

static void what_cannot_be_examined_is_our_error(void **state) {
    (void)state;
    struct lockstep_report r;
    _cleanup_error_ struct error err = {0};
    struct lockstep_config c = config();
    c.vocabulary = 255;
    assert_int_equal(lockstep_run(&c, 0, 1, &r, &err), -1);
    assert_non_null(strstr(error_text(&err), "byte 255 of the held-out text"));
    c = config();
    c.rounds = 1000000000;
    assert_int_equal(lockstep_run(&c, 0, 1, &r, &err), -1);
    c = config();
    c.tokens = BLOCK;
    assert_int_equal(lockstep_run(&c, 0, 1, &r, &err), -1);
    c = config();
    c.streams = 2000;
    assert_int_equal(lockstep_run(&c, 0, 1, &r, &err), -1);
}

/* Random bytes in place of answers, random lengths: always an end, never more. */
static void garbage_never_gets_through(void **state) {
    (void)state;
    uint64_t x = 88172645463325252U;
    for (int run = 0; run < 200; run++) {
        int down[2], up[2], status;
        assert_int_equal(pipe2(down, O_CLOEXEC), 0);
        assert_int_equal(pipe2(up, O_CLOEXEC), 0);
        x += (uint64_t)run * 7919 + 1;
        pid_t child = fork();
        if (child == 0) {
            close(down[1]);
            close(up[0]);
            uint32_t ours[2] = {LOCKSTEP_MAGIC, 1};
            if (run % 4) put(up[1], ours, sizeof ours);
            uint64_t left = x % 200000;
            for (; left >= 8; left -= 8) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                /* Mostly finite floats, so that some get far. */
                uint64_t bytes = run % 2 ? x : x & UINT64_C(0x3fffffff3fffffff);
                put(up[1], &bytes, sizeof bytes);
            }
            put(up[1], &x, left);
            _exit(0);
        }
        close(down[0]);
        close(up[1]);
        struct lockstep_config c = config();
        struct lockstep_report r;
        assert_int_equal(lockstep_run(&c, down[1], up[0], &r, NULL), 0);
        close(down[1]);
        close(up[0]);
        assert_true(r.outcome <= LOCKSTEP_EXTRA);
        assert_true(isfinite(r.bits_total) && r.positions <= B * T * ROUNDS);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_scores_cost_eight_bits),
        cmocka_unit_test(knowing_costs_nothing),
        cmocka_unit_test(what_is_scaled_up_is_normalised),
        cmocka_unit_test(who_learns_is_found_out),
        cmocka_unit_test(every_segment_is_asked_and_some_again),
        cmocka_unit_test(huge_scores_stay_finite),
        cmocka_unit_test(the_next_token_cannot_be_seen),
        cmocka_unit_test(faults_are_told_by_place),
        cmocka_unit_test(it_can_be_called_off),
        cmocka_unit_test(a_seed_chooses_the_segments),
        cmocka_unit_test(what_cannot_be_examined_is_our_error),
        cmocka_unit_test(garbage_never_gets_through),
    };
    return cmocka_run_group_tests(tests, make_text, NULL);
}
