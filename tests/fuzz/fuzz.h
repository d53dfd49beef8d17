/*
 * What fuzz targets share. A target is one file target_<name>.c that defines
 * LLVMFuzzerTestOneInput(): it feeds the bytes to a parser of ours and checks what
 * must hold whatever they are. It is linked twice: with libFuzzer (clang), and with
 * driver.c, which replays files in any build.
 */
#ifndef PADDOCK_TESTS_FUZZ_FUZZ_H
#define PADDOCK_TESTS_FUZZ_FUZZ_H

#include "common/buf.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);
#ifdef PADDOCK_FUZZ_ENGINE
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed);
#endif

/* A property that must hold: says where and what, and aborts, which both drivers
 * take for a crash. */
#define FUZZ_CHECK(condition, ...)                                                   \
    do {                                                                             \
        if (!(condition)) fuzz_fail(__FILE__, __LINE__, "" #condition, __VA_ARGS__); \
    } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *condition, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- input as a stream of small decisions; zeros behind its end ---- */

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};
uint8_t fuzz_byte(struct fuzz_input *in);
uint32_t fuzz_number(struct fuzz_input *in, uint32_t below); /* 0 … below − 1 */
/* A copy of the rest up to a NUL byte (which is taken as well), NUL-terminated. */
char *fuzz_text(struct fuzz_input *in);

/* The bytes as a file that can be read from its start. */
int fuzz_memfd(const void *data, size_t len);

/* ---- documents ---- */

/* Decodes the document and writes it again; false when it is refused. */
typedef bool fuzz_recode(const struct json *doc, struct buf *out);
/* What a decoder accepts, its encoder must write so that the decoder takes it
 * again and nothing changes any more. Returns whether it was accepted. */
bool fuzz_round_trip(const char *what, const char *text, size_t len, fuzz_recode *recode);
/* The text of a writer into `out`. */
void fuzz_take_text(struct json_writer *w, struct buf *out);

/* ---- a place where files may be made, and one beside it that must not change ---- */

struct fuzz_place {
    char path[128];
    int fd;      /* of the place; holds `in` and `outside/canary` alone */
    int in;      /* of the folder that the code under test is given */
    int outside; /* of the folder that it must never reach */
};
/* The place of this process, below $TMPDIR or /dev/shm; removed at exit. */
struct fuzz_place *fuzz_place(void);
/* Nothing but the inside of `in` changed. */
void fuzz_place_check(const struct fuzz_place *p);
/* Empties `in` (a fresh folder). */
void fuzz_place_reset(struct fuzz_place *p);

#endif
