#include "orchestrator/report/text.h"

#include "common/cleanup.h"
#include "common/digest.h"

#include <nettle/base64.h>
#include <stdbool.h>
#include <string.h>

static void put_escaped(const char *printable, struct buf *out) {
    for (const char *p = printable; *p; p++) switch (*p) {
        case '&': buf_puts(out, "&amp;"); break;
        case '<': buf_puts(out, "&lt;"); break;
        case '>': buf_puts(out, "&gt;"); break;
        case '"': buf_puts(out, "&quot;"); break;
        case '\'': buf_puts(out, "&#39;"); break;
        default: buf_putc(out, *p);
        }
}

static size_t until_break(const char *text, size_t len) {
    size_t n = 0;
    while (n < len && text[n] != '\n' && text[n] != '\t') n++;
    return n;
}

static void put_lines(const char *text, size_t len, bool keep, struct buf *out) {
    for (size_t n; len; text += n, len -= n) {
        n = until_break(text, len);
        _cleanup_free_ char *clean = str_printable(text, n);
        if (clean) put_escaped(clean, out);
        else out->failed = true;
        if (n == len) return;
        buf_putc(out, keep ? text[n] : ' ');
        n++;
    }
}

void text_html(const char *text, struct buf *out) {
    put_lines(text, strlen(text), false, out);
}

void text_html_lines(const char *text, size_t len, struct buf *out) {
    put_lines(text, len, true, out);
}

/* U+2028 … U+202E and U+2066 … U+2069: what separates lines or reorders text. */
static unsigned odd_character(const char *p) {
    const unsigned char *b = (const unsigned char *)p;
    if (b[0] != 0xe2 || (b[1] != 0x80 && b[1] != 0x81)) return 0;
    unsigned code = 0x2000 + (b[1] & 1) * 0x40 + (b[2] & 0x3f);
    bool odd = (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return odd ? code : 0;
}

void text_script_json(const char *json, struct buf *out) {
    /* Outside of strings JSON has none of these; inside, an escape means the same.
     * A carriage return or NUL is never raw in JSON. */
    for (const char *p = json; *p; p++) switch (*p) {
        case '\xe2': {
            unsigned code = odd_character(p);
            if (code) buf_printf(out, "\\u%04x", code);
            else buf_putc(out, *p);
            p += code ? 2 : 0;
            break;
        }
        case '<': buf_puts(out, "\\u003c"); break;
        case '>': buf_puts(out, "\\u003e"); break;
        case '&': buf_puts(out, "\\u0026"); break;
        default: buf_putc(out, *p);
        }
}

void text_csv(const char *text, struct buf *out) {
    if (!text) return;
    const char *guard = *text && strchr("=+-@\t\r", *text) ? "'" : "";
    if (!*guard && !strpbrk(text, ",\"\r\n")) {
        buf_puts(out, text);
        return;
    }
    buf_printf(out, "\"%s", guard);
    for (const char *p = text; *p; p++) {
        if (*p == '"') buf_putc(out, '"');
        buf_putc(out, *p);
    }
    buf_putc(out, '"');
}

void text_csp_hash(const char *text, size_t len, struct buf *out) {
    uint8_t digest[DIGEST_BYTES];
    char encoded[BASE64_ENCODE_RAW_LENGTH(DIGEST_BYTES) + 1];
    digest_bytes(text, len, digest);
    base64_encode_raw(encoded, sizeof digest, digest);
    encoded[sizeof encoded - 1] = '\0';
    buf_printf(out, "sha256-%s", encoded);
}
