#include "common/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shown when even the message could not be allocated. Never freed. */
static char out_of_memory[] = "out of memory";

static char *format_text(const char *fmt, va_list ap) {
    char *text = NULL;
    if (vasprintf(&text, fmt, ap) < 0) return out_of_memory;
    return text;
}

static void free_text(char *text) {
    if (text != out_of_memory) free(text);
}

static void replace(struct error *err, enum error_kind kind, int sys, char *text) {
    free_text(err->text);
    *err = (struct error){.kind = kind, .sys = sys, .text = text};
}

int error_set(struct error *err, enum error_kind kind, const char *fmt, ...) {
    if (!err) return -1;
    va_list ap;
    va_start(ap, fmt);
    /* Formatted before the old text is freed: it may be one of the arguments. */
    char *text = format_text(fmt, ap);
    va_end(ap);
    replace(err, kind, 0, text);
    return -1;
}

static enum error_kind kind_of_errno(int errnum) {
    switch (errnum) {
    case ENOENT:
    case ENOTDIR: return ERROR_NOT_FOUND;
    case EEXIST: return ERROR_EXISTS;
    case EACCES:
    case EPERM: return ERROR_DENIED;
    case EBUSY:
    case EAGAIN: return ERROR_BUSY;
    case ENOSYS:
    case EOPNOTSUPP: return ERROR_UNSUPPORTED;
    default: return ERROR_SYSTEM;
    }
}

int error_sys(struct error *err, int errnum, const char *fmt, ...) {
    if (!err) return -1;
    va_list ap;
    va_start(ap, fmt);
    char *context = format_text(fmt, ap);
    va_end(ap);
    char *text = NULL;
    if (asprintf(&text, "%s: %s", context, strerror(errnum)) < 0) text = out_of_memory;
    free_text(context);
    replace(err, kind_of_errno(errnum), errnum, text);
    return -1;
}

int error_wrap(struct error *err, const char *fmt, ...) {
    if (!err || !error_is_set(err)) return -1;
    va_list ap;
    va_start(ap, fmt);
    char *context = format_text(fmt, ap);
    va_end(ap);
    char *text = NULL;
    if (asprintf(&text, "%s: %s", context, error_text(err)) < 0) text = out_of_memory;
    free_text(context);
    free_text(err->text);
    err->text = text;
    return -1;
}

int error_move(struct error *to, struct error *from) {
    if (!error_is_set(from)) return 0;
    if (to) {
        free_text(to->text);
        *to = *from;
    } else {
        free_text(from->text);
    }
    *from = (struct error){0};
    return -1;
}

int error_set_rule(struct error *err, const char *rule) {
    if (error_is_set(err)) err->rule = rule;
    return -1;
}

bool error_is_set(const struct error *err) {
    return err && err->kind != ERROR_NONE;
}

const char *error_text(const struct error *err) {
    return error_is_set(err) && err->text ? err->text : "no error";
}

const char *error_kind_name(enum error_kind kind) {
    switch (kind) {
    case ERROR_NONE: return "none";
    case ERROR_INVALID: return "invalid";
    case ERROR_NOT_FOUND: return "not-found";
    case ERROR_EXISTS: return "exists";
    case ERROR_DENIED: return "denied";
    case ERROR_LIMIT: return "limit";
    case ERROR_BUSY: return "busy";
    case ERROR_UNSUPPORTED: return "unsupported";
    case ERROR_CANCELLED: return "cancelled";
    case ERROR_SYSTEM: return "system";
    case ERROR_INTERNAL: return "internal";
    }
    return "internal";
}

void error_clear(struct error *err) {
    if (!err) return;
    free_text(err->text);
    *err = (struct error){0};
}
