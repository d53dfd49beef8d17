/*
 * Prompts: templates in files, with nothing but
 *
 *     {{name}}                  the value of a name, taken as it is
 *     {{#name}}…{{/name}}       what stands between, if the name has a value
 *
 * A value is never looked into: what a model or a program wrote cannot bring a
 * placeholder with it. A line that holds nothing but the mark of a section
 * disappears whole.
 */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_PROMPT_H
#define PADDOCK_ORCHESTRATOR_AGENT_PROMPT_H

#include "common/buf.h"
#include "common/error.h"

/* A list of these ends with a name of NULL; a text of NULL or "" is no value. */
struct prompt_value {
    const char *name, *text;
};

/* Appends the template, filled in. `source` opens errors: an unknown name, a
 * section that is not closed. */
int prompt_render(const char *source, const char *text, const struct prompt_value *values,
                  struct buf *out, struct error *err);

enum prompt {
    PROMPT_SYSTEM,
    PROMPT_IDEATOR,
    PROMPT_IDEATOR_DEBUG,
    PROMPT_CODER,
    PROMPT_CODER_DEBUG,
    PROMPT_WHOLE, /* these three in the order of enum format */
    PROMPT_BLOCKS,
    PROMPT_DIFF,
    PROMPT_COMMAND, /* of a coder that is a command */
    PROMPT_REPAIR,
    PROMPT_ANALYST,
    PROMPT_COUNT,
};
extern const char *const prompt_names[]; /* "system", "ideator", "ideator-debug", … NULL */

struct prompts {
    char *text[PROMPT_COUNT];
    char *path[PROMPT_COUNT];
};

/* Reads "<name>.md" of each prompt from the first of the folders that has it (a
 * NULL-terminated list), and checks it. */
int prompts_load(char *const *folders, struct prompts *out, struct error *err);
/* The shipped ones' folder; fresh memory. */
char *prompts_shipped(struct error *err);
void prompts_clear(struct prompts *p);
#define _cleanup_prompts_ __attribute__((cleanup(prompts_clear)))

int prompts_render(const struct prompts *p, enum prompt which, const struct prompt_value *values,
                   struct buf *out, struct error *err);

#endif
