/*
 * A number with its unit, as a training program's log prints it: "184262ms",
 * "3.07 minutes", "12.03m", "2.5s". Logs are nobody's friend: the text is
 * bounded, only plain decimals are read, and what is not wholly understood is
 * refused instead of guessed.
 */
#ifndef PADDOCK_COMMON_AMOUNT_H
#define PADDOCK_COMMON_AMOUNT_H

#include "common/error.h"

#include <stddef.h>

/* Reads a duration from the `len` bytes at `text` (no NUL needed) into `*ms`,
 * in milliseconds; 0 or more, at most a year. A unit is required, since logs
 * disagree about what a bare number means. ERROR_INVALID otherwise, and `*ms`
 * is left alone. */
int amount_ms(const char *text, size_t len, double *ms, struct error *err);

#endif
