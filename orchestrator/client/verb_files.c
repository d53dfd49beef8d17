/* paddock diff, export, checkout: the files of a version. */
#include "common/cleanup.h"
#include "common/file.h"
#include "images/archive.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/ledger.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const struct arg args_diff[] = {
    {.name = "against", .kind = ARG_TEXT, .value = "VERSION", .help = "instead of its parent"},
    {.name = NULL}};
static const struct arg args_export[] = {
    {.name = "output",
     .letter = 'o',
     .kind = ARG_TEXT,
     .value = "FILE",
     .help = "where to (default: VERSION.tar.zst, "
             "EXPERIMENT.jsonl; -: stdout)"},
    {.name = "cassette", .kind = ARG_FLAG, .help = "of an experiment: its calls of models"},
    {.name = NULL}};
static const struct arg args_checkout[] = {{.name = NULL}};

/* A diff is mostly code that nobody has looked at: line by line, tabs kept. */
static void put_diff_line(const char *line, size_t len, bool colour, struct buf *out) {
    const char *paint = !colour          ? NULL
                        : line[0] == '+' ? "\033[32m"
                        : line[0] == '-' ? "\033[31m"
                        : line[0] == '@' ? "\033[36m"
                                         : NULL;
    if (paint && len > 0) buf_puts(out, paint);
    progress_lines(line, len, out);
    buf_puts(out, paint && len > 0 ? "\033[0m\n" : "\n");
}

static int print_diff(const struct cli *cli, const struct buf *diff, struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    const char *text = buf_text(diff);
    for (size_t at = 0; at < diff->len;) {
        const char *end = memchr(text + at, '\n', diff->len - at);
        size_t n = end ? (size_t)(end - text) - at : diff->len - at;
        put_diff_line(text + at, n, cli->colour, &out);
        at += n + 1;
    }
    return cli_print(&out, err);
}

static int run_diff(struct cli *cli, const struct args *args, struct error *err) {
    const char *id = args->operands[0], *against = args_text(args, "against");
    _cleanup_buf_ struct buf diff = {0};
    if (reply_check_id(id, "v", err) < 0 || (against && reply_check_id(against, "v", err) < 0))
        return -1;
    struct http *http = cli_http(cli, err);
    _cleanup_free_ char *path = str_printf("/v1/versions/%s/diff%s%s", id,
                                           against ? "?against=" : "", against ? against : "");
    if (!http || !path || http_bytes(http, path, &diff, NULL, err) < 0) return -1;
    /* Into a file or pipe go the very bytes, for patch and git apply. */
    if (!cli->json && !isatty(STDOUT_FILENO)) return cli_print(&diff, err);
    if (!cli->json) return print_diff(cli, &diff, err);
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, "version", id);
    json_put_string(w, "against", against);
    json_put_bytes(w, "diff", buf_text(&diff), diff.len);
    json_close_object(w);
    return cli_print_writer(w, err);
}

static int download_snapshot(struct cli *cli, const char *id, int fd, struct error *err) {
    struct http *http = cli_http(cli, err);
    _cleanup_free_ char *path = str_printf("/v1/versions/%s/snapshot", id);
    return http && path ? http_download(http, path, fd, err) : -1;
}

static int print_saved(const struct cli *cli, const char *id, const char *where, int64_t bytes,
                       struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    if (!cli->json) {
        buf_printf(&out, "%s: %s, %lld bytes\n", id, where, (long long)bytes);
        return cli_print(&out, err);
    }
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, *id == 'e' ? "experiment" : "version", id);
    json_put_string(w, "path", where);
    json_put_int(w, "bytes", bytes);
    json_close_object(w);
    return cli_print_writer(w, err);
}

/* A version's tarball, an experiment's cassette. */
static int write_export(struct cli *cli, const char *id, int fd, struct error *err) {
    int64_t calls;
    return *id == 'e' ? ledger_export(cli, id, fd, &calls, err)
                      : download_snapshot(cli, id, fd, err);
}

/* Under another name first: a broken download is no export. What models said is for
 * its owner alone. */
