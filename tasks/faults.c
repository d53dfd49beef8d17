#include "tasks/faults.h"

#include <stdarg.h>

void fault_take(struct faults *f, struct error *err) {
    if (f->lines) {
        buf_puts(f->lines, error_text(err));
        buf_putc(f->lines, '\n');
    }
    if (f->count++ == 0 && f->first) error_move(f->first, err);
    error_clear(err);
}

void fault_add(struct faults *f, const char *fmt, ...) {
    _cleanup_buf_ struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    _cleanup_error_ struct error err = {0};
    error_set(&err, ERROR_INVALID, "%s", buf_text(&text));
    fault_take(f, &err);
}
