#include "orchestrator/exec/quantity.h"

#include "common/cleanup.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    double factor;
};

static int parse(const char *text, const struct unit *units, size_t count, double most,
                 const char *example, int64_t *out, struct error *err) {
    char *end = NULL;
    errno = 0;
    double number = strtod(text, &end);
    /* strtod(3) takes blanks, signs, hexadecimal, inf and nan as well. */
    bool decimal = *text && strchr("0123456789.", *text) && text[1] != 'x' && text[1] != 'X';
    if (!decimal || end == text || errno || !isfinite(number) || number <= 0)
        return error_set(err, ERROR_INVALID, "\"%.40s\" is not a quantity such as %s", text,
                         example);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].name) != 0) continue;
        double value = number * units[i].factor;
        if (value < 1 || value > most)
            return error_set(err, ERROR_INVALID, "\"%.40s\" is out of range", text);
        *out = (int64_t)value;
        return 0;
    }
    return error_set(err, ERROR_INVALID, "\"%.40s\" has an unknown unit; write it like %s", text,
                     example);
}

int quantity_ms(const char *text, int64_t *ms, struct error *err) {
    static const struct unit units[] = {
        {"", 1e3}, {"s", 1e3}, {"ms", 1}, {"m", 60e3}, {"min", 60e3}, {"h", 3600e3},
    };
    return parse(text, units, ARRAY_SIZE(units), 366 * 86400e3, "10s, 250ms or 2m", ms, err);
}

int quantity_bytes(const char *text, int64_t *bytes, struct error *err) {
    static const struct unit units[] = {
        {"", 1},        {"B", 1},        {"K", 0x1p10},   {"KiB", 0x1p10}, {"KB", 0x1p10},
        {"M", 0x1p20},  {"MiB", 0x1p20}, {"MB", 0x1p20},  {"G", 0x1p30},   {"GiB", 0x1p30},
        {"GB", 0x1p30}, {"T", 0x1p40},   {"TiB", 0x1p40},
    };
    return parse(text, units, ARRAY_SIZE(units), 0x1p50, "512M or 2G", bytes, err);
}
