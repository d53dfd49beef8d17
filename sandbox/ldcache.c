#include "sandbox/ldcache.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define OLD_MAGIC "ld.so-1.7.0"
#define NEW_MAGIC "glibc-ld.so.cache1.1"

enum {
    OLD_HEADER = 16, /* 12 bytes with the NUL, and the count */
    OLD_ENTRY = 12,  /* flags, name, path */
    NEW_HEADER = 48,
    NEW_ENTRY = 24, /* flags, name, path, os version, hwcap (8) */
    ENTRIES_MOST = 1 << 20,
    FLAG_TYPE = 0xff,
    FLAG_ELF = 1,       /* from before libc was told, or of what needs none */
    FLAG_ELF_LIBC6 = 3, /* what today's ldconfig writes of every library */
    FLAG_ARCH = 0xff00,
    ORDER_UNSAID = 0, /* before glibc 2.33 */
    ORDER_LITTLE = 2,
#if defined __x86_64__
    OUR_ARCH = 0x0300,
#elif defined __aarch64__
    OUR_ARCH = 0x0a00,
#else
    OUR_ARCH = 0,
#endif
};

struct table { /* of entries, and what their offsets count from and lie between */
    const unsigned char *entries, *base;
    size_t count, size, first, end;
};

static uint32_t word(const unsigned char *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* NULL: not a whole string among the strings. None is looked at for longer than a path
 * can be: else each entry of a hostile file would cost the length of all of it. */
static const char *string_at(const struct table *t, uint32_t offset) {
    if (offset < t->first || offset >= t->end) return NULL;
    size_t room = t->end - offset < PATH_MAX ? t->end - offset : PATH_MAX;
    return memchr(t->base + offset, '\0', room) ? (const char *)t->base + offset : NULL;
}

static bool is_ours(uint32_t flags) {
    uint32_t type = flags & FLAG_TYPE;
    return (type == FLAG_ELF || type == FLAG_ELF_LIBC6) && (flags & FLAG_ARCH) == OUR_ARCH;
}

static int walk(const char *source, const struct table *t, ldcache_visit *visit, void *context,
                struct error *err) {
    for (size_t i = 0; i < t->count; i++) {
        const unsigned char *e = t->entries + i * t->size;
        const char *name = string_at(t, word(e + 4)), *path = string_at(t, word(e + 8));
        if (!name || !path)
            return error_set(err, ERROR_INVALID, "%s: entry %zu points outside of the file", source,
                             i);
        if (!is_ours(word(e))) continue;
        int r = visit(context, name, path);
        if (r) return r;
    }
    return 0;
}

static int count_of(const char *source, uint32_t count, size_t size, size_t room,
                    struct error *err) {
    if (count <= ENTRIES_MOST && count <= room / size) return 0;
    return error_set(err, ERROR_INVALID, "%s: %u entries do not fit in the file", source, count);
}

static int walk_new(const char *source, const unsigned char *p, size_t len, ldcache_visit *visit,
                    void *context, struct error *err) {
    if (len < NEW_HEADER) return error_set(err, ERROR_INVALID, "%s: its header is cut off", source);
    uint32_t count = word(p + 20), strings = word(p + 24);
    int order = p[28] & 3;
    if (order != ORDER_UNSAID && order != ORDER_LITTLE)
        return error_set(err, ERROR_INVALID, "%s: is of no little-endian machine", source);
    if (count_of(source, count, NEW_ENTRY, len - NEW_HEADER, err) < 0) return -1;
    size_t first = NEW_HEADER + (size_t)count * NEW_ENTRY;
    if (strings > len - first)
        return error_set(err, ERROR_INVALID, "%s: its strings are cut off", source);
    const struct table t = {p + NEW_HEADER, p, count, NEW_ENTRY, first, first + strings};
    return walk(source, &t, visit, context, err);
}

int ldcache_walk(const char *source, const void *data, size_t len, ldcache_visit *visit,
                 void *context, struct error *err) {
    const unsigned char *p = data;
    if (len >= strlen(NEW_MAGIC) && memcmp(p, NEW_MAGIC, strlen(NEW_MAGIC)) == 0)
        return walk_new(source, p, len, visit, context, err);
    if (len < OLD_HEADER || memcmp(p, OLD_MAGIC, sizeof OLD_MAGIC) != 0)
        return error_set(err, ERROR_INVALID, "%s: is no cache of the loader", source);
    uint32_t count = word(p + 12);
    if (count_of(source, count, OLD_ENTRY, len - OLD_HEADER, err) < 0) return -1;
    size_t after = OLD_HEADER + (size_t)count * OLD_ENTRY, aligned = (after + 7) & ~(size_t)7;
    if (aligned < len && len - aligned >= strlen(NEW_MAGIC) &&
        memcmp(p + aligned, NEW_MAGIC, strlen(NEW_MAGIC)) == 0)
        return walk_new(source, p + aligned, len - aligned, visit, context, err);
    const struct table t = {p + OLD_HEADER, p + after, count, OLD_ENTRY, 0, len - after};
    return walk(source, &t, visit, context, err);
}
