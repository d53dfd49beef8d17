/* task_data_split(): which blocks of the text nobody may train on. */
#include "common/cleanup.h"
#include "common/file.h"
#include "tasks/task.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* Block k's place in [0, 1): fixed by the secret and the text, and by nothing a
 * task or an agent can choose. */
static double block_fraction(const struct task_data *data, const uint8_t secret[32], size_t k) {
    char name[DIGEST_HEX + 24];
    int len = snprintf(name, sizeof name, "%s:%zu", data->sha256, k);
    uint8_t mac[DIGEST_BYTES];
    digest_hmac(secret, 32, name, (size_t)len, mac);
    uint64_t high = 0;
    for (int i = 0; i < 8; i++) high = high << 8 | mac[i];
    return (double)(high >> 11) * 0x1p-53;
}

static int check_text(const struct task_data *data, const void *text, size_t len,
                      struct error *err) {
    if ((uint64_t)len != (uint64_t)data->bytes)
        return error_set(err, ERROR_INVALID, "the text has %zu bytes, the task says %" PRId64, len,
                         data->bytes);
    char hex[DIGEST_HEX];
    digest_hex_of(text, len, hex);
    if (!str_eq(hex, data->sha256))
        return error_set(err, ERROR_INVALID, "the text has sha256 %s, the task says %s", hex,
                         data->sha256);
    return 0;
}

static int divide(const struct task_data *data, const char *text, size_t len,
                  const uint8_t secret[32], struct buf *train, struct buf *held_out,
                  struct error *err) {
    size_t block = (size_t)data->block_bytes;
    for (size_t k = 0; k * block < len; k++) {
        size_t left = len - k * block;
        bool out = block_fraction(data, secret, k) < data->held_out;
        buf_append(out ? held_out : train, text + k * block, left < block ? left : block);
    }
    if (buf_failed(train) || buf_failed(held_out)) return error_sys(err, ENOMEM, "split");
    if (held_out->len == 0 || train->len == 0)
        return error_set(err, ERROR_INVALID, "the text is too short to hold %g of it out",
                         data->held_out);
    return 0;
}

int task_data_split(const struct task_data *data, const void *text, size_t len,
                    const uint8_t secret[32], const char *dir, struct error *err) {
    _cleanup_buf_ struct buf train = {0}, held_out = {0};
    if (check_text(data, text, len, err) < 0) return -1;
    if (divide(data, text, len, secret, &train, &held_out, err) < 0) return -1;
    _cleanup_free_ char *train_dir = path_join(dir, "train");
    _cleanup_free_ char *held_path = path_join(dir, "held-out.bin");
    _cleanup_free_ char *train_path = train_dir ? path_join(train_dir, data->file) : NULL;
    if (!held_path || !train_path) return error_sys(err, ENOMEM, "split");
    if (dir_make(train_dir, 0755, err) < 0) return -1;
    if (file_write_atomic(held_path, buf_text(&held_out), held_out.len, 0600, err) < 0) return -1;
    return file_write_atomic(train_path, buf_text(&train), train.len, 0644, err);
}
