#include "orchestrator/model/hints.h"

#include "common/buf.h"
#include "common/clock.h"

#include <curl/curl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VALUE_MAX  128
#define WAIT_MAX_S 1e9

static int64_t from_seconds(double s) {
    if (!(s > 0) || s > WAIT_MAX_S) return 0;
    return (int64_t)(s * (double)NS_PER_SEC);
}

/* A bare number: seconds from now, or since the epoch where it is that large (in ms
 * where it is larger still). */
static int64_t parse_number(const char *text, int64_t now_ns) {
    char *end = NULL;
    double n = strtod(text, &end);
    if (end == text || *end || !isfinite(n)) return 0;
    if (n >= 1e12) return from_seconds(n / 1e3 - (double)now_ns / 1e9);
    if (n >= 1e9) return from_seconds(n - (double)now_ns / 1e9);
    return from_seconds(n);
}

static double unit_seconds(const char **p) {
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"s", 1},
                 {"m", 60},    {"h", 3600},  {"d", 86400}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t n = strlen(units[i].name);
        if (strncmp(*p, units[i].name, n) != 0) continue;
        *p += n;
        return units[i].seconds;
    }
    return 0;
}

/* "1m30s", "12ms", "34s". */
static int64_t parse_duration(const char *text) {
    double sum = 0;
    for (const char *p = text; *p;) {
        if (*p < '0' || *p > '9') return 0;
        char *end = NULL;
        double n = strtod(p, &end);
        p = end;
        double unit = unit_seconds(&p);
        if (unit <= 0) return 0;
        sum += n * unit;
    }
    return from_seconds(sum);
}

/* "2026-01-31T12:34:56.789Z", "…+02:00". */
static int64_t parse_rfc3339(const char *text, int64_t now_ns) {
    struct tm tm = {0};
    int used = 0;
    if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", /* NOLINT(cert-err34-c) */
               &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
               &used) != 6 ||
        !used)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    const char *p = text + used;
    double fraction = 0;
    if (*p == '.') {
        char *end = NULL;
        fraction = strtod(p, &end);
        p = end;
    }
    int hours = 0, minutes = 0;
    int64_t offset = 0;
    if (*p == '+' || *p == '-') {
        if (sscanf(p + 1, "%2d:%2d", &hours, &minutes) != 2) return 0; /* NOLINT(cert-err34-c) */
        offset = (*p == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    } else if (*p != 'Z' && *p != 'z') {
        return 0;
    }
    return from_seconds((double)timegm(&tm) - (double)offset + fraction - (double)now_ns / 1e9);
}

static int64_t parse_http_date(const char *text, int64_t now_ns) {
    if (!strchr(text, ',') && !strchr(text, ' ')) return 0;
    time_t at = curl_getdate(text, NULL);
    return at < 0 ? 0 : from_seconds((double)at - (double)now_ns / 1e9);
}

int64_t hint_parse(const char *text, int64_t now_ns) {
    if (*text < '0' || *text > '9') return parse_http_date(text, now_ns);
    int64_t ns = parse_number(text, now_ns);
    if (ns <= 0) ns = parse_duration(text);
    return ns > 0 ? ns : parse_rfc3339(text, now_ns);
}

/* The name of a limit: what stands behind "x-ratelimit-reset-" or before "-reset" in
 * "anthropic-ratelimit-tokens-reset". False: the header is not about `what`. */
static bool limit_name(const char *header, const char *what, char out[32]) {
    const char *from = strstr(header, "ratelimit");
    if (!from) return false;
    from += strlen("ratelimit");
    from += *from == '-';
    size_t len = strlen(what);
    const char *at = strstr(from, what);
    if (!at) return false;
    if (at == from) snprintf(out, 32, "%.31s", at[len] == '-' ? at + len + 1 : at + len);
    else snprintf(out, 32, "%.*s", (int)(at - from - 1 < 31 ? at - from - 1 : 31), from);
    return true;
}

static struct hint_limit *limit_of(struct hints *h, const char *name) {
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->limits[i].name, name) == 0) return &h->limits[i];
    if (h->count == HINT_LIMITS) return NULL;
    struct hint_limit *l = &h->limits[h->count++];
    snprintf(l->name, sizeof l->name, "%s", name);
    return l;
}

static void take_header(struct hints *h, const char *name, const char *value, int64_t now_ns) {
    char limit[32];
    struct hint_limit *l = NULL;
    if (strcmp(name, "retry-after-ms") == 0) {
        int64_t ns = from_seconds(strtod(value, NULL) / 1e3);
        if (ns > 0) h->retry_after_ns = ns;
    } else if (strcmp(name, "retry-after") == 0) {
        if (h->retry_after_ns == 0) h->retry_after_ns = hint_parse(value, now_ns);
    } else if (limit_name(name, "reset", limit)) {
        if ((l = limit_of(h, limit))) l->reset_ns = hint_parse(value, now_ns);
    } else if (limit_name(name, "remaining", limit)) {
        if ((l = limit_of(h, limit))) l->spent = strcmp(value, "0") == 0;
    }
}

void hints_header(struct hints *h, const char *line, size_t len, int64_t now_ns) {
    char name[64], value[VALUE_MAX];
    const char *colon = memchr(line, ':', len);
    if (!colon || (size_t)(colon - line) >= sizeof name) return;
    size_t n = (size_t)(colon - line);
    for (size_t i = 0; i < n; i++)
        name[i] = (char)(line[i] >= 'A' && line[i] <= 'Z' ? line[i] - 'A' + 'a' : line[i]);
    name[n] = '\0';
    const char *from = colon + 1, *end = line + len;
    while (from < end && (*from == ' ' || *from == '\t')) from++;
    while (end > from && (unsigned char)end[-1] <= ' ') end--;
    if ((size_t)(end - from) >= sizeof value) return;
    memcpy(value, from, (size_t)(end - from));
    value[end - from] = '\0';
    take_header(h, name, value, now_ns);
}

int64_t hints_wait(const struct hints *h) {
    if (h->retry_after_ns > 0) return h->retry_after_ns;
    int64_t spent = 0, first = 0;
    for (size_t i = 0; i < h->count; i++) {
        int64_t ns = h->limits[i].reset_ns;
        if (ns <= 0) continue;
        if (h->limits[i].spent && ns > spent) spent = ns;
        if (first == 0 || ns < first) first = ns;
    }
    return spent ? spent : first;
}
