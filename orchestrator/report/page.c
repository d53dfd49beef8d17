#include "orchestrator/report/page.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/report/page_parts.h"
#include "orchestrator/report/text.h"

#include <string.h>

#define LIBRARY_MAX    ((size_t)4 << 20)
#define LIBRARY_OLDEST 5 /* of D3: what our script uses is the same from here to 7 */

/* Files of this folder (cmake/embed.cmake). */
extern const unsigned char page_style[], page_script[], page_method[];
extern const size_t page_style_len, page_script_len, page_method_len;

/* ---- the chart library ---- */

/* "// https://d3js.org v5.16.0 Copyright …" */
static bool is_known_library(const char *text) {
    static const char head[] = "// https://d3js.org v";
    return str_starts(text, head) && strtol(text + strlen(head), NULL, 10) >= LIBRARY_OLDEST;
}

static int load_library(const char *path, struct buf *out, struct error *err) {
    if (file_read(path, LIBRARY_MAX, out, err) < 0) {
        error_wrap(err, "charts need the library D3: install the Debian package node-d3, name its "
                        "file with --d3, or do without by --no-charts");
        return -1;
    }
    /* The parser would end the script there, and would read a CR as another byte than
     * was hashed. */
    if (!is_known_library(buf_text(out)) || strlen(buf_text(out)) != out->len ||
        strcasestr(out->data, "</script") || strstr(out->data, "<!--") || strchr(out->data, '\r'))
        return error_set(
            err, ERROR_INVALID,
            "%s: is not the one file of D3 in version %d or newer that a page can hold", path,
            LIBRARY_OLDEST);
    return 0;
}

/* ---- head and foot ---- */

static void put_source(const char *key, const void *text, size_t len, struct buf *out) {
    buf_printf(out, "%s'", key);
    text_csp_hash(text, len, out);
    buf_puts(out, "'");
}

static void put_policy(const struct buf *library, struct buf *out) {
    buf_puts(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ");
    put_source("style-src ", page_style, page_style_len, out);
    if (library->len) {
        put_source("; script-src ", library->data, library->len, out);
        put_source(" ", page_script, page_script_len, out);
    }
    buf_puts(out, "; base-uri 'none'; form-action 'none'\">\n");
}

static void put_head(const struct report *r, const struct buf *library, struct buf *out) {
    buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    put_policy(library, out);
    buf_puts(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    text_html(r->title, out);
    buf_puts(out, " · Paddock report</title>\n<style>");
    buf_append(out, page_style, page_style_len);
    buf_puts(out, "</style>\n</head><body>\n<header><h1>");
    text_html(r->title, out);
    buf_puts(out, "</h1>\n<p>Report of ");
    text_html(r->created, out);
    buf_puts(out, ", Paddock ");
    text_html(r->paddock, out);
    buf_puts(out, "</p></header>\n");
}

static void put_nav(struct buf *out) {
    static const char *const links[][2] = {{"fsr", "mean FSR"},
                                           {"iqm", "interquartile mean"},
                                           {"records", "each record"},
                                           {"steps", "outcomes"},
                                           {"cost", "cost"},
                                           {"similarity", "similarity"},
                                           {"rules", "invalid"},
                                           {"trees", "versions"},
                                           {"method", "how to read this"}};
    buf_puts(out, "<nav>");
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        buf_printf(out, "<a href=\"#%s\">%s</a> ", links[i][0], links[i][1]);
    buf_puts(out, "</nav>\n");
}

static int put_scripts(const struct report *r, const struct groups *g, const struct buf *library,
                       struct buf *out, struct error *err) {
    buf_puts(out, "<script type=\"application/json\" id=\"data\">");
    if (page_data(r, g, out, err) < 0) return -1;
    buf_puts(out, "</script>\n<script>");
    buf_append(out, library->data, library->len);
    buf_puts(out, "</script>\n<script>");
    buf_append(out, page_script, page_script_len);
    buf_puts(out, "</script>\n");
    return 0;
}

int page_write(const struct report *r, const struct groups *g, const struct page_options *options,
               struct buf *out, struct error *err) {
    _cleanup_buf_ struct buf library = {0};
    const char *path = options->library ? options->library : PAGE_LIBRARY;
    if (options->charts && load_library(path, &library, err) < 0) return -1;
    put_head(r, &library, out);
    put_nav(out);
    buf_puts(out, "<main>\n");
    page_summary(r, g, out);
    page_fsr(g, out);
    page_iqm(g, out);
    page_records(r, out);
    page_steps(g, out);
    page_cost(g, out);
    page_similarity(r, out);
    page_rules(g, out);
    page_trees(r, out);
    buf_append(out, page_method, page_method_len);
    buf_puts(out, "</main>\n");
    if (options->charts && put_scripts(r, g, &library, out, err) < 0) return -1;
    buf_puts(out, "</body></html>\n");
    return buf_failed(out) ? error_sys(err, ENOMEM, "page") : 0;
}
