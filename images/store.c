#include "images/store.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/log.h"
#include "images/store_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define RECORD_MAX 65536

void image_clear(struct image *image) {
    free(image->name);
    free(image->location);
    free(image->imported_at);
    free(image->source);
    *image = (struct image){0};
}

void image_list_free(struct image *images, size_t count) {
    for (size_t i = 0; i < count; i++) image_clear(&images[i]);
    free(images);
}

static void encode_record(const struct image *image, struct json_writer *w) {
    json_put_string(w, "digest", image->digest);
    json_put_int(w, "bytes", (int64_t)image->bytes);
    json_put_int(w, "files", (int64_t)image->files);
    json_put_string(w, "imported_at", image->imported_at);
    json_put_string(w, "source", image->source);
}

void image_encode(const struct image *image, struct json_writer *w, const char *key) {
    json_open_object(w, key);
    json_put_string(w, "name", image->name);
    json_put_string(w, "location", image->location);
    encode_record(image, w);
    json_close_object(w);
}

int store_lock(const char *store, int operation, struct error *err) {
    _cleanup_free_ char *path = path_join(store, "lock");
    if (!path) return error_sys(err, ENOMEM, "%s", store);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return error_sys(err, errno, "%s", path);
    int r;
    do r = flock(fd, operation);
    while (r < 0 && errno == EINTR);
    if (r < 0 && errno == EWOULDBLOCK)
        return error_set(err, ERROR_BUSY, "an image is being imported; try again later");
    if (r < 0) return error_sys(err, errno, "lock %s", path);
    return steal_fd(&fd);
}

int store_open(const char *store, const char *folder, struct error *err) {
    _cleanup_free_ char *path = path_join(store, folder);
    if (!path) return error_sys(err, ENOMEM, "%s", store);
    return dir_open(path, err);
}

static char *record_path(const char *store, const char *name) {
    return str_printf("%s/names/%s.json", store, name);
}

int store_write_record(const char *store, const struct image *image, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    json_open_object(w, NULL);
    encode_record(image, w);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    _cleanup_free_ char *path = record_path(store, image->name);
    if (!text || !path) return error_sys(err, ENOMEM, "image %s", image->name);
    return file_write_atomic(path, text, len, 0644, err);
}

static bool is_digest(const char *s) {
    return strlen(s) == DIGEST_HEX - 1 && strspn(s, "0123456789abcdef") == DIGEST_HEX - 1;
}

static int decode_record(const struct json *doc, struct image *out, struct error *err) {
    struct json_reader r;
    _cleanup_free_ char *digest = NULL;
    int64_t bytes = 0, files = 0;
    json_object(&r, doc, err);
    json_get_string(&r, "digest", JSON_REQUIRED, &digest);
    json_get_int(&r, "bytes", JSON_REQUIRED, 0, INT64_MAX, &bytes);
    json_get_int(&r, "files", JSON_REQUIRED, 0, INT64_MAX, &files);
    json_get_string(&r, "imported_at", JSON_REQUIRED, &out->imported_at);
    json_get_string(&r, "source", JSON_REQUIRED, &out->source);
    if (json_object_end(&r) < 0) return -1;
    if (!is_digest(digest)) return json_error(doc, err, "has no digest of 64 hex digits");
    memcpy(out->digest, digest, DIGEST_HEX);
    out->bytes = (uint64_t)bytes;
    out->files = (uint64_t)files;
    return 0;
}

/* ERROR_NOT_FOUND when there is no such name. */
static int read_record(const char *store, const char *name, struct image *out, struct error *err) {
    _cleanup_free_ char *path = record_path(store, name);
    if (!path) return error_sys(err, ENOMEM, "image %s", name);
    _cleanup_json_ struct json *doc = json_load(path, RECORD_MAX, err);
    if (!doc || decode_record(doc, out, err) < 0) return -1;
    out->name = strdup(name);
    return out->name ? 0 : error_sys(err, ENOMEM, "image %s", name);
}

static int locate(const char *store, struct image *image, struct error *err) {
    _cleanup_free_ char *path = str_printf("%s/rootfs/%s", store, image->digest);
    if (!path) return error_sys(err, ENOMEM, "image");
    image->location = realpath(path, NULL);
    if (image->location) return 0;
    if (errno != ENOENT) return error_sys(err, errno, "%s", path);
    return error_set(err, ERROR_NOT_FOUND, "no image with the digest %s is in the store",
                     image->digest);
}

/* "x.json" → "x", or NULL. */
static char *record_name(const char *file) {
    size_t len = strlen(file);
    if (len <= 5 || !str_ends(file, ".json")) return NULL;
    char *name = strndup(file, len - 5);
    if (name && str_is_name(name)) return name;
    free(name);
    return NULL;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct image *)a)->name, ((const struct image *)b)->name);
}

