#include "orchestrator/daemon/id.h"

#include "common/buf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *id_format(char kind, int64_t number, char out[ID_MAX]) {
    snprintf(out, ID_MAX, "%c%" PRId64, kind, number);
    return out;
}

const char *id_kind_name(char kind) {
    switch (kind) {
    case ID_EXPERIMENT: return "experiment";
    case ID_VERSION: return "version";
    case ID_RUN: return "run";
    case ID_MEASUREMENT: return "measurement";
    default: return "thing";
    }
}

int id_parse(char kind, const char *text, int64_t *number, struct error *err) {
    int64_t n = 0;
    size_t digits = strlen(text);
    bool good = text[0] == kind && digits >= 2 && digits <= 16 && text[1] != '0';
    for (const char *p = text + 1; good && *p; p++) {
        good = *p >= '0' && *p <= '9';
        n = n * 10 + (*p - '0');
    }
    if (!good) return error_set(err, ERROR_NOT_FOUND, "no %s has that name", id_kind_name(kind));
    *number = n;
    return 0;
}
