#include "tasks/import/record_table.h"

#include "common/amount.h"
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <string.h>

enum { CELLS = 6 };

struct text {
    const char *at;
    size_t len;
};

/* Takes one line (without its end) from `rest`; false at the end of the text. */
static bool take_line(struct text *rest, struct text *line) {
    if (!rest->len) return false;
    const char *end = memchr(rest->at, '\n', rest->len);
    size_t n = end ? (size_t)(end - rest->at) : rest->len;
    *line = (struct text){rest->at, n};
    if (n && line->at[n - 1] == '\r') line->len--;
    rest->at += n + (end != NULL);
    rest->len -= n + (end != NULL);
    return true;
}

static struct text trim(struct text t) {
    while (t.len && (*t.at == ' ' || *t.at == '\t')) t.at++, t.len--;
    while (t.len && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t')) t.len--;
    return t;
}

/* How many cells the line has; the first `CELLS` of them into `cells`. Bars around
 * the whole line are optional in Markdown, and a bar behind a backslash is none. */
static size_t split_cells(struct text line, struct text cells[CELLS]) {
    line = trim(line);
    if (line.len && *line.at == '|') line.at++, line.len--;
    if (line.len && line.at[line.len - 1] == '|') line.len--;
    size_t count = 0, from = 0;
    for (size_t i = 0; i <= line.len; i++) {
        if (i < line.len && (line.at[i] != '|' || (i && line.at[i - 1] == '\\'))) continue;
        if (count < CELLS) cells[count] = trim((struct text){line.at + from, i - from});
        count++;
        from = i + 1;
    }
    return count;
}

static bool is(struct text t, const char *word) {
    return t.len == strlen(word) && memcmp(t.at, word, t.len) == 0;
}

static bool is_head(struct text line) {
    struct text c[CELLS];
    return line.len <= RECORD_TABLE_LINE && split_cells(line, c) == CELLS && is(c[0], "#") &&
           is(c[1], "Record time") && is(c[4], "Log");
}

/* The end of "[…](…)" that begins at `at`, and where its text ends; 0: it is no link. */
static size_t link_end(struct text t, size_t at, size_t *text_end) {
    const char *close = memchr(t.at + at, ']', t.len - at);
    size_t c = close ? (size_t)(close - t.at) : t.len;
    if (c + 1 >= t.len || t.at[c + 1] != '(') return 0;
    const char *end = memchr(t.at + c, ')', t.len - c);
    if (!end) return 0;
    *text_end = c;
    return (size_t)(end - t.at) + 1;
}

/* The text of a cell: links give theirs, a backslash before a bar goes. */
static char *plain(struct text t) {
    _cleanup_buf_ struct buf out = {0};
    size_t link = 0, text_end = 0; /* of the link we are in: its ends */
    buf_puts(&out, "");
    for (size_t i = 0; i < t.len; i++) {
        if (link && i == text_end) {
            i = link - 1;
            link = 0;
        } else if (!link && t.at[i] == '[' && (link = link_end(t, i, &text_end))) {
            continue;
        } else if (t.at[i] != '\\' || i + 1 == t.len || t.at[i + 1] != '|') {
            buf_putc(&out, t.at[i]);
        }
    }
    return buf_steal(&out);
}

/* Where "[log](…)" of the cell leads, below the repository; NULL: nowhere. */
static char *log_of(struct text t, bool *failed) {
    static const char mark[] = "[log](";
    const char *at = t.len ? memmem(t.at, t.len, mark, sizeof mark - 1) : NULL;
    if (!at) return NULL;
    at += sizeof mark - 1;
    const char *end = memchr(at, ')', t.len - (size_t)(at - t.at));
    size_t n = end ? (size_t)(end - at) : 0;
    if (n && at[n - 1] == '/') n--;
    if (!n || memchr(at, '\0', n)) return NULL;
    char *path = strndup(at, n);
    *failed |= !path;
    return path;
}

static int64_t number_of(struct text t) {
    int64_t n = 0;
    if (!t.len || t.len > 4) return 0;
    for (size_t i = 0; i < t.len; i++) {
        if (t.at[i] < '0' || t.at[i] > '9') return 0;
        n = n * 10 + (t.at[i] - '0');
    }
    return n;
}

static bool has_control(struct text t) {
    for (size_t i = 0; i < t.len; i++)
        if ((unsigned char)t.at[i] < 0x20 && t.at[i] != '\t') return true;
    return false;
}

/* Why a row cannot be used, from best known to least; NULL: it can. */
static char *fault_of(const struct record_row *row, bool *failed) {
    const char *fault = NULL;
    if (!row->number) fault = "its number is none";
    else if (!*row->title) fault = "has no description";
    else if (!row->log) fault = "has no log";
    else if (!path_is_confined(row->log) || !str_starts(row->log, "records/"))
        fault = "its log is no path below records/";
    char *copy = fault ? strdup(fault) : NULL;
    *failed |= fault && !copy;
    return copy;
}

static int read_cells(const struct text cells[CELLS], struct record_row *row) {
    bool failed = false;
    row->number = number_of(cells[0]);
    row->time = plain(cells[1]);
    row->title = plain(cells[2]);
    row->date = plain(cells[3]);
    row->log = log_of(cells[4], &failed);
    row->contributors = plain(cells[5]);
    if (!row->time || !row->title || !row->date || !row->contributors || failed) return -1;
    amount_ms(row->time, strlen(row->time), &row->ms, NULL); /* it is advisory */
    row->fault = fault_of(row, &failed);
    return failed ? -1 : 0;
}

static int read_row(struct text line, struct record_row *row) {
    struct text cells[CELLS];
    size_t count = 0;
    if (line.len > RECORD_TABLE_LINE) row->fault = strdup("its line is too long");
    else if (!utf8_is_text(line.at, line.len)) row->fault = strdup("is not UTF-8");
    else if (has_control(line)) row->fault = strdup("has control characters");
    else if ((count = split_cells(line, cells)) != CELLS)
        row->fault = str_printf("has %zu columns instead of %d", count, CELLS);
    else return read_cells(cells, row);
    return row->fault ? 0 : -1;
}

static int add_row(struct record_table *t, struct text line, struct error *err) {
    if (t->count == RECORD_TABLE_ROWS)
        return error_set(err, ERROR_LIMIT, "the table of records has more than %d rows",
                         RECORD_TABLE_ROWS);
    struct record_row *grown = reallocarray(t->rows, t->count + 1, sizeof *grown);
    if (!grown) return error_sys(err, ENOMEM, "table of records");
    t->rows = grown;
    t->rows[t->count] = (struct record_row){0};
    if (read_row(line, &t->rows[t->count++]) < 0) return error_sys(err, ENOMEM, "table of records");
    return 0;
}

/* "| - | - |" and "|:---:|": the line under the head. */
static bool is_rule(struct text line) {
    for (size_t i = 0; i < line.len; i++)
        if (!strchr("|-: \t", line.at[i]) || !line.at[i]) return false;
    return line.len > 0;
}

int record_table_read(const char *text, size_t len, struct record_table *out, struct error *err) {
    struct text rest = {text, len}, line;
    bool inside = false;
    while (take_line(&rest, &line)) {
        if (!inside) {
            inside = is_head(line);
            continue;
        }
        if (is_rule(line)) continue;
        if (!line.len || !memchr(line.at, '|', line.len)) break;
        if (add_row(out, line, err) < 0) return -1;
    }
    if (!inside)
        return error_set(err, ERROR_NOT_FOUND,
                         "there is no table \"# | Record time | Description | Date | Log | "
                         "Contributors\"");
    return 0;
}

void record_table_clear(struct record_table *t) {
    for (size_t i = 0; i < t->count; i++) {
        struct record_row *row = &t->rows[i];
        char *const strings[] = {row->time,         row->title, row->date,
                                 row->contributors, row->log,   row->fault};
        for (size_t k = 0; k < ARRAY_SIZE(strings); k++) free(strings[k]);
    }
    free(t->rows);
    *t = (struct record_table){0};
}
