#include "tasks/import/clone.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "tasks/import/clone_head.h"

#include <fcntl.h>
#include <git2.h>
#include <git2/sys/repository.h>
#include <string.h>
#include <sys/stat.h>

struct clone {
    int objects; /* the folder of the objects */
    git_repository *repo;
    git_odb *odb;
    git_oid root; /* the commit's tree */
    char commit[CLONE_ID_HEX + 1];
};

#define MODE_TYPE    0170000
#define MODE_REGULAR 0100000

static int git_fault(struct error *err, const char *what) {
    const git_error *e = git_error_last();
    _cleanup_free_ char *why = NULL;
    if (e && e->message) why = str_printable(e->message, strlen(e->message));
    return error_set(err, ERROR_INVALID, "%s: %s", what, why ? why : "git cannot read it");
}

static void cleanup_object(git_object **o) {
    git_object_free(*o);
}

static void cleanup_tree(git_tree **t) {
    git_tree_free(*t);
}

static void cleanup_odb_object(git_odb_object **o) {
    git_odb_object_free(*o);
}

/* The folder that holds the objects: `dir` itself when bare, else its .git. */
static char *git_dir(const char *dir, struct error *err) {
    struct stat st;
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
        error_sys(err, errno ? errno : ENOTDIR, "%s", dir);
        return NULL;
    }
    _cleanup_free_ char *inner = path_join(dir, ".git");
    if (!inner) {
        error_sys(err, ENOMEM, "%s", dir);
        return NULL;
    }
    if (lstat(inner, &st) < 0) return strdup(dir);
    if (S_ISDIR(st.st_mode)) return steal_ptr(&inner);
    error_set(err, ERROR_INVALID, "%s: is no folder: name the clone itself, not a worktree of it",
              inner);
    return NULL;
}

/* Whether the files of packs are files, and none of the objects are elsewhere: what is
 * read is the clone, whole, and nothing that could keep us waiting. */
static int check_objects(const char *objects, struct error *err) {
    struct stat st;
    _cleanup_free_ char *borrowed = path_join(objects, "info/alternates");
    _cleanup_free_ char *packs = path_join(objects, "pack");
    if (!borrowed || !packs) return error_sys(err, ENOMEM, "%s", objects);
    if (lstat(borrowed, &st) == 0)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s: it borrows objects of another (git repack -a -d, then remove it)",
                         borrowed);
    _cleanup_closedir_ DIR *d = opendir(packs);
    for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..")) continue;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
            return error_set(err, ERROR_INVALID, "%s: holds something that is no file", packs);
    }
    return 0;
}

/* The objects alone: a repository that was never opened has no configuration, no hooks
 * and no owner who would have to be trusted. */
static int open_objects(struct clone *c, const char *dir, struct error *err) {
    _cleanup_free_ char *objects = path_join(dir, "objects");
    struct stat st;
    if (!objects) return error_sys(err, ENOMEM, "%s", dir);
    if (lstat(objects, &st) < 0 || !S_ISDIR(st.st_mode))
        return error_set(err, ERROR_INVALID, "%s: is no clone of git", dir);
    if (check_objects(objects, err) < 0 || (c->objects = dir_open(objects, err)) < 0) return -1;
    if (git_odb_open(&c->odb, objects) < 0 || git_repository_wrap_odb(&c->repo, c->odb) < 0)
        return git_fault(err, dir);
    return 0;
}

/* An object that lies in a file of its own must lie in a file: libgit2 would wait for
 * whoever writes into a pipe of that name. */
static bool is_waiting(const struct clone *c, const git_oid *id) {
    char path[CLONE_ID_HEX + 2] = "";
    struct stat st;
    if (git_oid_pathfmt(path, id) < 0) return true;
    return fstatat(c->objects, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode);
}

/* The size of an object that is to be of this type, before a byte of it is read. */
static int check_size(struct clone *c, const git_oid *id, git_object_t type, size_t most,
                      const char *what, struct error *err) {
    size_t size = 0;
    git_object_t found = GIT_OBJECT_INVALID;
    if (is_waiting(c, id)) return error_set(err, ERROR_INVALID, "%s: its object is no file", what);
    if (git_odb_read_header(&size, &found, c->odb, id) < 0) return git_fault(err, what);
    if (found != type)
        return error_set(err, ERROR_INVALID, "%s: is a %s", what, git_object_type2string(found));
    if (size > most)
        return error_set(err, ERROR_LIMIT, "%s: %zu bytes, at most %zu are read", what, size, most);
    return 0;
}

