#include "images/archive_stream.h"

#include "common/buf.h"
#include "common/cleanup.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#define TAR_BLOCK 512

struct archive_stream {
    int fd;
    char input[65536];
    size_t pending; /* of `input`: read ahead to see the magic */
    struct archive *raw;
    struct digest_ctx *digest;
    uint64_t max, total;
    uint64_t zeros; /* how many zero bytes in a row the last ones were */
    bool ended;
    struct error error;
};

/* Libraries' texts may quote names out of the archive. */
static int library_error(struct archive_stream *s) {
    const char *text = archive_error_string(s->raw);
    _cleanup_free_ char *shown = str_printable(text ? text : "damaged", strlen(text ? text : ""));
    return error_set(&s->error, ERROR_INVALID, "%s", shown && *shown ? shown : "damaged archive");
}

static ssize_t read_some(int fd, void *to, size_t len) {
    ssize_t n;
    do n = read(fd, to, len);
    while (n < 0 && errno == EINTR);
    return n;
}

static la_ssize_t read_input(struct archive *a, void *client, const void **block) {
    struct archive_stream *s = client;
    ssize_t n = (ssize_t)s->pending;
    s->pending = 0;
    if (n == 0) n = read_some(s->fd, s->input, sizeof s->input);
    if (n < 0) {
        archive_set_error(a, errno, "read: %s", strerror(errno));
        return -1;
    }
    digest_update(s->digest, s->input, (size_t)n);
    *block = s->input;
    return n;
}

static const struct magic {
    int filter;
    size_t len;
    const char *bytes;
} magics[] = {
    {ARCHIVE_FILTER_GZIP, 2, "\x1f\x8b"},
    {ARCHIVE_FILTER_ZSTD, 4, "\x28\xb5\x2f\xfd"},
    {ARCHIVE_FILTER_XZ, 6,
     "\xfd"
     "7zXZ\0"},
    {ARCHIVE_FILTER_BZIP2, 3, "BZh"},
};

static int look_ahead(struct archive_stream *s) {
    while (s->pending < 8) {
        ssize_t n = read_some(s->fd, s->input + s->pending, sizeof s->input - s->pending);
        if (n < 0) return error_sys(&s->error, errno, "read");
        if (n == 0) break;
        s->pending += (size_t)n;
    }
    return s->pending ? 0 : error_set(&s->error, ERROR_INVALID, "is empty");
}

static int choose_filter(const struct archive_stream *s) {
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
        if (s->pending >= magics[i].len && memcmp(s->input, magics[i].bytes, magics[i].len) == 0)
            return magics[i].filter;
    return ARCHIVE_FILTER_NONE;
}

static int start(struct archive_stream *s) {
    s->raw = archive_read_new();
    s->digest = digest_new();
    if (!s->raw || !s->digest) return error_sys(&s->error, ENOMEM, "unpack");
    if (look_ahead(s) < 0) return -1;
    struct archive_entry *all;
    if (archive_read_support_format_raw(s->raw) != ARCHIVE_OK ||
        archive_read_append_filter(s->raw, choose_filter(s)) != ARCHIVE_OK ||
        archive_read_open(s->raw, s, NULL, read_input, NULL) != ARCHIVE_OK ||
        archive_read_next_header(s->raw, &all) != ARCHIVE_OK)
        return library_error(s);
    return 0;
}

struct archive_stream *archive_stream_open(int fd, uint64_t max, struct error *err) {
    struct archive_stream *s = calloc(1, sizeof *s);
    if (!s) {
        error_sys(err, ENOMEM, "unpack");
        return NULL;
    }
    s->fd = fd;
    s->max = max;
    if (start(s) == 0) return s;
    error_move(err, &s->error);
    archive_stream_free(s);
    return NULL;
}

static void count_zeros(struct archive_stream *s, const char *block, size_t len) {
    size_t tail = 0;
    while (tail < len && tail < TAR_BLOCK && block[len - 1 - tail] == 0) tail++;
    s->zeros = tail == len ? s->zeros + tail : tail;
}

static ptrdiff_t next_block(struct archive_stream *s, const void **block) {
    if (error_is_set(&s->error)) return -1;
    size_t len = 0;
    la_int64_t offset;
    do {
        if (s->ended) return 0;
        int r = archive_read_data_block(s->raw, block, &len, &offset);
        if (r == ARCHIVE_EOF) s->ended = true;
        else if (r != ARCHIVE_OK) return library_error(s);
    } while (len == 0);
    s->total += len;
    if (s->total > s->max)
        return error_set(&s->error, ERROR_LIMIT, "unpacks to more than the %llu bytes allowed",
                         (unsigned long long)s->max);
    count_zeros(s, *block, len);
    return (ptrdiff_t)len;
}

ptrdiff_t archive_stream_next(struct archive_stream *s, const void **block, struct error *err) {
    ptrdiff_t n = next_block(s, block);
    if (n < 0) error_set(err, s->error.kind, "%s", error_text(&s->error));
    return n;
}

bool archive_stream_ended_early(const struct archive_stream *s) {
    return s->ended && s->zeros < TAR_BLOCK;
}

int archive_stream_finish(struct archive_stream *s, char sha256[DIGEST_HEX], struct error *err) {
    const void *block;
    ptrdiff_t n;
    while ((n = archive_stream_next(s, &block, err)) > 0) continue;
    if (n < 0) return -1;
    ssize_t rest;
    while ((rest = read_some(s->fd, s->input, sizeof s->input)) > 0)
        digest_update(s->digest, s->input, (size_t)rest);
    if (rest < 0) return error_sys(err, errno, "read");
    uint8_t raw[DIGEST_BYTES];
    digest_final(steal_ptr(&s->digest), raw);
    hex_encode(raw, sizeof raw, sha256);
    return 0;
}

void archive_stream_free(struct archive_stream *s) {
    if (!s) return;
    archive_read_free(s->raw);
    digest_free(s->digest);
    error_clear(&s->error);
    free(s);
}
