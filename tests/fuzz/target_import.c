/*
 * What an import reads of a stranger's clone: the table of records, the head of a log,
 * the imports of a program, durations; behind a NUL, the files that say which commit
 * HEAD names.
 */
#include "common/amount.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "tasks/import/clone_head.h"
#include "tasks/import/record_log.h"
#include "tasks/import/record_table.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <string.h>

static void feed_table(const char *text, size_t len) {
    _cleanup_record_table_ struct record_table t = {0};
    _cleanup_error_ struct error err = {0};
    if (record_table_read(text, len, &t, &err) < 0)
        FUZZ_CHECK(error_is_set(&err), "a refusal without a reason");
    FUZZ_CHECK(t.count <= RECORD_TABLE_ROWS, "%zu rows", t.count);
    for (size_t i = 0; i < t.count; i++) {
        const struct record_row *r = &t.rows[i];
        if (r->fault) continue;
        FUZZ_CHECK(r->number > 0 && r->number <= 9999, "a number");
        FUZZ_CHECK(path_is_confined(r->log) && str_starts(r->log, "records/"), "%s", r->log);
        FUZZ_CHECK(*r->title && !strpbrk(r->title, "\n\r\x1b"), "%s", r->title);
        FUZZ_CHECK(r->ms >= 0 && isfinite(r->ms), "a time");
    }
}

static void feed_log(const char *text, size_t len) {
    struct record_log log;
    if (!record_log_split(text, len, &log)) return;
    FUZZ_CHECK(log.count >= 1 && log.count <= RECORD_LOG_MODULES + 1, "%zu sources", log.count);
    const char *last = text;
    for (size_t i = 0; i < log.count; i++) {
        const struct record_source *s = &log.sources[i];
        FUZZ_CHECK(s->text >= last && s->text + s->len <= text + len, "source %zu is outside", i);
        FUZZ_CHECK(!strpbrk(s->name, "/\\") && (i == 0) == !*s->name, "name %s", s->name);
        last = s->text + s->len;
    }
}

static void feed_imports(const char *text, size_t len) {
    _cleanup_strv_ char **names = python_imports(text, len);
    FUZZ_CHECK(names && strv_len(names) <= PYTHON_IMPORTS, "imports");
    for (char **n = names; *n; n++)
        FUZZ_CHECK(**n && !strpbrk(*n, "./ \t\n") && strlen(*n) < RECORD_LOG_NAME - 3, "%s", *n);
}

/* HEAD up to a NUL, then packed-refs. */
static void feed_head(struct fuzz_input in) {
    struct fuzz_place *place = fuzz_place();
    _cleanup_free_ char *head = fuzz_text(&in);
    _cleanup_error_ struct error err = {0};
    char id[CLONE_ID_HEX + 1] = "";
    fuzz_place_reset(place);
    if (file_write_atomic_at(place->in, "HEAD", head, strlen(head), 0600, NULL) < 0 ||
        file_write_atomic_at(place->in, "packed-refs", in.at, in.left, 0600, NULL) < 0)
        return;
    if (clone_head(place->in, id, &err) == 0)
        FUZZ_CHECK(strspn(id, "0123456789abcdef") == CLONE_ID_HEX && !id[CLONE_ID_HEX], "%s", id);
    else FUZZ_CHECK(error_is_set(&err), "a refusal without a reason");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    const char *text = (const char *)data;
    double ms = -1;
    if (len && !*data) {
        feed_head((struct fuzz_input){data + 1, len - 1});
        return 0;
    }
    feed_table(text, len);
    feed_log(text, len);
    feed_imports(text, len);
    if (amount_ms(text, len, &ms, NULL) == 0) FUZZ_CHECK(ms >= 0 && ms <= 366 * 86400e3, "%g", ms);
    else FUZZ_CHECK(ms == -1, "a refusal that leaves a number");
    return 0;
}
