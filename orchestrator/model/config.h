/*
 * A model's config: one JSON file, decoded strictly (docs/reference/models.md).
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_CONFIG_H
#define PADDOCK_ORCHESTRATOR_MODEL_CONFIG_H

#include "common/error.h"
#include "common/json.h"
#include "orchestrator/model/secret.h"

#include <stdbool.h>
#include <stdint.h>

struct protocol;

struct model_header {
    char *name, *value; /* value NULL: a secret */
    struct secret_source from;
};

struct model_config {
    char *label; /* NAME of NAME.json */
    const struct protocol *protocol;
    char *url, *name, *azure_api_version;
    struct secret_source key;
    struct model_header *headers;
    size_t header_count;

    double temperature, top_p; /* NAN: not sent */
    int64_t max_tokens;
    char *max_tokens_field, *system_role, *effort; /* NULL: not given */
    int64_t budget, seed;
    bool has_budget, has_seed, cache;
    char **stop;              /* NULL: none */
    const struct json *extra; /* NULL: none; lives in `document` */

    bool stream;
    bool has_prices;
    double price_input, price_cached, price_cache_write, price_output; /* USD a million */
    char *proxy, *ca_file;                                             /* NULL: the system's */
    bool insecure_http;
    int64_t connect_ms, silence_s, total_s; /* total 0: none */
    int64_t retries, first_pause_ms, longest_pause_s;
    int64_t context_tokens; /* 0: unknown */
    int64_t answer_bytes;

    struct json *document;
};

#define _cleanup_model_config_ __attribute__((cleanup(model_config_clear)))

/* Decodes a document and keeps it. On error *out is cleared. */
int model_config_decode(struct json *document, const char *label, struct model_config *out,
                        struct error *err);
int model_config_load(const char *path, struct model_config *out, struct error *err);
/* By name in the config folders, or by path (see model_open()). */
int model_config_find(const char *name, struct model_config *out, struct error *err);
void model_config_clear(struct model_config *c);
/* The file that a name stands for. NULL on error, which says where it was looked for. */
char *model_config_path(const char *name, struct error *err);
/* The paths of all configs, each name once, sorted by name: a list of strings. */
char **model_config_list(struct error *err);
/* The NAME of .../NAME.json; NULL: out of memory. */
char *model_config_label(const char *path);

/* Writes the config's members without secrets, proxy and files of this machine. */
void model_config_write(const struct model_config *c, struct json_writer *w);

#endif
