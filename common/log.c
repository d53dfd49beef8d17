#include "common/log.h"

#include "common/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *log_program = "paddock";
static enum log_level log_least = LOG_LEVEL_WARN;

void log_init(const char *program, enum log_level least) {
    log_program = program;
    log_least = least;
    const char *wanted = getenv("PADDOCK_LOG");
    for (int i = 0; wanted && i <= LOG_LEVEL_ERROR; i++)
        if (strcmp(wanted, level_names[i]) == 0) log_least = (enum log_level)i;
}

void log_at(enum log_level level, const char *fmt, ...) {
    if (level < log_least) return;
    int saved = errno;
    _cleanup_buf_ struct buf line = {0};
    buf_printf(&line, "%s %s: ", level_names[level], log_program);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&line, fmt, ap);
    va_end(ap);
    buf_putc(&line, '\n');
    /* One write, so that lines of several processes do not mix. */
    if (!buf_failed(&line) && write(STDERR_FILENO, line.data, line.len) < 0) {
        /* Nobody left to tell. */
    }
    errno = saved;
}
