/*
 * Output of a program to the clock of lines, in pieces as they arrive: two patterns,
 * then pieces, each with its stream and time.
 */
#include "common/cleanup.h"
#include "sandbox/lines.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const char *const patterns[] = {"^go$", "step:[0-9]+/[0-9]+ .*loss:[0-9.]+", "(a|b)*c", "."};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct fuzz_input in = {data, len};
    struct spec_lines spec = {.start = (char *)patterns[fuzz_number(&in, ARRAY_SIZE(patterns))],
                              .stop = (char *)patterns[fuzz_number(&in, ARRAY_SIZE(patterns))],
                              .outside_ms = fuzz_byte(&in)};
    struct lines *l = lines_open(&spec, NULL);
    FUZZ_CHECK(l, "our own patterns");
    int64_t now = 1000;
    struct result r = {.t_release = now, .t_clock_start = now};
    while (in.left) {
        int stream = fuzz_byte(&in) & 1;
        now += fuzz_byte(&in);
        size_t n = fuzz_byte(&in) * (size_t)32;
        if (n > in.left) n = in.left;
        lines_feed(l, stream, (const char *)in.at, n, now);
        in.at += n;
        in.left -= n;
    }
    r.t_clock_stop = now + 1;
    lines_settle(l, &r);
    FUZZ_CHECK(r.t_release <= r.t_clock_start && r.t_clock_start <= r.t_clock_stop, "the order");
    FUZZ_CHECK(r.t_clock_stop <= now + 1 && r.outside_ns >= 0, "beyond the end");
    /* What is not free counts, so that no line makes time go away. */
    FUZZ_CHECK(r.wall_ns >= now + 1 - 1000 - spec.outside_ms * 1000000 &&
                   r.wall_ns <= now + 1 - 1000,
               "%ld ns", (long)r.wall_ns);
    lines_close(l);
    return 0;
}
