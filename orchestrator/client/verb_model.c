/* paddock model list, check: the models that are configured, and whether they can be used. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/table.h"
#include "orchestrator/model/config.h"
#include "orchestrator/model/protocol.h"

#include <string.h>

static const struct arg args_none[] = {{.name = NULL}};
/* One config, loaded, and what is wrong with it. */
struct entry {
    struct model_config config;
    struct error fault;
    char *path, *label;
};

static void entry_clear(struct entry *e) {
    model_config_clear(&e->config);
    error_clear(&e->fault);
    free(e->path);
    free(e->label);
}
#define _cleanup_entry_ __attribute__((cleanup(entry_clear)))

/* Keys are read as well, and forgotten at once. */
static void check_secrets(struct entry *e) {
    char *key = NULL;
    if (secret_is_given(&e->config.key) && !(key = secret_read(&e->config.key, &e->fault)))
        error_wrap(&e->fault, "%s: key", e->path);
    secret_forget(key);
    for (size_t i = 0; i < e->config.header_count && !error_is_set(&e->fault); i++) {
        const struct model_header *h = &e->config.headers[i];
        if (h->value) continue;
        char *secret = secret_read(&h->from, &e->fault);
        if (!secret) error_wrap(&e->fault, "%s: header %s", e->path, h->name);
        secret_forget(secret);
    }
}

static int entry_load(const char *path, struct entry *e, struct error *err) {
    e->path = strdup(path);
    e->label = model_config_label(path);
    if (!e->path || !e->label) return error_sys(err, ENOMEM, "models");
    if (model_config_load(path, &e->config, &e->fault) == 0) check_secrets(e);
    return 0;
}

static void put_key(const struct secret_source *key, struct json_writer *w) {
    if (!secret_is_given(key)) {
        json_put_null(w, "key");
        return;
    }
    json_open_object(w, "key");
    json_put_string(w, key->env ? "env" : "file", key->env ? key->env : key->file);
    json_close_object(w);
}

static void put_entry(const struct entry *e, struct json_writer *w, const char *key) {
    bool good = !error_is_set(&e->fault);
    json_open_object(w, key);
    json_put_string(w, "model", e->label);
    json_put_string(w, "file", e->path);
    json_put_bool(w, "good", good);
    json_put_string(w, "fault", good ? NULL : error_text(&e->fault));
    if (e->config.protocol) {
        put_key(&e->config.key, w);
        json_open_object(w, "settings");
        model_config_write(&e->config, w);
        json_close_object(w);
    }
    json_close_object(w);
}

static void key_cell(const struct secret_source *key, struct table *t) {
    if (key->env) table_cellf(t, "$%s", key->env);
    else table_cell(t, key->file ? key->file : "none");
}

static void row(const struct entry *e, struct table *t) {
    const struct model_config *c = &e->config;
    table_cell(t, e->label);
    table_cell(t, c->protocol ? c->protocol->name : "");
    table_cell(t, c->name ? c->name : "");
    table_cell(t, c->url ? c->url : "");
    key_cell(&c->key, t);
    if (c->has_prices) table_cellf(t, "%g / %g", c->price_input, c->price_output);
    else table_cell(t, "");
    table_cell(t, error_is_set(&e->fault) ? error_text(&e->fault) : "");
}

static int list_json(char *const *paths, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_open_array(w, "models");
    for (; *paths; paths++) {
        _cleanup_entry_ struct entry e = {0};
        if (entry_load(*paths, &e, err) < 0) return -1;
        put_entry(&e, w, NULL);
    }
    json_close_array(w);
    json_close_object(w);
    return cli_print_writer(w, err);
}

static int list_text(const struct cli *cli, char *const *paths, struct error *err) {
    static const char *const heads[] = {"NAME", "PROTOCOL", "MODEL", "URL",
                                        "KEY",  "PRICE",    "FAULT", NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    _cleanup_buf_ struct buf out = {0};
    for (; *paths; paths++) {
        _cleanup_entry_ struct entry e = {0};
        if (entry_load(*paths, &e, err) < 0) return -1;
        row(&e, t);
    }
    if (table_print(t, cli->colour, &out) < 0) return error_sys(err, ENOMEM, "table");
    return cli_print(&out, err);
}

static int run_list(struct cli *cli, const struct args *args, struct error *err) {
    (void)args;
    _cleanup_strv_ char **paths = model_config_list(err);
    if (!paths) return -1;
    return cli->json ? list_json(paths, err) : list_text(cli, paths, err);
}

static int run_check(struct cli *cli, const struct args *args, struct error *err) {
    _cleanup_free_ char *path = model_config_path(args->operands[0], err);
    _cleanup_entry_ struct entry e = {0};
    if (!path || entry_load(path, &e, err) < 0) return -1;
    bool good = !error_is_set(&e.fault);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    _cleanup_free_ char *fault = str_printable(error_text(&e.fault), strlen(error_text(&e.fault)));
    _cleanup_buf_ struct buf url = {0}, out = {0};
    if (!w || !fault) return error_sys(err, ENOMEM, "print");
    put_entry(&e, w, NULL);
    if (e.config.protocol) e.config.protocol->url(&e.config, &url);
    if (good) buf_printf(&out, "%s: no faults; requests go to %s\n", path, buf_text(&url));
    else buf_printf(&out, "%s\n", fault);
    if ((cli->json ? cli_print_writer(w, err) : cli_print(&out, err)) < 0) return -1;
    return good ? CLI_OK : CLI_FAILED;
}

const struct verb verb_model_list = {
    .name = "model list",
    .summary = "list the models that are configured",
    .operands = "",
    .args = args_none,
    .help = "They are models/*.json of the config folder: PADDOCK_CONFIG, else\n"
            "~/.config/paddock, then /etc/paddock.",
    .example = "paddock model list",
    .run = run_list,
};

const struct verb verb_model_check = {
    .name = "model check",
    .summary = "check a model's config and that its key can be read",
    .operands = "MODEL",
    .least = 1,
    .most = 1,
    .args = args_none,
    .help = "MODEL is a name, or the path of a file when it has a slash. Nothing is sent. The\n"
            "exit status is 1 when there is a fault, which names file, key and reason.",
    .example = "paddock model check gpt",
    .run = run_check,
};
