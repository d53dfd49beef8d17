/*
 * The loader's cache: whatever the bytes are, each name and path lies whole within them,
 * and a walk that ends early ends with what the visitor said.
 */
#include "common/cleanup.h"
#include "sandbox/ldcache.h"
#include "tests/fuzz/fuzz.h"

#include <limits.h>
#include <string.h>

struct seen {
    const char *from, *to; /* the bytes */
    size_t count, stop;    /* the visit that ends the walk; 0: none */
};

static void check(const struct seen *s, const char *text) {
    FUZZ_CHECK(text >= s->from && text < s->to, "%p is outside", (const void *)text);
    size_t n = strnlen(text, (size_t)(s->to - text));
    FUZZ_CHECK(text + n < s->to && n < PATH_MAX, "a string of %zu bytes", n);
}

static int see(void *context, const char *name, const char *path) {
    struct seen *s = context;
    check(s, name);
    check(s, path);
    return ++s->count == s->stop ? 7 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    /* A copy of exactly that size: behind it is nothing that may be read. */
    _cleanup_free_ char *copy = malloc(len ? len : 1);
    FUZZ_CHECK(copy, "out of memory");
    if (len) memcpy(copy, data, len);
    _cleanup_error_ struct error err = {0};
    struct seen all = {.from = copy, .to = copy + len};
    int r = ldcache_walk("cache", copy, len, see, &all, &err);
    FUZZ_CHECK(r == 0 || r == -1, "returned %d", r);
    FUZZ_CHECK((r < 0) == error_is_set(&err), "returned %d: %s", r, error_text(&err));
    FUZZ_CHECK(all.count <= len / 12, "%zu entries", all.count);
    if (all.count == 0) return 0;
    struct seen one = {.from = copy, .to = copy + len, .stop = 1};
    FUZZ_CHECK(ldcache_walk("cache", copy, len, see, &one, NULL) == 7, "was not ended");
    FUZZ_CHECK(one.count == 1, "%zu visits", one.count);
    return 0;
}
