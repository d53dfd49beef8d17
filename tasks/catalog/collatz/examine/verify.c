/*
 * The examiner of collatz: counts the steps of the start value in the file it
 * is given and prints exactly one line,
 *
 *     {"metric": 1348}    or    {"invalid": "reason"}
 *
 * The file is the work of code nobody trusts: it is opened without following
 * links or waiting, read up to a bound, and its bytes are never printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST     UINT64_C(1000000000000)
#define LAST      UINT64_C(1009999999999)
#define MAX_BYTES 64
#define MAX_STEPS 1000000

typedef unsigned __int128 wide;

static int invalid(const char *reason) {
    printf("{\"invalid\": \"%s\"}\n", reason);
    return 0;
}

/* Digits and one newline at most: the number, or 0. */
static uint64_t parse(const char *text, ssize_t len) {
    uint64_t n = 0;
    if (len > 0 && text[len - 1] == '\n') len--;
    if (len < 1 || len > 19) return 0;
    for (ssize_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return 0;
        n = 10 * n + (uint64_t)(text[i] - '0');
    }
    return n;
}

/* The steps of a start, or 0 when they cannot be counted. */
static unsigned steps_of(uint64_t start) {
    const wide most = (~(wide)0 - 1) / 3;
    unsigned steps = 0;
    for (wide n = start; n != 1; steps++) {
        if (steps == MAX_STEPS || n > most) return 0;
        n = n % 2 ? 3 * n + 1 : n / 2;
    }
    return steps;
}

/* The whole file into `text`; its length, or -1. */
static ssize_t read_answer(int fd, char *text, size_t size) {
    size_t len = 0;
    while (len < size) {
        ssize_t got = read(fd, text + len, size - len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    int fd = open(argv[1], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return invalid("answer.txt cannot be opened");
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return invalid("answer.txt is not a regular file");
    char text[MAX_BYTES + 1];
    ssize_t len = read_answer(fd, text, sizeof text);
    if (len < 0) return invalid("answer.txt cannot be read");
    if (len > MAX_BYTES) return invalid("answer.txt is longer than 64 bytes");
    uint64_t start = parse(text, len);
    if (start == 0) return invalid("answer.txt is not one whole number in decimal digits");
    if (start < FIRST || start > LAST) return invalid("the start value is outside the window");
    unsigned steps = steps_of(start);
    if (steps == 0) return invalid("the chain could not be followed to 1");
    printf("{\"metric\": %u}\n", steps);
    return 0;
}