static int push_record(const char *store, const char *name, bool strict, struct image **list,
                       size_t *count, struct error *err) {
    _cleanup_image_ struct image image = {0};
    _cleanup_error_ struct error why = {0};
    if (read_record(store, name, &image, &why) < 0 || locate(store, &image, &why) < 0) {
        if (why.kind == ERROR_NOT_FOUND) return 0;
        if (strict) return error_move(err, &why);
        log_warn("image %s: %s", name, error_text(&why));
        return 0;
    }
    struct image *grown = reallocarray(*list, *count + 1, sizeof *grown);
    if (!grown) return error_sys(err, ENOMEM, "images");
    *list = grown;
    grown[(*count)++] = image;
    image = (struct image){0};
    return 0;
}

int store_read_names(const char *store, bool strict, struct image **list, size_t *count,
                     struct error *err) {
    _cleanup_free_ char *path = path_join(store, "names");
    if (!path) return error_sys(err, ENOMEM, "images");
    _cleanup_closedir_ DIR *d = opendir(path);
    if (!d) return errno == ENOENT ? 0 : error_sys(err, errno, "%s", path);
    for (struct dirent *e; (e = readdir(d));) {
        _cleanup_free_ char *name = record_name(e->d_name);
        if (name && push_record(store, name, strict, list, count, err) < 0) return -1;
    }
    if (*list) qsort(*list, *count, sizeof **list, by_name);
    return 0;
}

int image_list(const char *store, struct image **out, size_t *count, struct error *err) {
    struct image *named = NULL;
    size_t named_count = 0;
    struct image *all = NULL;
    int r = store_read_names(store, false, &named, &named_count, err);
    if (r == 0 && !(all = calloc(named_count + 1, sizeof *all)))
        r = error_sys(err, ENOMEM, "images");
    if (r == 0) r = store_host_image(&all[0], err);
    if (r < 0) {
        image_list_free(all, all ? 1 : 0);
        image_list_free(named, named_count);
        return -1;
    }
    if (all && named) memcpy(all + 1, named, named_count * sizeof *all);
    free(named);
    *out = all;
    *count = named_count + 1;
    return 0;
}

/* With the name and record of the first name that stands for it, if any does. */
static int resolve_digest(const char *store, const char *digest, struct image *out,
                          struct error *err) {
    struct image *named = NULL;
    size_t count = 0;
    int r = store_read_names(store, false, &named, &count, err);
    for (size_t i = 0; r == 0 && i < count && !out->location; i++) {
        if (strcmp(named[i].digest, digest) != 0) continue;
        *out = named[i];
        named[i] = (struct image){0};
    }
    image_list_free(named, count);
    if (r < 0 || out->location) return r;
    memcpy(out->digest, digest, DIGEST_HEX);
    return locate(store, out, err);
}

int image_resolve(const char *store, const char *ref, struct image *out, struct error *err) {
    if (strcmp(ref, STORE_HOST) == 0) return store_host_image(out, err);
    const char *digest = str_starts(ref, "sha256:") ? ref + 7 : ref;
    if (is_digest(digest)) return resolve_digest(store, digest, out, err);
    _cleanup_error_ struct error why = {0};
    if (!str_is_name(ref))
        return error_set(err, ERROR_INVALID,
                         "\"%.80s\" is neither the name nor the digest of an "
                         "image",
                         ref);
    if (read_record(store, ref, out, &why) < 0) {
        if (why.kind != ERROR_NOT_FOUND) return error_move(err, &why);
        return error_set(err, ERROR_NOT_FOUND, "no image is called %s", ref);
    }
    return locate(store, out, err) < 0 ? error_wrap(err, "image %s", ref) : 0;
}

static int forget(const char *store, const char *name, struct error *err) {
    _cleanup_free_ char *path = record_path(store, name);
    if (!path) return error_sys(err, ENOMEM, "image %s", name);
    if (unlink(path) == 0) return 0;
    if (errno == ENOENT) return error_set(err, ERROR_NOT_FOUND, "no image is called %s", name);
    return error_sys(err, errno, "%s", path);
}

static int forget_digest(const char *store, const char *digest, struct error *err) {
    struct image *named = NULL;
    size_t count = 0, found = 0;
    int r = store_read_names(store, false, &named, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (strcmp(named[i].digest, digest) != 0) continue;
        r = forget(store, named[i].name, err);
        found++;
    }
    image_list_free(named, count);
    if (r == 0 && !found)
        return error_set(err, ERROR_NOT_FOUND, "no image with the digest %s has a name", digest);
    return r;
}

int image_remove(const char *store, const char *ref, struct error *err) {
    if (strcmp(ref, STORE_HOST) == 0)
        return error_set(err, ERROR_DENIED, "the image \"host\" is this machine: not removable");
    const char *digest = str_starts(ref, "sha256:") ? ref + 7 : ref;
    if (is_digest(digest)) return forget_digest(store, digest, err);
    if (!str_is_name(ref))
        return error_set(err, ERROR_INVALID,
                         "\"%.80s\" is neither the name nor the digest of an "
                         "image",
                         ref);
    return forget(store, ref, err);
}
