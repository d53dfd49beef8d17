/*
 * The conditions of a rule.
 *
 *     {"argument": 0, "bits": 32, "compare": "in", "values": ["AF_UNIX", "AF_INET"]}
 *
 * A filter sees 64-bit registers, while the kernel takes an int argument from
 * the lower half and ignores the rest. "bits" says which of the two the call
 * has, so that 0x100005412 is the TIOCSTI that the kernel will see
 * (CVE-2019-10063).
 */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS = 6, MAX_VALUES = 64, MAX_COMBINATIONS = 256 };

static const char *const compare_names[] = {"eq", "ne",        "lt", "le", "gt",
                                            "ge", "masked-eq", "in", NULL};

/* One name or hexadecimal number of `len` bytes. */
static bool one_constant(const char *text, size_t len, uint64_t *value) {
    if (len <= 2 || memcmp(text, "0x", 2) != 0) return policy_constant(text, len, value);
    if (len > 2 + 16) return false;
    *value = 0;
    for (size_t i = 2; i < len; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *at = strchr(digits, text[i]);
        if (!at) return false;
        *value = *value << 4 | (uint64_t)(at - digits);
    }
    return true;
}

/* A number, or a string of names and hexadecimal numbers joined by '|'. Appends
 * its words to `words`. */
static int read_constant(const struct json *v, uint64_t *out, struct buf *words,
                         struct error *err) {
    buf_puts(words, words->len ? ", " : "");
    if (json_type(v) == JSON_NUMBER) {
        int64_t n = 0;
        if (json_as_int(v, 0, INT64_MAX, &n, err) < 0) return -1;
        *out = (uint64_t)n;
        buf_printf(words, "%" PRId64, n);
        return 0;
    }
    const char *text = NULL;
    if (json_type(v) != JSON_STRING)
        return json_error(v, err, "must be a number or the name of a constant");
    if (json_as_string(v, &text, err) < 0) return -1;
    buf_puts(words, text);
    *out = 0;
    for (;;) {
        size_t len = strcspn(text, "|");
        uint64_t part = 0;
        if (!one_constant(text, len, &part))
            return json_error(v, err, "\"%.*s\" is no constant known here (nor like 0x1f)",
                              (int)(len < 64 ? len : 64), text);
        *out |= part;
        if (!text[len]) return 0;
        text += len + 1;
    }
}

static int fits(const struct json *v, uint64_t value, uint64_t mask, struct error *err) {
    if ((value & ~mask) == 0) return 0;
    return json_error(v, err, "0x%" PRIx64 " has bits outside the 0x%" PRIx64 " compared", value,
                      mask);
}

static int read_values(const struct json *list, struct policy_condition *c, struct buf *words,
                       struct error *err) {
    if (json_count(list) == 0 || json_count(list) > MAX_VALUES)
        return json_error(list, err, "must have 1 to %d values", MAX_VALUES);
    c->values = calloc(json_count(list), sizeof *c->values);
    if (!c->values) return error_sys(err, ENOMEM, "condition");
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *v = json_at(list, i);
        uint64_t *value = &c->values[c->value_count++];
        if (read_constant(v, value, words, err) < 0 || fits(v, *value, c->mask, err) < 0) return -1;
        for (size_t j = 0; j < i; j++)
            if (c->values[j] == *value) return json_error(v, err, "given twice");
    }
    return 0;
}

/* The mask that the comparison starts from; -1 for one that cannot be had. */
static int set_width(struct json_reader *r, struct policy_condition *c, int64_t bits) {
    c->mask = bits == 32 ? UINT32_MAX : UINT64_MAX;
    if (bits == 64) return 0;
    if (bits != 32)
        return json_reader_fail(r, json_find(r->object, "bits"), "must be 32 or 64"), -1;
    if (c->compare == POLICY_EQ) c->compare = POLICY_MASKED_EQ;
    if (c->compare != POLICY_MASKED_EQ && c->compare != POLICY_IN)
        json_reader_fail(r, json_find(r->object, "compare"),
                         "32 bits can only be compared by eq, masked-eq and in");
    return r->failed ? -1 : 0;
}

/* The constants a condition compares with: "mask", then "value" or "values". */
static int read_operands(struct json_reader *r, struct policy_condition *c, bool masked,
                         struct buf *words) {
    bool set = c->compare == POLICY_IN;
    _cleanup_buf_ struct buf mask_words = {0};
    const struct json *mask = json_get(r, "mask", masked ? JSON_REQUIRED : JSON_OPTIONAL);
    const struct json *value = json_get(r, "value", set ? JSON_OPTIONAL : JSON_REQUIRED);
    const struct json *values = json_get_array(r, "values", set ? JSON_REQUIRED : JSON_OPTIONAL);
    if (r->failed) return -1;
    if (mask && !masked && !set) json_reader_fail(r, mask, "only goes with masked-eq and in");
    if (set && value) json_reader_fail(r, value, "\"in\" takes \"values\"");
    if (!set && values) json_reader_fail(r, values, "only goes with \"in\"");
    if (r->failed) return -1;
    uint64_t width = c->mask;
    if (mask && (read_constant(mask, &c->mask, &mask_words, r->err) < 0 ||
                 fits(mask, c->mask, width, r->err) < 0))
        return -1;
    if (mask && c->mask == 0) return json_error(mask, r->err, "0 compares nothing");
    if (set) return read_values(values, c, words, r->err);
    if (read_constant(value, &c->value, words, r->err) < 0) return -1;
    return fits(value, c->value, c->mask, r->err);
}

static int read_condition(const struct json *v, struct policy_condition *c, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    int64_t argument = 0;
    int64_t bits = 0;
    int compare = 0;
    json_get_int(&r, "argument", JSON_REQUIRED, 0, ARGUMENTS - 1, &argument);
    json_get_int(&r, "bits", JSON_REQUIRED, 32, 64, &bits);
    json_get_enum(&r, "compare", JSON_REQUIRED, compare_names, &compare);
    if (r.failed) return -1;
    c->argument = (unsigned)argument;
    c->compare = (enum policy_compare)compare;
    bool masked = c->compare == POLICY_MASKED_EQ;
    if (set_width(&r, c, bits) < 0) return -1;
    _cleanup_buf_ struct buf words = {0};
    if (read_operands(&r, c, masked, &words) < 0) return -1;
    c->text = buf_steal(&words);
    if (!c->text) return error_sys(err, ENOMEM, "condition");
    return json_object_end(&r);
}

int policy_load_conditions(const struct json *when, struct policy_rule *rule, struct error *err) {
    size_t n = json_count(when);
    if (n == 0 || n > ARGUMENTS)
        return json_error(when, err, "must have 1 to %d conditions", ARGUMENTS);
    rule->conditions = calloc(n, sizeof *rule->conditions);
    if (!rule->conditions) return error_sys(err, ENOMEM, "conditions");
    size_t combinations = 1;
    for (size_t i = 0; i < n; i++) {
        struct policy_condition *c = &rule->conditions[rule->condition_count++];
        if (read_condition(json_at(when, i), c, err) < 0) return -1;
        for (size_t j = 0; j < i; j++)
            if (rule->conditions[j].argument == c->argument)
                return json_error(json_at(when, i), err,
                                  "argument %u is compared twice; libseccomp can do it once a rule",
                                  c->argument);
        if (c->compare == POLICY_IN) combinations *= c->value_count;
        if (combinations > MAX_COMBINATIONS)
            return json_error(when, err, "has more than %d combinations of values",
                              MAX_COMBINATIONS);
    }
    return 0;
}
