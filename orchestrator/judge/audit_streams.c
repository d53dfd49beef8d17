/* The streams of an audit (declared in audit.h). */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/judge/audit.h"
#include "orchestrator/judge/draw.h"

#include <string.h>
#include <unistd.h>

enum { HELD_OUT_MAX = 256 << 20 };

const char *const audit_folders[] = {"train", "fresh", "shuffled", NULL};

/* Every other block, so that both halves are of all parts of the text. */
static int halve(const struct buf *held_out, size_t block, struct buf *official, struct buf *fresh,
                 struct error *err) {
    for (size_t k = 0; k * block < held_out->len; k++) {
        size_t left = held_out->len - k * block;
        buf_append(k % 2 ? fresh : official, held_out->data + k * block,
                   left < block ? left : block);
    }
    if (buf_failed(official) || buf_failed(fresh)) return error_sys(err, ENOMEM, "audit");
    if (official->len == 0 || fresh->len == 0)
        return error_set(err, ERROR_INVALID, "the held-out text is too short for an audit");
    return 0;
}

static int shuffle(const struct task *t, const uint8_t secret[32], struct buf *text,
                   struct error *err) {
    _cleanup_free_ char *purpose = str_printf("audit:%s", t->data.sha256);
    if (!purpose) return error_sys(err, ENOMEM, "audit");
    struct draw d;
    draw_init(&d, secret, 32, purpose);
    for (size_t i = text->len; i > 1; i--) { /* Fisher and Yates */
        size_t k = (size_t)draw_below(&d, i);
        char kept = text->data[i - 1];
        text->data[i - 1] = text->data[k];
        text->data[k] = kept;
    }
    return 0;
}

static int write_stream(const struct task *t, const char *dir, enum audit_stream which,
                        const struct buf *stream, struct error *err) {
    _cleanup_free_ char *folder = path_join(dir, audit_folders[which]);
    _cleanup_free_ char *val = folder ? path_join(folder, AUDIT_VAL) : NULL;
    _cleanup_free_ char *text = folder ? path_join(folder, t->data.file) : NULL;
    _cleanup_free_ char *official = str_printf("%s/train/%s", dir, t->data.file);
    if (!val || !text || !official) return error_sys(err, ENOMEM, "audit");
    if (which != AUDIT_OFFICIAL && (dir_make(folder, 0755, err) < 0 || link(official, text) < 0))
        return errno ? error_sys(err, errno, "%s", text) : -1;
    return file_write_atomic(val, stream->data, stream->len, 0644, err);
}

int audit_make_streams(const struct task *t, const uint8_t secret[32], const char *dir,
                       struct error *err) {
    _cleanup_buf_ struct buf held_out = {0}, official = {0}, fresh = {0};
    _cleanup_free_ char *path = path_join(dir, "held-out.bin");
    if (!path) return error_sys(err, ENOMEM, "audit");
    if (file_read(path, HELD_OUT_MAX, &held_out, err) < 0 ||
        halve(&held_out, (size_t)t->data.block_bytes, &official, &fresh, err) < 0 ||
        write_stream(t, dir, AUDIT_OFFICIAL, &official, err) < 0 ||
        write_stream(t, dir, AUDIT_FRESH, &fresh, err) < 0 ||
        shuffle(t, secret, &official, err) < 0)
        return -1;
    return write_stream(t, dir, AUDIT_SHUFFLED, &official, err);
}
