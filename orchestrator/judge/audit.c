#include "orchestrator/judge/audit.h"

#include "common/cleanup.h"
#include "orchestrator/judge/rule.h"

#include <math.h>
#include <regex.h>
#include <string.h>

enum { LINE_BYTES = 4096, NUMBER_BYTES = 40 };

static bool read_number(const char *text, size_t len, double *out) {
    char copy[NUMBER_BYTES];
    char *end = NULL;
    if (len == 0 || len >= sizeof copy) return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    /* Decimal digits only: strtod() knows blanks, hexadecimal and names besides. */
    if (strspn(copy, "0123456789.+-eE") != len) return false;
    double value = strtod(copy, &end);
    if (*end != '\0' || !isfinite(value)) return false;
    *out = value;
    return true;
}

/* One line of a text, as a string: NULs and what is too long do not matter. */
static const char *take_line(const char *at, const char *end, char line[LINE_BYTES]) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const char *stop = newline ? newline : end;
    size_t len = (size_t)(stop - at);
    if (len >= LINE_BYTES) len = LINE_BYTES - 1;
    for (size_t i = 0; i < len; i++) line[i] = at[i] ? at[i] : '?';
    line[len] = '\0';
    return newline ? newline + 1 : end;
}

int audit_read_loss(const char *text, size_t len, const char *pattern, bool *found, double *loss,
                    struct error *err) {
    regex_t compiled;
    regmatch_t groups[2];
    char line[LINE_BYTES];
    *found = false;
    if (regcomp(&compiled, pattern, REG_EXTENDED) != 0)
        return error_set(err, ERROR_INVALID, "audit: the pattern \"%s\"", pattern);
    const char *end = text + len;
    for (const char *at = text; at < end;) {
        at = take_line(at, end, line);
        if (regexec(&compiled, line, ARRAY_SIZE(groups), groups, 0) != 0) continue;
        /* A later line counts, also one that is no number: what is printed last is
         * what is claimed. */
        *found =
            groups[1].rm_so >= 0 &&
            read_number(line + groups[1].rm_so, (size_t)(groups[1].rm_eo - groups[1].rm_so), loss);
    }
    regfree(&compiled);
    return 0;
}

double audit_entropy(const uint8_t *text, size_t len) {
    size_t counts[256] = {0};
    double bits = 0;
    for (size_t i = 0; i < len; i++) counts[text[i]]++;
    for (size_t c = 0; c < ARRAY_SIZE(counts); c++)
        if (counts[c]) bits -= (double)counts[c] * log2((double)counts[c] / (double)len);
    return len ? bits / (double)len : 0;
}

static int say(struct exam *e, enum outcome outcome, const char *end, char *reason,
               struct error *err) {
    free(e->end);
    free(e->reason);
    e->outcome = outcome;
    e->end = strdup(end);
    e->reason = reason;
    bool whole = e->end && (reason || outcome == OUTCOME_VALID);
    return whole ? 0 : error_sys(err, ENOMEM, "audit");
}

int audit_judge(const struct audit_losses *l, struct exam *e, struct error *err) {
    static const char *const runs[] = {"the timed run", "the audit on fresh text",
                                       "the audit on shuffled text", "the audit on babble"};
    e->has_metric = isfinite(l->reported[AUDIT_OFFICIAL]);
    e->metric = e->has_metric ? l->reported[AUDIT_OFFICIAL] : 0;
    for (int s = 0; s < AUDIT_STREAMS; s++)
        if (!isfinite(l->reported[s]))
            return say(e, OUTCOME_INVALID_LOSS, RULE_NO_LOSS,
                       str_printf("%s printed no loss", runs[s]), err);
    e->audited = true;
    e->fresh = l->reported[AUDIT_FRESH];
    e->shuffled = l->reported[AUDIT_SHUFFLED];
    e->floor = l->floor;
    e->babble = l->reported[AUDIT_BABBLE];
    e->babble_floor = l->babble_floor;
    double official = l->reported[AUDIT_OFFICIAL], fresh = l->reported[AUDIT_FRESH];
    if (fabs(fresh - official) > l->tolerance)
        return say(e, OUTCOME_INVALID_TAMPER, RULE_AUDIT_FRESH,
                   str_printf("it reported %.4g, and %.4g on fresh text: more than %.4g apart",
                              official, fresh, l->tolerance),
                   err);
    if (e->shuffled < l->floor - l->slack)
        return say(e, OUTCOME_INVALID_TAMPER, RULE_AUDIT_SHUFFLED,
                   str_printf("it reported %.4g on shuffled text, which nobody predicts better "
                              "than %.4g",
                              e->shuffled, l->floor),
                   err);
    if (e->babble < l->babble_floor - l->slack)
        return say(e, OUTCOME_INVALID_TAMPER, RULE_AUDIT_BABBLE,
                   str_printf("it reported %.4g on babble, which nobody predicts better than %.4g",
                              e->babble, l->babble_floor),
                   err);
    return say(e, OUTCOME_VALID, "complete", NULL, err);
}
