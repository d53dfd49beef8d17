/* Where tasks are found: task_ref_parse(), task_find(), task_list(). */
#include "common/cleanup.h"
#include "common/file.h"
#include "tasks/task.h"

#include <string.h>
#include <sys/stat.h>

int task_ref_parse(const char *ref, char **name, int64_t *step, struct error *err) {
    const char *colon = strrchr(ref, ':');
    size_t len = colon ? (size_t)(colon - ref) : strlen(ref);
    int64_t number = 1;
    if (colon) {
        char *end = NULL;
        errno = 0;
        number = strtoll(colon + 1, &end, 10);
        if (colon[1] < '1' || colon[1] > '9' || *end || errno || number > 1000)
            return error_set(err, ERROR_INVALID, "task %.80s: the step must be 1 to 1000", ref);
    }
    _cleanup_free_ char *copy = strndup(ref, len);
    if (!copy) return error_sys(err, ENOMEM, "task");
    if (!strchr(copy, '/') && !str_is_name(copy))
        return error_set(err, ERROR_INVALID, "task %.80s: must be NAME or NAME:STEP", ref);
    *name = steal_ptr(&copy);
    *step = number;
    return 0;
}

static bool has_task(const char *dir) {
    _cleanup_free_ char *path = path_join(dir, "task.json");
    struct stat st;
    return path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The folder of the programs: $PADDOCK_BIN, else where this one was started. */
static char *bin_dir(void) {
    const char *set = getenv("PADDOCK_BIN");
    return set && *set ? strdup(set) : program_dir(NULL);
}

/* Adds "<base>/<rest>" unless either is missing. */
static int add_catalogue(char ***list, const char *base, const char *rest) {
    if (!base || !*base) return 0;
    _cleanup_free_ char *path = path_join(base, rest);
    return path ? strv_push(list, path) : -1;
}

char *task_own_catalogue(struct error *err) {
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = NULL;
    if (config && *config) path = path_join(config, "paddock/tasks");
    else if (home && *home) path = path_join(home, ".config/paddock/tasks");
    else {
        error_set(err, ERROR_INVALID, "neither XDG_CONFIG_HOME nor HOME is set");
        return NULL;
    }
    if (!path) error_sys(err, ENOMEM, "catalogue");
    return path;
}

static int add_configured(char ***list) {
    const char *set = getenv("PADDOCK_TASKS");
    _cleanup_free_ char *copy = strdup(set ? set : "");
    if (!copy) return -1;
    char *rest = copy;
    for (char *one = strsep(&rest, ":"); one; one = strsep(&rest, ":"))
        if (*one && strv_push(list, one) < 0) return -1;
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *own = task_own_catalogue(&err);
    if (!own) return err.kind == ERROR_INVALID ? 0 : -1; /* there need be none */
    return strv_push(list, own);
}

/* The folders that hold tasks, the first one to be asked first. */
static char **catalogues(struct error *err) {
    _cleanup_strv_ char **list = NULL;
    _cleanup_free_ char *bin = bin_dir();
    if (add_configured(&list) < 0 || add_catalogue(&list, bin, "../tasks/catalog") < 0 ||
        add_catalogue(&list, bin, "../share/paddock/tasks") < 0 || !list) {
        error_set(err, ERROR_SYSTEM, "out of memory");
        return NULL;
    }
    return steal_ptr(&list);
}

static char *absolute(const char *dir, struct error *err) {
    char *path = realpath(dir, NULL);
    if (!path) error_sys(err, errno, "task %s", dir);
    return path;
}

char *task_find(const char *name, struct error *err) {
    if (strchr(name, '/')) {
        if (has_task(name)) return absolute(name, err);
        error_set(err, ERROR_NOT_FOUND, "task %.200s: there is no task.json", name);
        return NULL;
    }
    if (!str_is_name(name)) {
        error_set(err, ERROR_INVALID, "task %.80s: not a name", name);
        return NULL;
    }
    _cleanup_strv_ char **list = catalogues(err);
    if (!list) return NULL;
    _cleanup_buf_ struct buf tried = {0};
    for (char **c = list; *c; c++) {
        _cleanup_free_ char *dir = path_join(*c, name);
        if (dir && has_task(dir)) return absolute(dir, err);
        buf_printf(&tried, "%s%s", tried.len ? ", " : "", *c);
    }
    error_set(err, ERROR_NOT_FOUND, "no task %s in %s", name, buf_text(&tried));
    return NULL;
}

static bool holds(char *const *list, const char *name) {
    for (; list && *list; list++)
        if (str_eq(*list, name)) return true;
    return false;
}

/* Adds the tasks of one catalogue; one that is not there has none. */
static int list_catalogue(const char *dir, char ***names) {
    _cleanup_closedir_ DIR *d = opendir(dir);
    for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (!str_is_name(e->d_name) || holds(*names, e->d_name)) continue;
        _cleanup_free_ char *task = path_join(dir, e->d_name);
        if (!task) return -1;
        if (has_task(task) && strv_push(names, e->d_name) < 0) return -1;
    }
    return 0;
}

int task_list(char ***names, struct error *err) {
    _cleanup_strv_ char **list = catalogues(err);
    if (!list) return -1;
    _cleanup_strv_ char **found = calloc(1, sizeof *found);
    bool failed = !found;
    for (char **c = list; !failed && *c; c++) failed = list_catalogue(*c, &found) < 0;
    if (failed) return error_set(err, ERROR_SYSTEM, "out of memory");
    strv_sort(found);
    *names = steal_ptr(&found);
    return 0;
}
