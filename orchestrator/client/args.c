#include "orchestrator/client/args.h"

#include "common/cleanup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int adopt(struct args *a, const struct arg *table, struct error *err) {
    for (const struct arg *arg = table; arg && arg->name; arg++) {
        if (a->count == ARGS_MAX) return error_set(err, ERROR_INTERNAL, "too many options");
        a->values[a->count++].arg = arg;
    }
    return 0;
}

static struct arg_value *by_name(struct args *a, const char *name, size_t len) {
    for (size_t i = 0; i < a->count; i++)
        if (strlen(a->values[i].arg->name) == len && !memcmp(a->values[i].arg->name, name, len))
            return &a->values[i];
    return NULL;
}

static struct arg_value *by_letter(struct args *a, char letter) {
    for (size_t i = 0; letter && i < a->count; i++)
        if (a->values[i].arg->letter == letter) return &a->values[i];
    return NULL;
}

static int set_int(struct arg_value *v, const char *text, struct error *err) {
    char *end = NULL;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    const struct arg *arg = v->arg;
    if (!*text || *end || errno)
        return error_set(err, ERROR_INVALID, "--%s: “%s” is not a whole number", arg->name, text);
    if (arg->min != arg->max && (n < arg->min || n > arg->max))
        return error_set(err, ERROR_INVALID, "--%s: must be from %lld to %lld", arg->name,
                         (long long)arg->min, (long long)arg->max);
    v->integer = n;
    return 0;
}

static int set_number(struct arg_value *v, const char *text, struct error *err) {
    char *end = NULL;
    v->number = strtod(text, &end);
    if (!*text || *end || !isfinite(v->number))
        return error_set(err, ERROR_INVALID, "--%s: “%s” is not a number", v->arg->name, text);
    return 0;
}

static int set_value(struct arg_value *v, const char *text, struct error *err) {
    v->given = true;
    switch (v->arg->kind) {
    case ARG_FLAG: return 0;
    case ARG_INT: return set_int(v, text, err);
    case ARG_NUMBER: return set_number(v, text, err);
    case ARG_LIST: return strv_push(&v->list, text) < 0 ? error_sys(err, ENOMEM, "options") : 0;
    case ARG_TEXT:
        free(v->text);
        v->text = strdup(text);
        return v->text ? 0 : error_sys(err, ENOMEM, "options");
    }
    return error_set(err, ERROR_INTERNAL, "option --%s has no kind", v->arg->name);
}

/* Reads the option at *argv and leaves *argv at the last word it used. */
static int parse_option(struct args *a, char *const **argv, struct error *err) {
    const char *word = **argv;
    bool is_long = word[1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    const char *inlined = is_long ? strchr(name, '=') : NULL;
    size_t len = inlined ? (size_t)(inlined - name) : strlen(name);
    struct arg_value *v = is_long ? by_name(a, name, len) : len == 1 ? by_letter(a, *name) : NULL;
    if (!v) return error_set(err, ERROR_INVALID, "unknown option %s", word);
    if (v->arg->kind == ARG_FLAG) {
        if (inlined) return error_set(err, ERROR_INVALID, "--%s takes no value", v->arg->name);
        return set_value(v, NULL, err);
    }
    if (inlined) return set_value(v, inlined + 1, err);
    if (!(*argv)[1])
        return error_set(err, ERROR_INVALID, "--%s needs a value (%s)", v->arg->name,
                         v->arg->value);
    return set_value(v, *++*argv, err);
}

int args_parse(const struct arg *table, const struct arg *common, char *const *argv,
               struct args *out, struct error *err) {
    if (adopt(out, table, err) < 0 || adopt(out, common, err) < 0) return -1;
    bool options = true;
    for (; *argv; argv++) {
        if (options && strcmp(*argv, "--") == 0) {
            options = false;
        } else if (options && (*argv)[0] == '-' && (*argv)[1]) {
            if (parse_option(out, &argv, err) < 0) return -1;
        } else if (strv_push(&out->operands, *argv) < 0) {
            return error_sys(err, ENOMEM, "operands");
        }
    }
    return 0;
}

void args_clear(struct args *a) {
    for (size_t i = 0; i < a->count; i++) {
        free(a->values[i].text);
        strv_free(a->values[i].list);
    }
    strv_free(a->operands);
    *a = (struct args){0};
}

bool args_wants_help(char *const *argv) {
    for (; *argv && strcmp(*argv, "--") != 0; argv++)
        if (str_eq(*argv, "--help") || str_eq(*argv, "-h")) return true;
    return false;
}

static const struct arg_value *value_of(const struct args *a, const char *name) {
    for (size_t i = 0; i < a->count; i++)
        if (str_eq(a->values[i].arg->name, name)) return &a->values[i];
    abort();
}

bool args_given(const struct args *a, const char *name) {
    return value_of(a, name)->given;
}

const char *args_text(const struct args *a, const char *name) {
    return value_of(a, name)->text;
}

char *const *args_list(const struct args *a, const char *name) {
    return value_of(a, name)->list;
}

int64_t args_int(const struct args *a, const char *name, int64_t otherwise) {
    const struct arg_value *v = value_of(a, name);
    return v->given ? v->integer : otherwise;
}

double args_number(const struct args *a, const char *name, double otherwise) {
    const struct arg_value *v = value_of(a, name);
    return v->given ? v->number : otherwise;
}

void args_describe(const struct arg *table, struct buf *out) {
    for (const struct arg *arg = table; arg && arg->name; arg++) {
        char letter[8] = "    ";
        if (arg->letter) snprintf(letter, sizeof letter, "-%c, ", arg->letter);
        _cleanup_free_ char *left = str_printf("%s--%s%s%s", letter, arg->name,
                                               arg->value ? " " : "", arg->value ? arg->value : "");
        buf_printf(out, "  %-28s %s\n", left ? left : arg->name, arg->help);
    }
}