static int find_commit(struct clone *c, const char *dir, struct error *err) {
    _cleanup_close_ int fd = dir_open(dir, err);
    _cleanup_(cleanup_object) git_object *commit = NULL;
    git_oid id;
    if (fd < 0 || clone_head(fd, c->commit, err) < 0) return -1;
    if (git_oid_fromstr(&id, c->commit) < 0) return git_fault(err, "HEAD");
    if (check_size(c, &id, GIT_OBJECT_COMMIT, CLONE_TREE, "HEAD", err) < 0) return -1;
    if (git_object_lookup(&commit, c->repo, &id, GIT_OBJECT_COMMIT) < 0)
        return git_fault(err, "HEAD");
    git_oid_cpy(&c->root, git_commit_tree_id((git_commit *)commit));
    return 0;
}

struct clone *clone_open(const char *dir, struct error *err) {
    _cleanup_free_ char *path = git_dir(dir, err);
    if (!path) return NULL;
    _cleanup_clone_ struct clone *c = calloc(1, sizeof *c);
    if (!c) {
        error_sys(err, ENOMEM, "%s", dir);
        return NULL;
    }
    c->objects = -1;
    git_libgit2_init(); /* given back by clone_close() */
    if (open_objects(c, path, err) < 0) return NULL;
    if (find_commit(c, path, err) < 0) {
        error_wrap(err, "%s", dir);
        return NULL;
    }
    return steal_ptr(&c);
}

void clone_close(struct clone *c) {
    if (!c) return;
    if (c->objects >= 0) close(c->objects);
    git_odb_free(c->odb);
    git_repository_free(c->repo);
    free(c);
    git_libgit2_shutdown();
}

void cleanup_clone(struct clone **c) {
    clone_close(*c);
}

const char *clone_commit(const struct clone *c) {
    return c->commit;
}

static int open_tree(struct clone *c, const git_oid *id, const char *path, git_tree **out,
                     struct error *err) {
    if (check_size(c, id, GIT_OBJECT_TREE, CLONE_TREE, path, err) < 0) return -1;
    if (git_tree_lookup(out, c->repo, id) < 0) return git_fault(err, path);
    if (git_tree_entrycount(*out) > CLONE_ENTRIES)
        return error_set(err, ERROR_LIMIT, "%s: more than %d entries", path, CLONE_ENTRIES);
    return 0;
}

static enum clone_kind kind_of(unsigned mode) {
    switch (mode & MODE_TYPE) {
    case MODE_REGULAR: return CLONE_FILE;
    case 0040000: return CLONE_FOLDER;
    case 0120000: return CLONE_LINK;
    case 0160000: return CLONE_MODULE;
    default: return CLONE_NOTHING;
    }
}

/* The object at a path; `*kind` CLONE_NOTHING when there is none. */
static int walk_to(struct clone *c, const char *path, enum clone_kind *kind, git_oid *id,
                   struct error *err) {
    *kind = CLONE_FOLDER;
    git_oid_cpy(id, &c->root);
    if (!*path) return 0;
    if (!path_is_confined(path)) return error_set(err, ERROR_INVALID, "%.200s: is no path", path);
    int depth = 0;
    for (const char *at = path; *at;) {
        size_t n = strcspn(at, "/");
        _cleanup_free_ char *name = strndup(at, n);
        _cleanup_(cleanup_tree) git_tree *tree = NULL;
        if (!name) return error_sys(err, ENOMEM, "%s", path);
        if (++depth > CLONE_DEPTH) return error_set(err, ERROR_LIMIT, "%s: is too deep", path);
        if (open_tree(c, id, path, &tree, err) < 0) return -1;
        const git_tree_entry *entry = git_tree_entry_byname(tree, name);
        *kind = entry ? kind_of(git_tree_entry_filemode_raw(entry)) : CLONE_NOTHING;
        if (entry) git_oid_cpy(id, git_tree_entry_id(entry));
        at += n + (at[n] == '/');
        if (*at && *kind != CLONE_FOLDER) *kind = CLONE_NOTHING;
        if (*kind != CLONE_FOLDER) return 0;
    }
    return 0;
}

int clone_look(struct clone *c, const char *path, enum clone_kind *out, struct error *err) {
    git_oid id;
    return walk_to(c, path, out, &id, err);
}

