/* paddock image: root filesystems, without the daemon. */
#include "common/cleanup.h"
#include "common/file.h"
#include "images/store.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/table.h"
#include "orchestrator/paths/paths.h"

#include <string.h>

static const struct arg args_none[] = {{.name = NULL}};

/* <state>/images, of the same state the daemon of this user has. */
static char *store_path(struct error *err) {
    _cleanup_free_ char *state = paths_state(PATHS_PRIVATE, err);
    char *path = state ? path_join(state, "images") : NULL;
    if (state && !path) error_sys(err, ENOMEM, "images");
    return path;
}

static int run_list(struct cli *cli, const struct args *args, struct error *err) {
    static const char *const heads[] = {"IMAGE",    "DIGEST", ">FILES", ">BYTES",
                                        "IMPORTED", "SOURCE", NULL};
    (void)args;
    struct image *images = NULL;
    size_t count = 0;
    _cleanup_free_ char *store = store_path(err);
    if (!store || image_list(store, &images, &count, err) < 0) return -1;
    _cleanup_table_ struct table *t = table_new(heads);
    _cleanup_json_writer_ struct json_writer *w = cli_object(NULL);
    if (w) json_open_array(w, "images");
    for (size_t i = 0; w && i < count; i++) {
        image_encode(&images[i], w, NULL);
        table_cell(t, images[i].name);
        table_cellf(t, "%.12s", images[i].digest);
        table_cellf(t, "%llu", (unsigned long long)images[i].files);
        table_cellf(t, "%llu", (unsigned long long)images[i].bytes);
        table_cell(t, images[i].imported_at);
        table_cell(t, images[i].source);
    }
    image_list_free(images, count);
    if (!w) return error_sys(err, ENOMEM, "images");
    json_close_array(w);
    json_close_object(w);
    if (cli->json) return cli_print_writer(w, err);
    _cleanup_buf_ struct buf out = {0};
    if (table_print(t, cli->colour, &out) < 0) return error_sys(err, ENOMEM, "table");
    return cli_print(&out, err);
}

static int run_import(struct cli *cli, const struct args *args, struct error *err) {
    const char *tarball = args->operands[0], *name = args->operands[1];
    _cleanup_image_ struct image image = {0};
    _cleanup_free_ char *store = store_path(err);
    if (!store || image_import(store, tarball, name, &image, err) < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    if (!w) return error_sys(err, ENOMEM, "image");
    image_encode(&image, w, NULL);
    if (cli->json) return cli_print_writer(w, err);
    _cleanup_buf_ struct buf out = {0};
    buf_printf(&out, "%s: %llu files, %llu bytes, sha256:%s\n", name,
               (unsigned long long)image.files, (unsigned long long)image.bytes, image.digest);
    return cli_print(&out, err);
}

static int run_rm(struct cli *cli, const struct args *args, struct error *err) {
    _cleanup_free_ char *store = store_path(err);
    _cleanup_json_writer_ struct json_writer *w = store ? cli_object(err) : NULL;
    _cleanup_buf_ struct buf out = {0};
    if (!w) return -1;
    json_open_array(w, "removed");
    for (char *const *ref = args->operands; *ref; ref++) {
        if (image_remove(store, *ref, err) < 0) return -1;
        json_put_string(w, NULL, *ref);
        buf_printf(&out, "%s is forgotten; its files go with: paddock image gc\n", *ref);
    }
    json_close_array(w);
    json_close_object(w);
    return cli->json ? cli_print_writer(w, err) : cli_print(&out, err);
}

static int run_gc(struct cli *cli, const struct args *args, struct error *err) {
    (void)args;
    struct image_gc_stats stats = {0};
    _cleanup_free_ char *store = store_path(err);
    if (!store || image_gc(store, NULL, &stats, err) < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    _cleanup_buf_ struct buf out = {0};
    if (!w) return -1;
    json_put_int(w, "images", (int64_t)stats.images);
    json_put_int(w, "bytes", (int64_t)stats.bytes);
    json_close_object(w);
    buf_printf(&out, "removed: %llu images, %llu bytes\n", (unsigned long long)stats.images,
               (unsigned long long)stats.bytes);
    return cli->json ? cli_print_writer(w, err) : cli_print(&out, err);
}

const struct verb verb_image_list = {
    .name = "image list",
    .summary = "list the images a sandbox can run on",
    .operands = "",
    .args = args_none,
    .help = "“host” is this machine's own /usr, read-only.",
    .example = "paddock image list",
    .run = run_list,
};

const struct verb verb_image_import = {
    .name = "image import",
    .summary = "import the tarball of a root filesystem",
    .operands = "TARBALL NAME",
    .least = 2,
    .most = 2,
    .args = args_none,
    .help = "Plain or compressed tar. Its digest is the image's identity.",
    .example = "paddock image import debian.tar.zst debian",
    .run = run_import,
};

const struct verb verb_image_rm = {
    .name = "image rm",
    .summary = "forget an image by name or digest",
    .operands = "IMAGE…",
    .least = 1,
    .most = -1,
    .args = args_none,
    .example = "paddock image rm debian && paddock image gc",
    .run = run_rm,
};

const struct verb verb_image_gc = {
    .name = "image gc",
    .summary = "remove the files of forgotten images",
    .operands = "",
    .args = args_none,
    .example = "paddock image gc",
    .run = run_gc,
};
