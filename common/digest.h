/*
 * SHA-256 and HMAC-SHA-256 (nettle), hex, and random bytes from the kernel.
 */
#ifndef PADDOCK_COMMON_DIGEST_H
#define PADDOCK_COMMON_DIGEST_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_HEX   65 /* 64 lower-case hex digits and a NUL */

struct digest_ctx; /* an incremental SHA-256 */

struct digest_ctx *digest_new(void); /* NULL when out of memory */
void digest_update(struct digest_ctx *ctx, const void *data, size_t len);
/* Writes the digest and frees the context. */
void digest_final(struct digest_ctx *ctx, uint8_t out[DIGEST_BYTES]);
void digest_free(struct digest_ctx *ctx);

void digest_bytes(const void *data, size_t len, uint8_t out[DIGEST_BYTES]);
void digest_hmac(const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[DIGEST_BYTES]);
/* SHA-256 of data as hex. */
void digest_hex_of(const void *data, size_t len, char hex[DIGEST_HEX]);
/* SHA-256 of what is readable from fd (from its current offset to the end). */
int digest_fd(int fd, char hex[DIGEST_HEX], struct error *err);

void hex_encode(const uint8_t *bytes, size_t len, char *out); /* out: 2·len + 1 */
/* Decodes exactly 2·len lower- or upper-case digits; -1 when malformed. */
int hex_decode(const char *hex, uint8_t *out, size_t len);

/* Fills `out` from getrandom(2). Aborts the process if the kernel cannot, since
 * a predictable secret is worse than none. */
void random_bytes(void *out, size_t len);

#endif
