#include "common/digest.h"

#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

struct digest_ctx {
    struct sha256_ctx sha;
};

struct digest_ctx *digest_new(void) {
    struct digest_ctx *ctx = malloc(sizeof *ctx);
    if (ctx) sha256_init(&ctx->sha);
    return ctx;
}

void digest_update(struct digest_ctx *ctx, const void *data, size_t len) {
    sha256_update(&ctx->sha, len, data);
}

void digest_final(struct digest_ctx *ctx, uint8_t out[DIGEST_BYTES]) {
    sha256_digest(&ctx->sha, DIGEST_BYTES, out);
    free(ctx);
}

void digest_free(struct digest_ctx *ctx) {
    free(ctx);
}

void digest_bytes(const void *data, size_t len, uint8_t out[DIGEST_BYTES]) {
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, len, data);
    sha256_digest(&sha, DIGEST_BYTES, out);
}

void digest_hmac(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[DIGEST_BYTES]) {
    struct hmac_sha256_ctx hmac;
    hmac_sha256_set_key(&hmac, key_len, key);
    hmac_sha256_update(&hmac, len, data);
    hmac_sha256_digest(&hmac, DIGEST_BYTES, out);
}

void digest_hex_of(const void *data, size_t len, char hex[DIGEST_HEX]) {
    uint8_t raw[DIGEST_BYTES];
    digest_bytes(data, len, raw);
    hex_encode(raw, sizeof raw, hex);
}

int digest_fd(int fd, char hex[DIGEST_HEX], struct error *err) {
    struct sha256_ctx sha;
    sha256_init(&sha);
    char chunk[65536];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_sys(err, errno, "read");
        if (n == 0) break;
        sha256_update(&sha, (size_t)n, (const uint8_t *)chunk);
    }
    uint8_t raw[DIGEST_BYTES];
    sha256_digest(&sha, DIGEST_BYTES, raw);
    hex_encode(raw, sizeof raw, hex);
    return 0;
}

void hex_encode(const uint8_t *bytes, size_t len, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int hex_decode(const char *hex, uint8_t *out, size_t len) {
    for (size_t i = 0; i < len; i++) {
        int hi = hex_value(hex[2 * i]);
        int lo = hi < 0 ? -1 : hex_value(hex[2 * i + 1]);
        if (lo < 0) return -1;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return hex[2 * len] == '\0' ? 0 : -1;
}

void random_bytes(void *out, size_t len) {
    char *p = out;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) abort();
        p += n;
        len -= (size_t)n;
    }
}
