#include "common/amount.h"

#include "common/cleanup.h"

#include <stdlib.h>
#include <string.h>

#define AMOUNT_MAX_LEN 40
#define YEAR_MS        (366 * 86400e3)

struct unit {
    const char *name;
    double factor;
};

static const struct unit units[] = {
    {"us", 1e-3},      {"ms", 1},     {"s", 1e3},       {"sec", 1e3},      {"second", 1e3},
    {"seconds", 1e3},  {"m", 60e3},   {"min", 60e3},    {"mins", 60e3},    {"minute", 60e3},
    {"minutes", 60e3}, {"h", 3600e3}, {"hour", 3600e3}, {"hours", 3600e3},
};

static size_t digits(const char *text) {
    return strspn(text, "0123456789");
}

/* The length of a plain decimal at the start, 0: there is none. strtod(3) would
 * take signs, exponents, hexadecimal, inf and nan as well. */
static size_t decimal_length(const char *text) {
    size_t whole = digits(text);
    if (!whole || text[whole] != '.') return whole;
    size_t fraction = digits(text + whole + 1);
    return fraction ? whole + 1 + fraction : 0;
}

int amount_ms(const char *text, size_t len, double *ms, struct error *err) {
    char copy[AMOUNT_MAX_LEN + 1];
    if (len > AMOUNT_MAX_LEN || memchr(text, '\0', len))
        return error_set(err, ERROR_INVALID, "not a duration: too long, or with a NUL in it");
    memcpy(copy, text, len);
    copy[len] = '\0';
    size_t number = decimal_length(copy);
    if (!number) return error_set(err, ERROR_INVALID, "not a duration such as 184262ms");
    const char *unit = copy + number;
    if (*unit == ' ') unit++;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (strcmp(unit, units[i].name) != 0) continue;
        double value = strtod(copy, NULL) * units[i].factor;
        if (value > YEAR_MS) return error_set(err, ERROR_INVALID, "a duration of over a year");
        *ms = value;
        return 0;
    }
    return error_set(err, ERROR_INVALID, "a duration without a unit that is known");
}