static int export_to_file(struct cli *cli, const char *id, const char *path, struct error *err) {
    _cleanup_free_ char *part = str_printf("%s.part-%d", path, (int)getpid());
    if (!part) return error_sys(err, ENOMEM, "export");
    _cleanup_close_ int fd =
        open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, *id == 'e' ? 0600 : 0644);
    if (fd < 0) return error_sys(err, errno, "%s", part);
    struct stat st = {0};
    int got = write_export(cli, id, fd, err);
    if (got == 0 && (fstat(fd, &st) < 0 || fsync(fd) < 0 || rename(part, path) < 0))
        got = error_sys(err, errno, "%s", path);
    if (got < 0) {
        unlink(part);
        return -1;
    }
    return print_saved(cli, id, path, st.st_size, err);
}

static int run_export(struct cli *cli, const struct args *args, struct error *err) {
    const char *id = args->operands[0], *output = args_text(args, "output");
    bool cassette = args_given(args, "cassette");
    if (reply_check_id(id, cassette ? "e" : "v", err) < 0) return -1;
    if (str_eq(output, "-")) {
        if (!cassette && isatty(STDOUT_FILENO))
            return error_set(err, ERROR_INVALID, "a tarball is nothing for a terminal");
        return write_export(cli, id, STDOUT_FILENO, err);
    }
    _cleanup_free_ char *otherwise = str_printf("%s.%s", id, cassette ? "jsonl" : "tar.zst");
    return export_to_file(cli, id, output ? output : otherwise, err);
}

/* An empty folder is taken as it is, a missing one is made. */
static int open_empty(const char *dir, struct error *err) {
    if (dir_make(dir, 0755, err) < 0) return -1;
    _cleanup_close_ int fd = dir_open(dir, err);
    if (fd < 0) return -1;
    int dupfd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = dupfd < 0 ? NULL : fdopendir(dupfd);
    if (!d) return error_sys(err, errno, "%s", dir);
    for (struct dirent *e; (e = readdir(d));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            return error_set(err, ERROR_EXISTS, "%s is not empty", dir);
    return steal_fd(&fd);
}

static int run_checkout(struct cli *cli, const struct args *args, struct error *err) {
    const char *id = args->operands[0], *dir = args->operands[1];
    if (reply_check_id(id, "v", err) < 0) return -1;
    const char *tmp = getenv("TMPDIR");
    _cleanup_close_ int archive =
        open(tmp && *tmp ? tmp : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (archive < 0) return error_sys(err, errno, "temporary file");
    if (download_snapshot(cli, id, archive, err) < 0) return -1;
    if (lseek(archive, 0, SEEK_SET) < 0) return error_sys(err, errno, "temporary file");
    _cleanup_close_ int fd = open_empty(dir, err);
    if (fd < 0) return -1;
    const struct archive_limits limits = ARCHIVE_LIMITS_SNAPSHOT;
    struct archive_stats stats = {0};
    if (archive_unpack(archive, fd, &limits, &stats, err) < 0) return error_wrap(err, "%s", dir);
    return print_saved(cli, id, dir, (int64_t)stats.bytes, err);
}

const struct verb verb_diff = {
    .name = "diff",
    .summary = "show what a version changed",
    .operands = "VERSION",
    .least = 1,
    .most = 1,
    .args = args_diff,
    .help = "A unified diff against its parent. Not on a terminal it is the exact bytes, as\n"
            "`git apply` and `patch -p1` take them.",
    .example = "paddock diff v3\npaddock diff v3 --against v1 | less",
    .run = run_diff,
};

const struct verb verb_export = {
    .name = "export",
    .summary = "save the tarball of a version, or the calls of an experiment",
    .operands = "ID",
    .least = 1,
    .most = 1,
    .args = args_export,
    .help = "A deterministic tar.zst: the same version gives the same bytes. A cassette has one\n"
            "line of JSON a call; \"model\": \"replay:FILE\" plays it again, offline.",
    .example = "paddock export v3 -o v3.tar.zst && tar --zstd -tf v3.tar.zst\n"
               "paddock export e1 --cassette -o e1.jsonl",
    .run = run_export,
};

const struct verb verb_checkout = {
    .name = "checkout",
    .summary = "unpack a version into a new or empty folder",
    .operands = "VERSION DIR",
    .least = 2,
    .most = 2,
    .args = args_checkout,
    .help = "Nothing in the version can reach outside DIR.",
    .example = "paddock checkout v3 /tmp/v3",
    .run = run_checkout,
};
