/*
 * Errors as values.
 *
 * A function that can fail returns 0 on success and -1 on failure (or a
 * pointer and NULL) and takes a `struct error *` as its last parameter, which
 * it fills in. Each caller on the way up may add a line of context, so that
 * what reaches the user reads from the outermost intention to the innermost
 * reason:
 *
 *     task tinygpt: tasks/catalog/tinygpt/task.json: $.limits.wall_ms: must be at least 1
 *
 * A NULL `struct error *` is allowed everywhere: the caller does not want to
 * know. An error owns its text; use `_cleanup_error_`.
 */
#ifndef PADDOCK_COMMON_ERROR_H
#define PADDOCK_COMMON_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

enum error_kind {
    ERROR_NONE = 0,
    ERROR_INVALID,     /* the input is malformed or out of range */
    ERROR_NOT_FOUND,   /* what was named does not exist */
    ERROR_EXISTS,      /* it exists already, or is in the wrong state */
    ERROR_DENIED,      /* not permitted */
    ERROR_LIMIT,       /* a size, count or time limit of ours was exceeded */
    ERROR_BUSY,        /* somebody else holds it; trying again may work */
    ERROR_UNSUPPORTED, /* this machine or kernel cannot do it */
    ERROR_CANCELLED,   /* somebody asked to stop */
    ERROR_SYSTEM,      /* a system call or library failed; see `sys` */
    ERROR_INTERNAL,    /* a bug of ours */
};

struct error {
    enum error_kind kind;
    int sys;          /* errno of the failed call, 0 when there is none */
    char *text;       /* "outer: inner: reason"; owned; NULL when no error */
    const char *rule; /* the stable id of the rule that refused it; static; NULL: none */
};

#define _cleanup_error_ __attribute__((cleanup(error_clear)))

/* Sets the error, replacing what was there. Always returns -1, so that
 * `return error_set(err, ...)` works. */
int error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets the error from an errno value: kind follows from it (ENOENT gives
 * ERROR_NOT_FOUND, EACCES/EPERM ERROR_DENIED, …) and ": <strerror>" is
 * appended. Returns -1. */
int error_sys(struct error *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<context>: " before the text of an error that is already set. Does
 * nothing when `err` is NULL or not set. Returns -1. */
int error_wrap(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Hands `from` over to `to` (replacing it) and leaves `from` empty. Returns -1
 * if an error was handed over, else 0. */
int error_move(struct error *to, struct error *from);

/* Names the rule by which an error that is already set was refused (a string that
 * lives for ever). Does nothing when `err` is NULL or not set. Returns -1. */
int error_set_rule(struct error *err, const char *rule);

bool error_is_set(const struct error *err);

/* The text, or "no error". Never NULL; valid until the error changes. */
const char *error_text(const struct error *err);

/* A stable lower-case name for JSON: "invalid", "not-found", … */
const char *error_kind_name(enum error_kind kind);

void error_clear(struct error *err);

#endif
