#include "images/listing.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* One walk: what is listed so far and the path of the folder being read. */
struct walk {
    struct listing *list;
    uint64_t entries_max;
    bool digests;
    struct buf path;
    struct error *err;
};

void listing_free(struct listing *l) {
    for (size_t i = 0; i < l->count; i++) {
        free(l->entries[i].path);
        free(l->entries[i].target);
    }
    free(l->entries);
    *l = (struct listing){0};
}

/* ".." only in front: after a name it would start from wherever that name, if
 * it is a link, leads. In front, it starts from the real folder of the link. */
bool link_stays_inside(const char *path, const char *target) {
    if (target[0] == '\0' || target[0] == '/') return false;
    size_t depth = 0;
    for (const char *p = path; *p; p++) depth += *p == '/';
    bool named = false;
    for (const char *p = target; p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && memcmp(p, "..", 2) == 0) {
            if (named || depth == 0) return false;
            depth--;
        } else if (n > 0 && !(n == 1 && *p == '.')) {
            named = true;
        }
        p = p[n] ? p + n + 1 : NULL;
    }
    return true;
}

static const char *text_objection(const char *path, size_t len) {
    const unsigned char *p = (const unsigned char *)path;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_sequence(p + i, len - i);
        if (n == 0) return "is not UTF-8";
        bool c1 = n == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0;
        if (c1 || (n == 1 && (p[i] < 0x20 || p[i] == 0x7f))) return "has a control character";
        i += n;
    }
    return NULL;
}

static const char *component_objection(const char *p, size_t n) {
    if (n == 0) return "has an empty component";
    if (n > NAME_MAX) return "has a component of more than 255 bytes";
    if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
        return "has a \".\" or \"..\" component";
    return NULL;
}

const char *path_objection(const char *path) {
    size_t len = strnlen(path, PATH_MAX);
    if (len == 0) return "is empty";
    if (len >= PATH_MAX) return "is longer than 4095 bytes";
    if (path[0] == '/') return "is absolute";
    size_t components = 0;
    for (const char *p = path; p; components++) {
        size_t n = strcspn(p, "/");
        const char *why = component_objection(p, n);
        if (why) return why;
        p = p[n] ? p + n + 1 : NULL;
    }
    if (components > LISTING_DEPTH_MAX) return "is nested deeper than 64";
    return text_objection(path, len);
}

const char *link_objection(const char *path, const char *target) {
    if (!link_stays_inside(path, target)) return "is a symbolic link that leaves the tree";
    if (text_objection(target, strlen(target)))
        return "is a symbolic link to a name that is not plain text";
    return NULL;
}

static int refuse(struct walk *w, const char *why) {
    _cleanup_free_ char *shown = str_printable(buf_text(&w->path), w->path.len);
    return error_set(w->err, ERROR_INVALID, "%s: %s", shown ? shown : "?", why);
}

static int system_error(struct walk *w) {
    return error_sys(w->err, errno, "%s", w->path.len ? buf_text(&w->path) : "folder");
}

static struct listing_entry *add_entry(struct walk *w, enum listing_type type) {
    struct listing *l = w->list;
    if (l->count >= w->entries_max) {
        error_set(w->err, ERROR_LIMIT, "more than %llu files and folders",
                  (unsigned long long)w->entries_max);
        return NULL;
    }
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        struct listing_entry *grown = reallocarray(l->entries, cap, sizeof *grown);
        if (!grown) {
            error_sys(w->err, ENOMEM, "listing");
            return NULL;
        }
        l->entries = grown;
        l->cap = cap;
    }
    char *path = strdup(buf_text(&w->path));
    if (!path) {
        error_sys(w->err, ENOMEM, "listing");
        return NULL;
    }
    struct listing_entry *e = &l->entries[l->count++];
    *e = (struct listing_entry){.path = path, .type = type, .mode = 0755};
    if (type != LISTING_FOLDER) l->files++;
    return e;
}

static int add_file(struct walk *w, int dirfd, const char *name, const struct stat *st) {
    struct listing_entry *e = add_entry(w, LISTING_FILE);
    if (!e) return -1;
    e->mode = st->st_mode & 0111 ? 0755 : 0644;
    e->bytes = (uint64_t)st->st_size;
    w->list->bytes += e->bytes;
    if (!w->digests) return 0;
    /* O_NONBLOCK: should the file have become a FIFO, we must not wait for it. */
    _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return system_error(w);
    if (digest_fd(fd, e->sha256, w->err) < 0) return error_wrap(w->err, "%s", e->path);
    return 0;
}

