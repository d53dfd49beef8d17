#include "orchestrator/version/diff.h"

#include "common/cleanup.h"
#include "images/listing.h"
#include "orchestrator/version/workspace.h"

#include <git2.h>
#include <string.h>

#define MODE_FILE 0100644
#define MODE_TYPE 0170000

/* One side of one file; `opaque`: too large to look into. */
struct side {
    bool present, opaque;
    const char *data;
    size_t len;
    unsigned mode;
};

struct output {
    struct buf *buf;
    size_t start; /* what the buffer held before */
};

static bool is_full(const struct output *out) {
    return buf_failed(out->buf) || out->buf->len - out->start > DIFF_MAX;
}

/* A name as git writes it: in quotes when it has a quote or a backslash (our
 * names have no control characters). */
static void put_name(struct buf *out, const char *prefix, const char *path) {
    bool quoted = strpbrk(path, "\"\\") != NULL;
    if (quoted) buf_putc(out, '"');
    buf_puts(out, prefix);
    for (const char *p = path; *p; p++) {
        if (*p == '"' || *p == '\\') buf_putc(out, '\\');
        buf_putc(out, *p);
    }
    if (quoted) buf_putc(out, '"');
}

/* "--- a/x": a tab behind names with blanks tells patch(1) where they end. */
static void put_side_line(struct buf *out, const char *sign, const char *prefix, const char *path,
                          bool present) {
    buf_puts(out, sign);
    if (present) put_name(out, prefix, path);
    else buf_puts(out, "/dev/null");
    if (present && strchr(path, ' ')) buf_putc(out, '\t');
    buf_putc(out, '\n');
}

static void put_header(struct buf *out, const char *path, const struct side *old,
                       const struct side *new) {
    buf_puts(out, "diff --git ");
    put_name(out, "a/", path);
    buf_putc(out, ' ');
    put_name(out, "b/", path);
    buf_putc(out, '\n');
    if (!old->present) buf_printf(out, "new file mode %o\n", new->mode);
    else if (!new->present) buf_printf(out, "deleted file mode %o\n", old->mode);
    else if (old->mode != new->mode)
        buf_printf(out, "old mode %o\nnew mode %o\n", old->mode, new->mode);
}

static bool is_binary(const struct side *s) {
    return s->present && (s->opaque || s->len > DIFF_FILE_MAX || memchr(s->data, 0, s->len));
}

static void put_binary(struct buf *out, const char *path, const struct side *old,
                       const struct side *new) {
    buf_puts(out, "Binary files ");
    if (old->present) put_name(out, "a/", path);
    else buf_puts(out, "/dev/null");
    buf_puts(out, " and ");
    if (new->present) put_name(out, "b/", path);
    else buf_puts(out, "/dev/null");
    buf_puts(out, " differ\n");
}

static int put_line(const git_diff_delta *delta, const git_diff_hunk *hunk,
                    const git_diff_line *line, void *payload) {
    (void)delta;
    (void)hunk;
    struct output *out = payload;
    switch (line->origin) {
    case GIT_DIFF_LINE_CONTEXT:
    case GIT_DIFF_LINE_ADDITION:
    case GIT_DIFF_LINE_DELETION:
        buf_putc(out->buf, line->origin);
        buf_append(out->buf, line->content, line->content_len);
        break;
    case GIT_DIFF_LINE_FILE_HDR: break; /* ours knows the modes */
    default: buf_append(out->buf, line->content, line->content_len);
    }
    return is_full(out) ? -1 : 0;
}

static int put_hunks(struct output *out, const char *path, const struct side *old,
                     const struct side *new, struct error *err) {
    git_diff_options options;
    git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
    options.flags |= GIT_DIFF_FORCE_TEXT;
    git_patch *patch = NULL;
    int r = git_patch_from_buffers(&patch, old->present ? old->data : "", old->len, path,
                                   new->present ? new->data : "", new->len, path, &options);
    if (r == 0) r = git_patch_print(patch, put_line, out);
    git_patch_free(patch);
    if (is_full(out)) return 0; /* the caller says so */
    if (r < 0) {
        const git_error *why = git_error_last();
        return error_set(err, ERROR_SYSTEM, "%s: diff: %s", path, why ? why->message : "failed");
    }
    return 0;
}

