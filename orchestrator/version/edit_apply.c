/*
 * Applying edits in two steps. The plan reads what is there and works out, in
 * memory, what each touched path holds in the end; most errors come from it and
 * nothing has changed by then. The commit writes the new files into a folder of
 * its own inside the workspace, moves the old ones there and the new ones into
 * place, and takes all of it back should one move fail.
 */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/file.h"
#include "images/listing.h"
#include "orchestrator/judge/rule.h"
#include "orchestrator/version/edit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define ENTRIES_MAX 20000
/* Occurrences are counted up to here: a search text of one letter in a large
 * file must not cost more. */
#define COUNT_MAX 10

/* One touched path. */
struct target {
    const char *path;
    bool existed, present; /* before and after */
    bool is_link;          /* what is there now */
    mode_t mode;
    bool known; /* `content` is what it holds; else what the file holds */
    struct buf content;
    bool aside, placed; /* commit: the old one was moved away, the new one moved in */
};

struct plan {
    int dirfd;
    struct target *targets; /* at most one an edit */
    size_t count;
    int stage;   /* the folder for what comes and goes */
    char **made; /* folders made on the way */
    struct error *err;
};

static int fail_at(struct plan *p, const char *path, const char *why) {
    return error_set(p->err, ERROR_INVALID, "%s: %s", path, why);
}

/* The folder a path lies in, without following links; -1 and errno. */
static int open_parent(int dirfd, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
    char parent[PATH_MAX];
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = '\0';
    return open_beneath(dirfd, parent, O_PATH | O_DIRECTORY, 0);
}

static const char *base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What is at a path now. */
static int look_up(struct plan *p, struct target *t) {
    _cleanup_close_ int parent = open_parent(p->dirfd, t->path);
    struct stat st;
    if (parent < 0 && errno == ELOOP) return fail_at(p, t->path, "goes through a symbolic link");
    if (parent < 0 || fstatat(parent, base_of(t->path), &st, AT_SYMLINK_NOFOLLOW) < 0) {
        /* Below a file: an earlier edit may delete that; the commit will tell. */
        if (errno == ENOENT || errno == ENOTDIR) return 0;
        return error_sys(p->err, errno, "%s", t->path);
    }
    if (S_ISDIR(st.st_mode)) return fail_at(p, t->path, "is a folder");
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) return fail_at(p, t->path, "is not a file");
    t->existed = t->present = true;
    t->is_link = S_ISLNK(st.st_mode);
    t->mode = st.st_mode & 0111 ? 0755 : 0644;
    return 0;
}

static struct target *find_target(struct plan *p, const char *path) {
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->targets[i].path, path) == 0) return &p->targets[i];
    struct target *t = &p->targets[p->count++];
    *t = (struct target){.path = path, .mode = 0644};
    return look_up(p, t) < 0 ? NULL : t;
}

static int set_content(struct plan *p, struct target *t, struct buf *content) {
    if (buf_failed(content)) return error_sys(p->err, ENOMEM, "%s", t->path);
    buf_free(&t->content);
    t->content = *content;
    *content = (struct buf){0};
    t->known = t->present = true;
    return 0;
}

static int load_content(struct plan *p, struct target *t) {
    if (t->known) return 0;
    _cleanup_close_ int fd = open_beneath(p->dirfd, t->path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) return error_sys(p->err, errno, "%s", t->path);
    _cleanup_buf_ struct buf content = {0};
    if (file_read_fd(fd, EDITS_CONTENT_MAX, &content, p->err) < 0)
        return error_wrap(p->err, "%s", t->path);
    return set_content(p, t, &content);
}

/* Occurrences, overlapping ones too, up to COUNT_MAX; *first is the first. */
static int count_matches(const struct buf *text, const char *search, const char **first) {
    int n = 0;
    size_t len = strlen(search);
    const char *p = buf_text(text), *end = p + text->len;
    while (n < COUNT_MAX && (p = memmem(p, (size_t)(end - p), search, len))) {
        if (n++ == 0) *first = p;
        p++;
    }
    return n;
}

static int not_once(struct plan *p, const struct edit *e, int matches) {
    size_t line = strcspn(e->search, "\n");
    _cleanup_free_ char *shown = str_printable(e->search, line < 80 ? line : 80);
    return error_set(p->err, ERROR_INVALID,
                     "%s: the search text occurs %s%d times, must occur exactly once; its first "
                     "line: %s",
                     e->path, matches == COUNT_MAX ? "at least " : "", matches, shown ? shown : "");
}