static int add_link(struct walk *w, int dirfd, const char *name) {
    struct listing_entry *e = add_entry(w, LISTING_LINK);
    if (!e) return -1;
    char target[PATH_MAX];
    ssize_t n = readlinkat(dirfd, name, target, sizeof target - 1);
    if (n < 0) return system_error(w);
    target[n] = '\0';
    const char *why = link_objection(e->path, target);
    if (why) return refuse(w, why);
    e->mode = 0777;
    e->bytes = (uint64_t)n;
    e->target = strdup(target);
    if (!e->target) return error_sys(w->err, ENOMEM, "listing");
    if (w->digests) digest_hex_of(target, (size_t)n, e->sha256);
    return 0;
}

static int walk_folder(struct walk *w, int fd);

static int add_folder(struct walk *w, int dirfd, const char *name) {
    if (!add_entry(w, LISTING_FOLDER)) return -1;
    _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return system_error(w);
    return walk_folder(w, fd);
}

static int add_any(struct walk *w, int dirfd, const char *name) {
    const char *why = path_objection(buf_text(&w->path));
    if (why) return refuse(w, why);
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return system_error(w);
    if (S_ISREG(st.st_mode)) return add_file(w, dirfd, name, &st);
    if (S_ISDIR(st.st_mode)) return add_folder(w, dirfd, name);
    if (S_ISLNK(st.st_mode)) return add_link(w, dirfd, name);
    return refuse(w, "is neither a file, a folder nor a symbolic link");
}

/* Recursion is bounded: path_objection() refuses what is nested too deep. */
static int walk_folder(struct walk *w, int fd) {
    int listing = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = listing < 0 ? NULL : fdopendir(listing);
    if (!d) return system_error(w);
    size_t base = w->path.len;
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) return errno ? system_error(w) : 0;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        buf_printf(&w->path, "%s%s", base ? "/" : "", e->d_name);
        if (buf_failed(&w->path)) return error_sys(w->err, ENOMEM, "listing");
        if (add_any(w, fd, e->d_name) < 0) return -1;
        w->path.len = base;
        w->path.data[base] = '\0';
    }
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct listing_entry *)a)->path, ((const struct listing_entry *)b)->path);
}

int listing_read(int dirfd, uint64_t entries_max, bool digests, struct listing *out,
                 struct error *err) {
    struct walk w = {.list = out, .entries_max = entries_max, .digests = digests, .err = err};
    int r = walk_folder(&w, dirfd);
    buf_free(&w.path);
    if (r == 0 && out->count) qsort(out->entries, out->count, sizeof *out->entries, by_path);
    return r;
}

const struct listing_entry *listing_find(const struct listing *l, const char *path) {
    struct listing_entry key = {.path = (char *)path};
    return l->count ? bsearch(&key, l->entries, l->count, sizeof key, by_path) : NULL;
}

unsigned listing_git_mode(const struct listing_entry *e) {
    return e->type == LISTING_LINK ? 0120000 : 0100000 | e->mode;
}

int listing_digest(const struct listing *l, char hex[DIGEST_HEX], struct error *err) {
    struct digest_ctx *ctx = digest_new();
    if (!ctx) return error_sys(err, ENOMEM, "digest");
    for (size_t i = 0; i < l->count; i++) {
        const struct listing_entry *e = &l->entries[i];
        if (e->type == LISTING_FOLDER) continue;
        char number[32];
        int n = snprintf(number, sizeof number, "%o ", listing_git_mode(e));
        digest_update(ctx, number, (size_t)n);
        digest_update(ctx, e->path, strlen(e->path) + 1);
        n = snprintf(number, sizeof number, "%llu", (unsigned long long)e->bytes);
        digest_update(ctx, number, (size_t)n + 1);
        digest_update(ctx, e->sha256, strlen(e->sha256));
        digest_update(ctx, "\n", 1);
    }
    uint8_t raw[DIGEST_BYTES];
    digest_final(ctx, raw);
    hex_encode(raw, sizeof raw, hex);
    return 0;
}

int tree_digest(int dirfd, uint64_t entries_max, char hex[DIGEST_HEX], struct error *err) {
    _cleanup_listing_ struct listing l = {0};
    if (listing_read(dirfd, entries_max, true, &l, err) < 0) return -1;
    return listing_digest(&l, hex, err);
}
