#include "orchestrator/client/cli.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/autostart.h"
#include "orchestrator/client/interrupt.h"
#include "orchestrator/paths/paths.h"

#include <string.h>

const struct arg cli_common_args[] = {
    {.name = "json", .kind = ARG_FLAG, .help = "one JSON document on stdout"},
    {.name = "socket", .kind = ARG_TEXT, .value = "PATH", .help = "where paddockd listens"},
    {.name = "no-autostart", .kind = ARG_FLAG, .help = "fail when no paddockd answers"},
    {.name = NULL}};

struct http *cli_http(struct cli *cli, struct error *err) {
    if (!cli->http) cli->http = autostart_connect(cli->autostart, err);
    return cli->http;
}

int cli_write(const char *text, size_t len, struct error *err) {
    return write_all(STDOUT_FILENO, text, len) < 0 ? error_sys(err, errno, "stdout") : 0;
}

int cli_print(const struct buf *out, struct error *err) {
    if (buf_failed(out)) return error_sys(err, ENOMEM, "print");
    return cli_write(buf_text(out), out->len, err);
}

int cli_print_writer(struct json_writer *w, struct error *err) {
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    return text ? cli_write(text, len, err) : error_sys(err, ENOMEM, "print");
}

int cli_print_json(const struct json *v, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    if (!w) return error_sys(err, ENOMEM, "print");
    json_put_value(w, NULL, v);
    return cli_print_writer(w, err);
}

struct json_writer *cli_object(struct error *err) {
    struct json_writer *w = json_writer_new(true);
    if (w) json_open_object(w, NULL);
    else error_sys(err, ENOMEM, "print");
    return w;
}

/* With --json the error is a document too; the text goes to stderr either way. */
static void report(const struct cli *cli, const char *where, const struct error *e) {
    const char *text = error_text(e);
    _cleanup_buf_ struct buf line = {0};
    buf_printf(&line, "paddock%s%s: ", *where ? " " : "", where);
    /* Line by line: the tail of a daemon's log is several. */
    for (const char *from = text; *from;) {
        size_t n = strcspn(from, "\n");
        _cleanup_free_ char *clean = str_printable(from, n);
        buf_printf(&line, "%s\n", clean ? clean : "");
        from += n + (from[n] == '\n');
    }
    if (write_all(STDERR_FILENO, buf_text(&line), line.len) < 0) errno = 0;
    _cleanup_json_writer_ struct json_writer *w = cli->json ? cli_object(NULL) : NULL;
    if (!w) return;
    json_open_object(w, "error");
    json_put_string(w, "kind", error_kind_name(e->kind));
    json_put_string(w, "detail", text);
    json_close_object(w);
    json_close_object(w);
    cli_print_writer(w, NULL);
}

static bool is_usage_ok(const struct verb *v, const struct args *args, struct error *err) {
    int count = args->operands ? (int)strv_len(args->operands) : 0;
    if (count >= v->least && (v->most < 0 || count <= v->most)) return true;
    if (!*v->operands) error_set(err, ERROR_INVALID, "takes no operands");
    else
        error_set(err, ERROR_INVALID, "%s: expects %s",
                  count < v->least ? "too few operands" : "too many operands", v->operands);
    return false;
}

/* `exec` lives in the small program, so that it never pays for this one. */
static int hand_on(char *const *argv, struct error *err) {
    _cleanup_free_ char *program = paths_program("paddock", err);
    if (!program) return -1;
    execv(program, argv - 1);
    return error_sys(err, errno, "%s", program);
}

static int apply_common(struct cli *cli, const struct args *args, struct error *err) {
    cli->json = args_given(args, "json");
    cli->autostart = !args_given(args, "no-autostart");
    const char *socket = args_text(args, "socket");
    /* By the environment, so that the agents and a daemon we start agree. */
    if (socket && setenv("PADDOCK_SOCKET", socket, 1) < 0) return error_sys(err, errno, "--socket");
    const char *no_colour = getenv("NO_COLOR");
    cli->colour = !cli->json && isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
    return 0;
}

static int usage_error(const struct cli *cli, const struct verb *v, const struct error *e) {
    report(cli, v->name, e);
    _cleanup_buf_ struct buf hint = {0};
    buf_printf(&hint, "Try: paddock %s --help\n", v->name);
    if (write_all(STDERR_FILENO, buf_text(&hint), hint.len) < 0) errno = 0;
    return CLI_USAGE;
}

static int run_verb(const struct verb *v, char *const *argv, size_t words) {
    struct cli cli = {.autostart = true};
    _cleanup_error_ struct error err = {0};
    _cleanup_args_ struct args args = {0};
    if (v->raw) {
        hand_on(argv, &err);
        report(&cli, v->name, &err);
        return 125;
    }
    if (args_wants_help(argv + words)) {
        _cleanup_buf_ struct buf text = {0};
        cli_help_verb(v, &text);
        return cli_print(&text, NULL) < 0 ? CLI_FAILED : CLI_OK;
    }
    if (args_parse(v->args, cli_common_args, argv + words, &args, &err) < 0 ||
        apply_common(&cli, &args, &err) < 0 || !is_usage_ok(v, &args, &err))
        return usage_error(&cli, v, &err);
    int status = v->run(&cli, &args, &err);
    http_free(cli.http);
    if (status >= 0) return status;
    report(&cli, v->name, &err);
    return err.kind == ERROR_CANCELLED && *interrupt_flag() ? CLI_INTERRUPTED : CLI_FAILED;
}

static int print_help(char *const *argv) {
    _cleanup_buf_ struct buf text = {0};
    size_t words = 0;
    const struct verb *v = *argv ? cli_find(argv, &words) : NULL;
    if (v) cli_help_verb(v, &text);
    else if (*argv && cli_is_group(*argv)) cli_help_group(*argv, &text);
    else cli_help_all(&text);
    return cli_print(&text, NULL) < 0 ? CLI_FAILED : CLI_OK;
}

static int unknown_verb(const char *word) {
    _cleanup_free_ char *clean = str_printable(word, strlen(word));
    fprintf(stderr, "paddock: there is no verb “%s”; try: paddock help\n", clean ? clean : "?");
    return CLI_USAGE;
}

int cli_main(char *const *argv) {
    if (!*argv) {
        print_help(argv);
        return CLI_USAGE;
    }
    if (str_eq(*argv, "help")) return print_help(argv + 1);
    if (str_eq(*argv, "--help") || str_eq(*argv, "-h")) return print_help(argv + strv_len(argv));
    if (str_eq(*argv, "--version") || str_eq(*argv, "version")) {
        puts("paddock " PADDOCK_VERSION);
        return CLI_OK;
    }
    size_t words = 0;
    const struct verb *v = cli_find(argv, &words);
    if (v) return run_verb(v, argv, words);
    if (!cli_is_group(*argv)) return unknown_verb(*argv);
    print_help(argv);
    return args_wants_help(argv + 1) ? CLI_OK : CLI_USAGE;
}