static int plan_replace(struct plan *p, const struct edit *e, struct target *t) {
    if (load_content(p, t) < 0) return -1;
    const char *at = NULL;
    int matches = count_matches(&t->content, e->search, &at);
    if (matches != 1) return not_once(p, e, matches);
    const char *text = buf_text(&t->content);
    const char *rest = at + strlen(e->search);
    _cleanup_buf_ struct buf content = {0};
    buf_append(&content, text, (size_t)(at - text));
    buf_puts(&content, e->replace);
    buf_append(&content, rest, (size_t)(text + t->content.len - rest));
    return set_content(p, t, &content);
}

static int plan_edit(struct plan *p, const struct edit *e) {
    const char *why = path_objection(e->path);
    if (why) return error_set(p->err, ERROR_INVALID, "the path %s", why);
    struct target *t = find_target(p, e->path);
    if (!t) return -1;
    if (e->op != EDIT_WRITE && !t->present)
        return error_set(p->err, ERROR_NOT_FOUND, "%s: there is no such file", e->path);
    if (e->op == EDIT_DELETE) {
        t->present = t->is_link = false;
        t->mode = 0644;
        return 0;
    }
    if (t->is_link) return fail_at(p, e->path, "is a symbolic link; delete it first");
    if (e->op == EDIT_REPLACE) return plan_replace(p, e, t);
    _cleanup_buf_ struct buf content = {0};
    buf_append(&content, e->content, e->len);
    return set_content(p, t, &content);
}

static bool is_touched(const struct plan *p, const char *path) {
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->targets[i].path, path) == 0) return true;
    return false;
}

static int over(struct plan *p, const char *rule, uint64_t have, const char *what,
                uint64_t allowed) {
    error_set(p->err, ERROR_LIMIT, "the workspace would have %llu %s, %llu allowed",
              (unsigned long long)have, what, (unsigned long long)allowed);
    return error_set_rule(p->err, rule);
}

/* What the whole workspace would come to. */
static int check_totals(struct plan *p, const struct edit_rules *rules) {
    if (!rules->source_bytes && !rules->source_files) return 0;
    _cleanup_listing_ struct listing l = {0};
    if (listing_read(p->dirfd, ENTRIES_MAX, false, &l, p->err) < 0) return -1;
    uint64_t files = 0, bytes = 0;
    for (size_t i = 0; i < l.count; i++) {
        if (l.entries[i].type == LISTING_FOLDER || is_touched(p, l.entries[i].path)) continue;
        files++;
        bytes += l.entries[i].bytes;
    }
    for (size_t i = 0; i < p->count; i++) {
        files += p->targets[i].present;
        bytes += p->targets[i].present ? p->targets[i].content.len : 0;
    }
    if (rules->source_files && files > rules->source_files)
        return over(p, RULE_TOO_MANY_FILES, files, "files", rules->source_files);
    if (rules->source_bytes && bytes > rules->source_bytes)
        return over(p, RULE_SOURCE_TOO_LARGE, bytes, "bytes", rules->source_bytes);
    return 0;
}

/* ---- commit ---- */

static int stage_file(struct plan *p, size_t i) {
    const struct target *t = &p->targets[i];
    char name[32];
    snprintf(name, sizeof name, "new%zu", i);
    _cleanup_close_ int fd =
        openat(p->stage, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write_all(fd, buf_text(&t->content), t->content.len) < 0 ||
        fchmod(fd, t->mode) < 0)
        return error_sys(p->err, errno, "%s", t->path);
    return 0;
}

/* Folders above a path, made where they are missing and remembered. */
static int make_parents(struct plan *p, const char *path) {
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = part; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        _cleanup_close_ int parent = open_parent(p->dirfd, part);
        if (parent >= 0 && mkdirat(parent, base_of(part), 0755) == 0) {
            if (strv_push(&p->made, part) < 0) return error_sys(p->err, ENOMEM, "%s", path);
        } else if (parent < 0 || errno != EEXIST) {
            return error_sys(p->err, errno, "%s", path);
        }
    }
    return 0;
}

static void remove_empty_parents(struct plan *p, const char *path) {
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash; (slash = strrchr(part, '/'));) {
        *slash = '\0';
        _cleanup_close_ int parent = open_parent(p->dirfd, part);
        if (parent < 0 || unlinkat(parent, base_of(part), AT_REMOVEDIR) < 0) return;
    }
}

