/*
 * Command lines: a verb declares its options in a table; this reads argv by it.
 *
 * Long options are "--name value" or "--name=value", short ones "-o value"; "--"
 * ends them. Options and operands may be mixed. Whatever the table does not
 * name is an error that names it.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_ARGS_H
#define PADDOCK_ORCHESTRATOR_CLIENT_ARGS_H

#include "common/buf.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

#define ARGS_MAX 24 /* options of one table, the common ones included */

enum arg_kind { ARG_FLAG, ARG_TEXT, ARG_LIST, ARG_INT, ARG_NUMBER };

struct arg {
    const char *name; /* without the dashes; NULL ends a table */
    char letter;      /* 0: none */
    enum arg_kind kind;
    const char *value; /* what help calls the value; NULL for flags */
    const char *help;
    int64_t min, max; /* ARG_INT; equal: no bounds */
};

struct arg_value {
    const struct arg *arg;
    bool given;
    char *text;  /* ARG_TEXT; the last one given */
    char **list; /* ARG_LIST, in order */
    int64_t integer;
    double number;
};

struct args {
    struct arg_value values[ARGS_MAX];
    size_t count;
    char **operands; /* NULL-terminated */
};

#define _cleanup_args_ __attribute__((cleanup(args_clear)))

/* Reads argv (without the program and the verb) by one or two tables; `common`
 * may be NULL. */
int args_parse(const struct arg *table, const struct arg *common, char *const *argv,
               struct args *out, struct error *err);
void args_clear(struct args *a);

/* Whether "--help" or "-h" is asked for (before any "--"). */
bool args_wants_help(char *const *argv);

/* Asking for an option that no table has is a bug and aborts. */
bool args_given(const struct args *a, const char *name);
const char *args_text(const struct args *a, const char *name);  /* NULL: not given */
char *const *args_list(const struct args *a, const char *name); /* NULL: not given */
int64_t args_int(const struct args *a, const char *name, int64_t otherwise);
double args_number(const struct args *a, const char *name, double otherwise);

/* The table as lines of help. */
void args_describe(const struct arg *table, struct buf *out);

#endif