static int no_file(enum clone_kind kind, const char *path, struct error *err) {
    static const char *const what[] = {[CLONE_NOTHING] = "is not in the commit",
                                       [CLONE_FOLDER] = "is a folder",
                                       [CLONE_LINK] = "is a symbolic link",
                                       [CLONE_MODULE] = "is a submodule"};
    return error_set(err, kind == CLONE_NOTHING ? ERROR_NOT_FOUND : ERROR_INVALID, "%s: %s", path,
                     what[kind]);
}

int clone_read(struct clone *c, const char *path, struct buf *out, struct error *err) {
    enum clone_kind kind = CLONE_NOTHING;
    git_oid id;
    _cleanup_(cleanup_odb_object) git_odb_object *object = NULL;
    if (walk_to(c, path, &kind, &id, err) < 0) return -1;
    if (kind != CLONE_FILE) return no_file(kind, path, err);
    if (check_size(c, &id, GIT_OBJECT_BLOB, CLONE_BLOB, path, err) < 0) return -1;
    if (git_odb_read(&object, c->odb, &id) < 0) return git_fault(err, path);
    buf_append(out, git_odb_object_data(object), git_odb_object_size(object));
    return buf_failed(out) ? error_sys(err, ENOMEM, "%s", path) : 0;
}

int clone_read_text(struct clone *c, const char *path, struct buf *out, struct error *err) {
    if (clone_read(c, path, out, err) < 0) return -1;
    if (!out->len || !utf8_is_text(out->data, out->len))
        return error_set(err, ERROR_INVALID, "%s: is no text", path);
    return 0;
}

/* A name that may become one of ours. */
static bool is_plain(const char *name) {
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        if (*p < 0x20 || *p == 0x7f) return false;
    return path_is_confined(name) && !strchr(name, '/') && strcasecmp(name, ".git") != 0 &&
           utf8_is_text(name, strlen(name));
}

static int list_tree(struct clone *c, const git_oid *id, const char *dir, int depth, char ***list,
                     struct error *err);

/* The entries of one kind; folders are gone into. */
static int list_kind(struct clone *c, const git_tree *tree, const char *dir, int depth,
                     enum clone_kind wanted, char ***list, struct error *err) {
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        const char *name = git_tree_entry_name(entry);
        if (kind_of(git_tree_entry_filemode_raw(entry)) != wanted || !is_plain(name)) continue;
        _cleanup_free_ char *path = *dir ? path_join(dir, name) : strdup(name);
        if (!path) return error_sys(err, ENOMEM, "%s", dir);
        if (wanted == CLONE_FOLDER) {
            if (list_tree(c, git_tree_entry_id(entry), path, depth + 1, list, err) < 0) return -1;
            continue;
        }
        if (strv_len(*list) >= CLONE_FILES)
            return error_set(err, ERROR_LIMIT, "%s: more than %d files", dir, CLONE_FILES);
        if (strv_push(list, path) < 0) return error_sys(err, ENOMEM, "%s", dir);
    }
    return 0;
}

static int list_tree(struct clone *c, const git_oid *id, const char *dir, int depth, char ***list,
                     struct error *err) {
    _cleanup_(cleanup_tree) git_tree *tree = NULL;
    if (depth > CLONE_DEPTH)
        return error_set(err, ERROR_LIMIT, "%s: deeper than %d folders", dir, CLONE_DEPTH);
    if (open_tree(c, id, dir, &tree, err) < 0) return -1;
    if (list_kind(c, tree, dir, depth, CLONE_FILE, list, err) < 0) return -1;
    return list_kind(c, tree, dir, depth, CLONE_FOLDER, list, err);
}

int clone_list(struct clone *c, const char *dir, char ***out, struct error *err) {
    enum clone_kind kind = CLONE_NOTHING;
    git_oid id;
    if (walk_to(c, dir, &kind, &id, err) < 0) return -1;
    if (kind != CLONE_FOLDER) return error_set(err, ERROR_NOT_FOUND, "%s: is no folder", dir);
    _cleanup_strv_ char **list = calloc(1, sizeof *list);
    if (!list) return error_sys(err, ENOMEM, "%s", dir);
    if (list_tree(c, &id, dir, 0, &list, err) < 0) return -1;
    *out = steal_ptr(&list);
    return 0;
}
