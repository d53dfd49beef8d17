/*
 * The CLI: what all verbs share. A verb is one entry of a table; the command
 * line is read by its table of options before its function is called.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_CLI_H
#define PADDOCK_ORCHESTRATOR_CLIENT_CLI_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"
#include "orchestrator/client/args.h"
#include "orchestrator/client/http.h"

#include <stdbool.h>

/* Exit statuses; `exec` has its own. */
#define CLI_OK          0
#define CLI_FAILED      1   /* it did not work, or what was checked has faults */
#define CLI_USAGE       2   /* the command line is wrong */
#define CLI_INTERRUPTED 130 /* by Ctrl-C */

struct cli {
    bool json;      /* --json: one document on stdout */
    bool autostart; /* unless --no-autostart */
    bool colour;    /* stdout is a terminal and NO_COLOR is not set */
    struct http *http;
};

struct verb {
    const char *name;     /* "task check" */
    const char *summary;  /* one line */
    const char *operands; /* "TASK[:STEP]"; "" when there are none */
    int least, most;      /* how many operands; most −1: any number */
    const struct arg *args;
    const char *help;    /* what it does */
    const char *example; /* lines, each a command */
    /* The exit status, or -1 and the error. */
    int (*run)(struct cli *cli, const struct args *args, struct error *err);
    bool raw; /* handed on as it is to the program `paddock` */
};

extern const struct verb verb_run, verb_ls, verb_show, verb_logs, verb_tree, verb_diff,
    verb_checkout, verb_export, verb_board, verb_task_calibrate, verb_score, verb_cancel,
    verb_doctor, verb_gc, verb_task_list, verb_task_show, verb_task_check, verb_policy_list,
    verb_policy_show, verb_policy_check, verb_policy_explain, verb_policy_learn, verb_image_list,
    verb_image_import, verb_image_rm, verb_image_gc, verb_events, verb_daemon_status,
    verb_daemon_stop, verb_verify, verb_lane_list, verb_gpu_list, verb_gpu_show, verb_gpu_clear,
    verb_model_list, verb_model_check, verb_model_ask, verb_sweep, verb_report, verb_task_import;

/* The options every verb has. */
extern const struct arg cli_common_args[];

/* All verbs in the order of help; NULL-terminated. */
extern const struct verb *const cli_verbs[];

/* The verb that argv (without the program) begins with and how many words its
 * name takes; NULL: none. */
const struct verb *cli_find(char *const *argv, size_t *words);
/* Whether `word` begins the name of a verb of two words ("task"). */
bool cli_is_group(const char *word);
void cli_help_all(struct buf *out);
void cli_help_group(const char *group, struct buf *out);
void cli_help_verb(const struct verb *v, struct buf *out);

/* Runs one command line (without the program); the exit status. */
int cli_main(char *const *argv);

/* The connection, made when first asked for. NULL on error. */
struct http *cli_http(struct cli *cli, struct error *err);
/* Writes to stdout. 0, or -1 and the error. */
int cli_write(const char *text, size_t len, struct error *err);
int cli_print(const struct buf *out, struct error *err);
/* Prints a parsed value, or what a writer holds, as the one document. */
int cli_print_json(const struct json *v, struct error *err);
int cli_print_writer(struct json_writer *w, struct error *err);

/* A writer that was begun with an object; NULL with the error set. */
struct json_writer *cli_object(struct error *err);

#endif
