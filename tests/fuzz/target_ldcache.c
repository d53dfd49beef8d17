/* The loader's cache. What is visited lies within the file, and ends there. */
#include "sandbox/ldcache.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

struct bounds {
    const char *begin, *end;
    size_t visits;
};

static int visit(void *context, const char *name, const char *path) {
    struct bounds *b = context;
    const char *texts[] = {name, path};
    for (int i = 0; i < 2; i++)
        FUZZ_CHECK(texts[i] >= b->begin && texts[i] < b->end &&
                       memchr(texts[i], '\0', (size_t)(b->end - texts[i])),
                   "text %d is not within", i);
    return ++b->visits == 1000 ? 7 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct bounds b = {(const char *)data, (const char *)data + len, 0};
    _cleanup_error_ struct error err = {0};
    int r = ldcache_walk("fuzz", data, len, visit, &b, &err);
    FUZZ_CHECK((r < 0) == error_is_set(&err), "returned %d: %s", r, error_text(&err));
    FUZZ_CHECK((r == 7) == (b.visits == 1000), "returned %d after %zu", r, b.visits);
    return 0;
}
