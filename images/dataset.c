#include "images/dataset.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "images/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MAX 100000
#define RECORD_MAX  ((size_t)64 << 20)

void dataset_clear(struct dataset *d) {
    free(d->name);
    free(d->location);
    free(d->added_at);
    *d = (struct dataset){0};
}

static void encode_facts(const struct dataset *d, struct json_writer *w) {
    json_put_string(w, "digest", d->digest);
    json_put_int(w, "bytes", d->bytes);
    json_put_int(w, "files", d->files);
    json_put_string(w, "added_at", d->added_at);
}

void dataset_encode(const struct dataset *d, struct json_writer *w, const char *key) {
    json_open_object(w, key);
    json_put_string(w, "name", d->name);
    encode_facts(d, w);
    json_put_string(w, "location", d->location);
    json_close_object(w);
}

static int check_name(const char *name, struct error *err) {
    if (str_is_name(name)) return 0;
    return error_set(err, ERROR_INVALID,
                     "\"%.80s\" cannot name a data set: 1 to 64 of a-z, 0-9, dot, dash and "
                     "underscore, a letter or digit first",
                     name);
}

/* One file, regular and no link: O_NONBLOCK, or a FIFO would keep us waiting. */
static int put_file(int from_dir, const char *from, int to_dir, const char *to, bool link,
                    struct error *err) {
    _cleanup_close_ int in = openat(from_dir, from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (in < 0 || fstat(in, &st) < 0) return error_sys(err, errno, "%s", from);
    if (!S_ISREG(st.st_mode)) return error_set(err, ERROR_INVALID, "%s: is no plain file", from);
    if (link) {
        if (linkat(from_dir, from, to_dir, to, 0) == 0) return 0;
        return error_sys(err, errno, "%s: hard link", from);
    }
    _cleanup_close_ int out = openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (out < 0) return error_sys(err, errno, "%s", to);
    uint64_t bytes = 0;
    if (copy_all(in, out, &bytes) < 0 || fchmod(out, 0444) < 0 || fsync(out) < 0)
        return error_sys(err, errno, "%s", to);
    return 0;
}

static int put_folder(int from, int to, bool link, struct error *err) {
    _cleanup_listing_ struct listing l = {0};
    if (listing_read(from, ENTRIES_MAX, false, &l, err) < 0) return -1;
    for (size_t i = 0; i < l.count; i++) {
        const struct listing_entry *e = &l.entries[i];
        if (e->type == LISTING_LINK)
            return error_set(err, ERROR_INVALID, "%s: is a symbolic link", e->path);
        if (e->type == LISTING_FOLDER) {
            if (mkdirat(to, e->path, 0755) < 0) return error_sys(err, errno, "%s", e->path);
        } else if (put_file(from, e->path, to, e->path, link, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int put_sources(char *const *sources, int to, bool link, struct error *err) {
    struct stat st;
    if (stat(sources[0], &st) < 0) return error_sys(err, errno, "%s", sources[0]);
    if (S_ISDIR(st.st_mode)) {
        if (sources[1]) return error_set(err, ERROR_INVALID, "one folder, or files; not both");
        _cleanup_close_ int from = dir_open(sources[0], err);
        return from < 0 ? -1 : put_folder(from, to, link, err);
    }
    for (; *sources; sources++) {
        const char *slash = strrchr(*sources, '/');
        const char *name = slash ? slash + 1 : *sources;
        const char *why = path_objection(name);
        if (why) return error_set(err, ERROR_INVALID, "%s: its name %s", *sources, why);
        if (put_file(AT_FDCWD, *sources, to, name, link, err) < 0) return -1;
    }
    return 0;
}

static int write_record(int dir, const struct listing *l, const struct dataset *d,
                        struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    if (!w) return error_sys(err, ENOMEM, "data set");
    json_open_object(w, NULL);
    encode_facts(d, w);
    json_open_array(w, "listing");
    for (size_t i = 0; i < l->count; i++) {
        if (l->entries[i].type != LISTING_FILE) continue;
        json_open_object(w, NULL);
        json_put_string(w, "path", l->entries[i].path);
        json_put_int(w, "bytes", (int64_t)l->entries[i].bytes);
        json_put_string(w, "sha256", l->entries[i].sha256);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    if (!text) return error_sys(err, ENOMEM, "data set");
    return file_write_atomic_at(dir, "dataset.json", text, len, 0644, err);
}

/* Fills <fresh>: the files, then what is known of them. */
static int fill(int fresh, char *const *sources, bool link, struct error *err) {
    if (mkdirat(fresh, "files", 0755) < 0) return error_sys(err, errno, "files");
    _cleanup_close_ int files = openat(fresh, "files", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files < 0) return error_sys(err, errno, "files");
    if (put_sources(sources, files, link, err) < 0) return -1;
    _cleanup_listing_ struct listing l = {0};
    struct dataset d = {0};
    char now[32];
    if (listing_read(files, ENTRIES_MAX, true, &l, err) < 0 ||
        listing_digest(&l, d.digest, err) < 0)
        return -1;
    if (l.files == 0) return error_set(err, ERROR_INVALID, "there is no file in it");
    clock_format_utc(clock_real_ns(), now);
    d.bytes = (int64_t)l.bytes;
    d.files = (int64_t)l.files;
    d.added_at = now;
    return write_record(fresh, &l, &d, err);
}

/* A name that is replaced changes places with the fresh one: at no time is
 * there none. */
static int publish(int store, const char *fresh, const char *name, bool replace,
                   struct error *err) {
    if (rename_exclusive(store, fresh, store, name) == 0) return 0;
    if (errno != EEXIST) return error_sys(err, errno, "%s", name);
    if (!replace)
        return error_set(err, ERROR_EXISTS, "there is one of this name; --force replaces it");
    if (renameat2(store, fresh, store, name, RENAME_EXCHANGE) < 0)
        return error_sys(err, errno, "%s", name);
    return tree_remove_at(store, fresh, err);
}

static int add_fresh(int store, const char *fresh, const char *name, char *const *sources,
                     bool link, bool replace, struct error *err) {
    if (mkdirat(store, fresh, 0755) < 0) return error_sys(err, errno, "%s", fresh);
    _cleanup_close_ int dir = openat(store, fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return error_sys(err, errno, "%s", fresh);
    if (fill(dir, sources, link, err) < 0) return -1;
    if (syncfs(dir) < 0) return error_sys(err, errno, "%s", name);
    return publish(store, fresh, name, replace, err);
}

int dataset_add(const char *store, const char *name, char *const *sources, bool link, bool replace,
                struct dataset *out, struct error *err) {
    if (check_name(name, err) < 0 || dir_make(store, 0755, err) < 0) return -1;
    _cleanup_close_ int fd = dir_open(store, err);
    if (fd < 0) return -1;
    uint8_t raw[8];
    char fresh[32] = ".new-";
    random_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, fresh + strlen(fresh));
    if (add_fresh(fd, fresh, name, sources, link, replace, err) < 0) {
        tree_remove_at(fd, fresh, NULL);
        return error_wrap(err, "data set %s", name);
    }
    return dataset_find(store, name, out, err);
}

struct json *dataset_record(const char *store, const char *name, struct error *err) {
    if (check_name(name, err) < 0) return NULL;
    _cleanup_free_ char *path = str_printf("%s/%s/dataset.json", store, name);
    if (!path) error_sys(err, ENOMEM, "data set");
    else if (access(path, F_OK) < 0 && errno == ENOENT)
        error_set(err, ERROR_NOT_FOUND, "there is no data set %s: paddock data add %s FOLDER", name,
                  name);
    else return json_load(path, RECORD_MAX, err);
    return NULL;
}

static int read_record(const struct json *doc, struct dataset *out, struct error *err) {
    _cleanup_free_ char *digest = NULL;
    struct json_reader r;
    json_object(&r, doc, err);
    json_get_string(&r, "digest", JSON_REQUIRED, &digest);
    json_get_int(&r, "bytes", JSON_REQUIRED, 0, INT64_MAX, &out->bytes);
    json_get_int(&r, "files", JSON_REQUIRED, 0, INT64_MAX, &out->files);
    json_get_string(&r, "added_at", JSON_REQUIRED, &out->added_at);
    json_get_array(&r, "listing", JSON_REQUIRED);
    if (json_object_end(&r) < 0) return -1;
    if (strlen(digest) != DIGEST_HEX - 1)
        return json_error(json_find(doc, "digest"), err, "must be 64 hexadecimal digits");
    memcpy(out->digest, digest, DIGEST_HEX);
    return 0;
}

int dataset_find(const char *store, const char *name, struct dataset *out, struct error *err) {
    _cleanup_json_ struct json *doc = dataset_record(store, name, err);
    _cleanup_dataset_ struct dataset d = {0};
    if (!doc || read_record(doc, &d, err) < 0) return -1;
    _cleanup_free_ char *files = str_printf("%s/%s/files", store, name);
    d.name = strdup(name);
    d.location = files ? realpath(files, NULL) : NULL;
    if (!d.name || !d.location) return error_sys(err, errno, "data set %s", name);
    *out = d;
    d = (struct dataset){0};
    return 0;
}

int dataset_list(const char *store, char ***names, struct error *err) {
    _cleanup_closedir_ DIR *d = opendir(store);
    *names = calloc(1, sizeof **names);
    if (!*names) return error_sys(err, ENOMEM, "data sets");
    if (!d) return errno == ENOENT ? 0 : error_sys(err, errno, "%s", store);
    for (struct dirent *e; (e = readdir(d));)
        if (str_is_name(e->d_name) && strv_push(names, e->d_name) < 0)
            return error_sys(err, ENOMEM, "data sets");
    strv_sort(*names);
    return 0;
}

int dataset_remove(const char *store, const char *name, struct error *err) {
    _cleanup_dataset_ struct dataset d = {0};
    if (dataset_find(store, name, &d, err) < 0) return -1;
    _cleanup_close_ int fd = dir_open(store, err);
    return fd < 0 ? -1 : tree_remove_at(fd, name, err);
}

int dataset_verify(const char *store, const char *name, struct error *err) {
    _cleanup_dataset_ struct dataset d = {0};
    char hex[DIGEST_HEX];
    if (dataset_find(store, name, &d, err) < 0) return -1;
    _cleanup_close_ int fd = dir_open(d.location, err);
    if (fd < 0 || tree_digest(fd, ENTRIES_MAX, hex, err) < 0) return -1;
    if (strcmp(hex, d.digest) == 0) return 0;
    return error_set(err, ERROR_INVALID,
                     "data set %s has changed: its digest is %.12s…, not %.12s…", name, hex,
                     d.digest);
}