static int put_file(struct output *out, const char *path, const struct side *old,
                    const struct side *new, struct error *err) {
    bool same = old->present == new->present && !old->opaque && !new->opaque &&
                old->len == new->len &&
                (old->len == 0 || memcmp(old->data, new->data, old->len) == 0);
    if (same && old->mode == new->mode) return 0;
    put_header(out->buf, path, old, new);
    if (is_binary(old) || is_binary(new)) {
        if (!same) put_binary(out->buf, path, old, new);
        return 0;
    }
    if (same || (old->len == 0 && new->len == 0)) return 0;
    put_side_line(out->buf, "--- ", "a/", path, old->present);
    put_side_line(out->buf, "+++ ", "b/", path, new->present);
    return put_hunks(out, path, old, new, err);
}

/* A file that became a link, or the reverse, is one deleted and one new. */
static int put_pair(struct output *out, const char *path, const struct side *old,
                    const struct side *new, struct error *err) {
    static const struct side absent = {0};
    bool split = old->present && new->present && (old->mode & MODE_TYPE) != (new->mode &MODE_TYPE);
    int r = put_file(out, path, old, split ? &absent : new, err);
    if (r == 0 && split) r = put_file(out, path, &absent, new, err);
    if (r == 0 && is_full(out))
        return error_set(err, ERROR_LIMIT, "%s: the diff is larger than %llu bytes", path,
                         (unsigned long long)DIFF_MAX);
    return r;
}

static struct side side_of(const struct diff_side *s) {
    return (struct side){.present = s->data != NULL,
                         .data = s->data,
                         .len = s->data ? s->len : 0,
                         .mode = s->mode ? s->mode : MODE_FILE};
}

/* libgit2 counts its users; starting it is cheap after the first. */
static int start_git(struct error *err) {
    return git_libgit2_init() < 0 ? error_set(err, ERROR_SYSTEM, "libgit2 does not start") : 0;
}

int diff_texts(const char *path, const struct diff_side *old, const struct diff_side *new,
               struct buf *out, struct error *err) {
    struct side a = side_of(old), b = side_of(new);
    struct output output = {.buf = out, .start = out->len};
    if (start_git(err) < 0) return -1;
    int r = put_pair(&output, path, &a, &b, err);
    git_libgit2_shutdown();
    return r;
}

/* One side out of a tree; `content` holds what is read. */
static int load_side(int dirfd, const struct listing_entry *e, struct buf *content,
                     struct side *out, struct error *err) {
    *out = (struct side){.present = e != NULL};
    if (!e) return 0;
    out->mode = listing_git_mode(e);
    out->opaque = e->bytes > DIFF_FILE_MAX;
    if (e->type == LISTING_LINK) buf_puts(content, e->target);
    else if (!out->opaque && workspace_read(dirfd, e->path, DIFF_FILE_MAX, content, err) < 0)
        return -1;
    out->data = buf_text(content);
    out->len = content->len;
    return 0;
}

static int diff_entry(int old_dirfd, const struct listing_entry *old, int new_dirfd,
                      const struct listing_entry *new, struct output *out, struct error *err) {
    if (old && new &&strcmp(old->sha256, new->sha256) == 0 &&
        listing_git_mode(old) == listing_git_mode(new))
        return 0;
    const struct listing_entry *any = old ? old : new;
    if (!any) return 0;
    _cleanup_buf_ struct buf a = {0}, b = {0};
    struct side sa, sb;
    if (load_side(old_dirfd, old, &a, &sa, err) < 0 || load_side(new_dirfd, new, &b, &sb, err) < 0)
        return -1;
    return put_pair(out, any->path, &sa, &sb, err);
}

static int merge(int old_dirfd, const struct listing *old, int new_dirfd, const struct listing *new,
                 struct output *out, struct error *err) {
    size_t i = 0, j = 0;
    while (i < old->count || j < new->count) {
        const struct listing_entry *a = i < old->count ? &old->entries[i] : NULL;
        const struct listing_entry *b = j < new->count ? &new->entries[j] : NULL;
        int order = !a ? 1 : !b ? -1 : strcmp(a->path, b->path);
        if (order > 0) a = NULL;
        if (order < 0) b = NULL;
        if (diff_entry(old_dirfd, a, new_dirfd, b, out, err) < 0) return -1;
        i += a != NULL;
        j += b != NULL;
    }
    return 0;
}

int diff_trees(int old_dirfd, int new_dirfd, struct buf *out, struct error *err) {
    _cleanup_listing_ struct listing old = {0}, new = {0};
    if (workspace_list(old_dirfd, &old, err) < 0 || workspace_list(new_dirfd, &new, err) < 0 ||
        start_git(err) < 0)
        return -1;
    struct output output = {.buf = out, .start = out->len};
    int r = merge(old_dirfd, &old, new_dirfd, &new, &output, err);
    git_libgit2_shutdown();
    return r;
}
