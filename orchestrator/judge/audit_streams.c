/* The streams of an audit (declared in audit.h). */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/judge/audit.h"
#include "orchestrator/judge/babble.h"
#include "orchestrator/judge/draw.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define BABBLE_BITS "babble-bits"
enum { TEXT_MAX = 1 << 30, BITS_TEXT_MAX = 64 };

const char *const audit_folders[] = {"train", "fresh", "shuffled", "babble", NULL};

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

static int write_file(const char *dir, const char *folder, const char *name, const struct buf *text,
                      struct error *err) {
    _cleanup_free_ char *path = str_printf("%s/%s/%s", dir, folder, name);
    if (!path) return error_sys(err, ENOMEM, "audit");
    return file_write_atomic(path, text->data, text->len, 0644, err);
}

/* Each has a copy of the training text: the number of links to one would tell which
 * streams go with another. */
static int write_stream(const struct task *t, const char *dir, enum audit_stream which,
                        const struct buf *text, const struct buf *stream, struct error *err) {
    _cleanup_free_ char *folder = path_join(dir, audit_folders[which]);
    if (!folder) return error_sys(err, ENOMEM, "audit");
    if (which != AUDIT_OFFICIAL &&
        (dir_make(folder, 0755, err) < 0 ||
         write_file(dir, audit_folders[which], t->data.file, text, err) < 0))
        return -1;
    return write_file(dir, audit_folders[which], AUDIT_VAL, stream, err);
}

/* ---- babble ---- */

static int draw_babble(const struct babble *b, struct draw *d, size_t len, struct buf *out,
                       double *bits, struct error *err) {
    out->len = 0;
    char *to = buf_reserve(out, len);
    if (!to) return error_sys(err, ENOMEM, "audit");
    *bits = babble_draw(b, d, (uint8_t *)to, len);
    out->len = len;
    return 0;
}

/* It must be harder than the target, or who makes up a loss that meets the target
 * would be believed. */
static bool is_hard(const struct task *t, double bits) {
    return bits * t->loss_per_bit > t->target + t->audit_tolerance;
}

static int write_babble(const struct task *t, const uint8_t secret[32], const char *dir,
                        const struct buf *text, size_t stream_len, struct error *err) {
    _cleanup_buf_ struct buf train = {0}, stream = {0};
    double bits = 0, ignored;
    for (int order = BABBLE_ORDER_MAX; order > 0; order--) {
        struct draw d;
        _cleanup_babble_ struct babble *b = NULL;
        _cleanup_free_ char *purpose = str_printf("babble:%d:%s", order, t->data.sha256);
        if (!purpose) return error_sys(err, ENOMEM, "audit");
        draw_init(&d, secret, 32, purpose);
        if (babble_learn((const uint8_t *)text->data, text->len, order, &b, err) < 0 ||
            draw_babble(b, &d, stream_len, &stream, &bits, err) < 0)
            return -1;
        if (order > 1 && !is_hard(t, bits)) continue;
        if (draw_babble(b, &d, text->len, &train, &ignored, err) < 0) return -1;
        break;
    }
    _cleanup_buf_ struct buf note = {0};
    buf_printf(&note, "%.17g\n", bits);
    if (buf_failed(&note)) return error_sys(err, ENOMEM, "audit");
    return write_stream(t, dir, AUDIT_BABBLE, &train, &stream, err) < 0
               ? -1
               : write_file(dir, ".", BABBLE_BITS, &note, err);
}

int audit_babble_bits(const char *dir, double *bits, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    _cleanup_free_ char *path = path_join(dir, BABBLE_BITS);
    if (!path) return error_sys(err, ENOMEM, "audit");
    if (file_read(path, BITS_TEXT_MAX, &text, err) < 0) return -1;
    char *end = NULL;
    *bits = strtod(buf_text(&text), &end);
    if (end != buf_text(&text) && *end == '\n' && *bits >= 0 && *bits <= 8) return 0;
    return error_set(err, ERROR_INVALID, "%s: is no number of bits per byte", path);
}

/* ---- all of them ---- */

/* When each was written would tell them apart. */
static int even_times(const struct task *t, const char *dir, struct error *err) {
    static const struct timespec never[2] = {{0}, {0}};
    const char *const names[] = {t->data.file, AUDIT_VAL, "."};
    for (int s = 0; s < AUDIT_STREAMS; s++)
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            _cleanup_free_ char *path = str_printf("%s/%s/%s", dir, audit_folders[s], names[i]);
            if (!path) return error_sys(err, ENOMEM, "audit");
            if (utimensat(AT_FDCWD, path, never, 0) < 0) return error_sys(err, errno, "%s", path);
        }
    return 0;
}

static int read_text(const struct task *t, const char *dir, const char *name, struct buf *out,
                     struct error *err) {
    _cleanup_free_ char *path =
        name ? path_join(dir, name)
             : str_printf("%s/%s/%s", dir, audit_folders[AUDIT_OFFICIAL], t->data.file);
    return path ? file_read(path, TEXT_MAX, out, err) : error_sys(err, ENOMEM, "audit");
}

int audit_make_streams(const struct task *t, const uint8_t secret[32], const char *dir,
                       struct error *err) {
    _cleanup_buf_ struct buf text = {0}, held_out = {0}, official = {0}, fresh = {0};
    if (read_text(t, dir, "held-out.bin", &held_out, err) < 0 ||
        read_text(t, dir, NULL, &text, err) < 0 ||
        halve(&held_out, (size_t)t->data.block_bytes, &official, &fresh, err) < 0 ||
        write_stream(t, dir, AUDIT_OFFICIAL, NULL, &official, err) < 0 ||
        write_stream(t, dir, AUDIT_FRESH, &text, &fresh, err) < 0 ||
        write_babble(t, secret, dir, &text, official.len, err) < 0 ||
        shuffle(t, secret, &official, err) < 0 ||
        write_stream(t, dir, AUDIT_SHUFFLED, &text, &official, err) < 0)
        return -1;
    return even_times(t, dir, err);
}