static int move_aside(struct plan *p, size_t i) {
    struct target *t = &p->targets[i];
    char name[32];
    snprintf(name, sizeof name, "old%zu", i);
    _cleanup_close_ int parent = open_parent(p->dirfd, t->path);
    if (parent < 0 || renameat(parent, base_of(t->path), p->stage, name) < 0)
        return error_sys(p->err, errno, "%s", t->path);
    t->aside = true;
    if (!t->present) remove_empty_parents(p, t->path);
    return 0;
}

static int move_in(struct plan *p, size_t i) {
    struct target *t = &p->targets[i];
    char name[32];
    snprintf(name, sizeof name, "new%zu", i);
    if (make_parents(p, t->path) < 0) return -1;
    _cleanup_close_ int parent = open_parent(p->dirfd, t->path);
    if (parent < 0 || renameat2(p->stage, name, parent, base_of(t->path), RENAME_NOREPLACE) < 0)
        return error_sys(p->err, errno, "%s", t->path);
    t->placed = true;
    return 0;
}

static int move_all(struct plan *p) {
    for (size_t i = 0; i < p->count; i++)
        if (p->targets[i].existed && move_aside(p, i) < 0) return -1;
    for (size_t i = 0; i < p->count; i++)
        if (p->targets[i].present && move_in(p, i) < 0) return -1;
    return 0;
}

/* Takes the moves back, the last first. Nothing was lost: every old file still
 * is in the stage. */
static int take_back(struct plan *p) {
    struct error *first = p->err;
    _cleanup_error_ struct error second = {0};
    p->err = &second;
    int r = 0;
    for (size_t i = p->count; i-- > 0;) {
        struct target *t = &p->targets[i];
        _cleanup_close_ int parent = t->placed ? open_parent(p->dirfd, t->path) : -1;
        if (t->placed && unlinkat(parent, base_of(t->path), 0) < 0) r = -1;
    }
    for (size_t i = strv_len(p->made); p->made && i-- > 0;) {
        _cleanup_close_ int parent = open_parent(p->dirfd, p->made[i]);
        if (parent >= 0) (void)unlinkat(parent, base_of(p->made[i]), AT_REMOVEDIR);
    }
    for (size_t i = p->count; i-- > 0;) {
        struct target *t = &p->targets[i];
        char name[32];
        snprintf(name, sizeof name, "old%zu", i);
        if (!t->aside) continue;
        _cleanup_close_ int parent =
            make_parents(p, t->path) < 0 ? -1 : open_parent(p->dirfd, t->path);
        if (parent < 0 || renameat(p->stage, name, parent, base_of(t->path)) < 0) r = -1;
    }
    p->err = first;
    return r;
}

static int commit(struct plan *p) {
    uint8_t raw[8];
    char name[32] = ".edit-";
    random_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, name + strlen(name));
    if (mkdirat(p->dirfd, name, 0700) < 0) return error_sys(p->err, errno, "workspace");
    p->stage = openat(p->dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = p->stage < 0 ? error_sys(p->err, errno, "workspace") : 0;
    for (size_t i = 0; r == 0 && i < p->count; i++)
        if (p->targets[i].present) r = stage_file(p, i);
    if (r == 0) {
        r = move_all(p);
        /* What could not be put back stays in the stage rather than be lost. */
        if (r < 0 && take_back(p) < 0)
            return error_wrap(p->err, "workspace left half changed, old files in %s", name);
    }
    tree_remove_at(p->dirfd, name, NULL);
    return r;
}

static int plan_all(struct plan *p, const struct edit *edits, size_t count,
                    const struct edit_rules *rules) {
    for (size_t i = 0; i < count; i++) {
        if (rules->may_edit && !rules->may_edit(rules->context, edits[i].path)) {
            error_set(p->err, ERROR_DENIED,
                      "edits[%zu]: %s: the task does not let this file be changed", i,
                      edits[i].path);
            return error_set_rule(p->err, RULE_NOT_EDITABLE);
        }
        if (plan_edit(p, &edits[i]) < 0) return error_wrap(p->err, "edits[%zu]", i);
    }
    return check_totals(p, rules);
}

int edits_apply(int dirfd, const struct edit *edits, size_t count, const struct edit_rules *rules,
                struct error *err) {
    if (count == 0) return 0;
    struct plan p = {.dirfd = dirfd, .stage = -1, .err = err};
    p.targets = calloc(count, sizeof *p.targets);
    if (!p.targets) return error_sys(err, ENOMEM, "edits");
    int r = plan_all(&p, edits, count, rules);
    if (r == 0) r = commit(&p);
    if (p.stage >= 0) close(p.stage);
    for (size_t i = 0; i < p.count; i++) buf_free(&p.targets[i].content);
    free(p.targets);
    strv_free(p.made);
    return r;
}
