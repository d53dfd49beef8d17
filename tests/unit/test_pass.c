/* Descriptors passed along with messages. */
#include "common/cleanup.h"
#include "common/pass.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
/* clang-format off: cmocka needs the headers above first */
#include <cmocka.h>
#include <fcntl.h>
/* clang-format on */

static size_t open_fds(void) {
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir)) n++;
    closedir(dir);
    return n;
}

static void make_pair(int ends[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void close_pair(const int ends[2]) {
    close(ends[0]);
    close(ends[1]);
}

static void what_is_sent_arrives(void **state) {
    (void)state;
    int ends[2];
    int got[3] = {-1, -1, -1};
    char message[8] = "";
    size_t count = ARRAY_SIZE(got);
    make_pair(ends);
    const int sent[] = {0, 1, ends[0]};
    assert_int_equal(pass_send(ends[0], "hello", 6, sent, 3), 0);
    assert_int_equal(pass_receive(ends[1], message, sizeof message, got, &count, 0), 6);
    assert_string_equal(message, "hello");
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        struct stat a;
        struct stat b;
        assert_int_equal(fstat(sent[i], &a), 0);
        assert_int_equal(fstat(got[i], &b), 0);
        assert_int_equal(a.st_ino, b.st_ino);
        assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
        close(got[i]);
    }
    close_pair(ends);
}

static void a_message_may_come_alone(void **state) {
    (void)state;
    int ends[2];
    int got = -1;
    char message = 0;
    size_t count = 1;
    make_pair(ends);
    assert_int_equal(pass_send(ends[0], "x", 1, NULL, 0), 0);
    assert_int_equal(pass_receive(ends[1], &message, 1, &got, &count, 0), 1);
    assert_int_equal(count, 0);
    assert_int_equal(got, -1);
    close(ends[0]);
    count = 1;
    assert_int_equal(pass_receive(ends[1], &message, 1, &got, &count, 0), 0);
    assert_int_equal(count, 0);
    close(ends[1]);
}

/* One too many is the case that the padding of the space lets through. */
static void more_than_there_is_room_for_are_not_kept(void **state) {
    (void)state;
    static const int sent[] = {0, 1, 2, 0, 1, 2};
    int ends[2];
    make_pair(ends);
    size_t before = open_fds();
    for (size_t room = 1; room < 6; room++) {
        int got[6];
        char message = 0;
        size_t count = room;
        assert_int_equal(pass_send(ends[0], "x", 1, sent, 6), 0);
        assert_int_equal(pass_send(ends[0], "y", 1, sent, room + 1), 0);
        assert_int_equal(pass_receive(ends[1], &message, 1, got, &count, 0), 1);
        assert_int_equal(count, 0);
        count = room;
        assert_int_equal(pass_receive(ends[1], &message, 1, got, &count, 0), 1);
        assert_int_equal(count, 0);
        assert_int_equal(open_fds(), before);
    }
    close_pair(ends);
}

static void as_many_as_may_be(void **state) {
    (void)state;
    static int sent[PASS_MOST + 1];
    static int got[PASS_MOST];
    int ends[2];
    char message = 0;
    size_t count = PASS_MOST;
    make_pair(ends);
    assert_int_equal(pass_send(ends[0], "x", 1, sent, PASS_MOST + 1), -1);
    assert_int_equal(pass_send(ends[0], "x", 1, sent, PASS_MOST), 0);
    assert_int_equal(pass_receive(ends[1], &message, 1, got, &count, 0), 1);
    assert_int_equal(count, PASS_MOST);
    for (size_t i = 0; i < count; i++) close(got[i]);
    close_pair(ends);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_arrives),
        cmocka_unit_test(a_message_may_come_alone),
        cmocka_unit_test(more_than_there_is_room_for_are_not_kept),
        cmocka_unit_test(as_many_as_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
