/*
 * The configuration of a model's experiment: which models, which search, which
 * hints, what it may cost. A JSON object that the experiment keeps, so that an
 * agent that is started again needs nothing else (docs/reference/agent.md).
 */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_CONFIG_H
#define PADDOCK_ORCHESTRATOR_AGENT_CONFIG_H

#include "common/error.h"
#include "common/json.h"
#include "orchestrator/agent/format.h"
#include "orchestrator/agent/search.h"

#include <stdbool.h>
#include <stdint.h>

enum role { ROLE_IDEATOR, ROLE_CODER, ROLE_ANALYST, ROLE_COUNT };
extern const char *const role_names[]; /* "ideator", "coder", "analyst", NULL */

enum baseline {
    BASELINE_AUTO, /* the newest calibration's; else BASELINE_RUN for greedy and NONE for others */
    BASELINE_RUN,  /* the record is run once, before the first node */
    BASELINE_NONE, /* the record's value is not known: any valid version is better */
};

#define AGENT_HINTS 4 /* levels 0 to 3 */

struct agent_budget { /* 0: no limit */
    int64_t tokens;   /* of all calls: input and output */
    double cost;      /* USD, by the models' prices */
    double wall_s;    /* since the experiment was made */
    double run_s;     /* of all runs of its versions together */
};

/* What a coder that is a command may use; 0: the default (docs/reference/agent.md). */
struct agent_coder_limits {
    int64_t wall_s, memory_bytes, pids, disk_bytes;
};

struct agent_config {
    char *models[ROLE_COUNT]; /* by role; NULL: the role is not played */
    bool ideates, analyses;   /* "ideator": "model"; "analyst" */
    enum format format;
    char *command;       /* "coder": "command:…": in place of replies in a format; NULL: none */
    char **coder_mounts; /* folders of this machine that it may read; NULL: none */
    struct agent_coder_limits coder_limits;
    struct search_settings search; /* higher_is_better is the task's to say */
    bool hints[AGENT_HINTS];
    char **knowledge; /* globs; NULL: none */
    char *system;     /* in place of the shipped system prompt; NULL: that one */
    char *prompts;    /* a folder; NULL: none */
    char *start;      /* "v12": the version whose files the search starts from; NULL: the record */
    struct agent_budget budget;
    enum baseline baseline;
    int64_t parallel; /* versions in flight; 0: a whole batch */
    int64_t repairs;  /* how often a role may try again */
};

/* Strict: an unknown key is an error. To be cleared also after an error. */
int agent_config_decode(const struct json *v, struct agent_config *out, struct error *err);
void agent_config_clear(struct agent_config *c);
#define _cleanup_agent_config_ __attribute__((cleanup(agent_config_clear)))

/* Writes the document again, with every path in it taken from `dir`, so that it
 * means the same wherever the agent is started. */
int agent_config_absolute(const struct json *v, const char *dir, struct json_writer *w,
                          const char *key, struct error *err);

#endif
