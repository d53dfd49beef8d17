#include "orchestrator/judge/draw.h"

#include <string.h>

void draw_init(struct draw *d, const void *secret, size_t len, const char *purpose) {
    digest_hmac(secret, len, purpose, strlen(purpose), d->key);
    d->counter = 0;
}

static uint64_t load_be64(const uint8_t *p) {
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) n = n << 8 | p[i];
    return n;
}

uint64_t draw_u64(struct draw *d) {
    uint8_t counter[8], mac[DIGEST_BYTES];
    for (int i = 0; i < 8; i++) counter[i] = (uint8_t)(d->counter >> (56 - 8 * i));
    d->counter++;
    digest_hmac(d->key, sizeof d->key, counter, sizeof counter, mac);
    return load_be64(mac);
}

uint64_t draw_below(struct draw *d, uint64_t n) {
    /* The numbers from the last incomplete run of n on would favour low results. */
    uint64_t incomplete = (UINT64_MAX % n + 1) % n, drawn;
    do drawn = draw_u64(d);
    while (drawn > UINT64_MAX - incomplete);
    return drawn % n;
}

void draw_shuffle(struct draw *d, size_t *items, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)draw_below(d, i), taken = items[i - 1];
        items[i - 1] = items[j];
        items[j] = taken;
    }
}
