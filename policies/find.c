/* Where policies lie. */
#include "common/cleanup.h"
#include "common/file.h"
#include "policies/policy.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The folder of policies in fresh memory. */
static char *policy_dir(struct error *err) {
    const char *set = getenv("PADDOCK_POLICIES");
    if (set && *set) {
        char *copy = strdup(set);
        if (!copy) error_sys(err, ENOMEM, "folder of policies");
        return copy;
    }
    _cleanup_free_ char *bin = program_dir(err);
    if (!bin) return NULL;
    static const char *const places[] = {"../share/paddock/policies", "../policies"};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char *dir = path_join(bin, places[i]);
        if (!dir || is_dir(dir)) {
            if (!dir) error_sys(err, ENOMEM, "folder of policies");
            return dir;
        }
        free(dir);
    }
    error_set(err, ERROR_NOT_FOUND,
              "no folder of policies beside %s (set PADDOCK_POLICIES to name one)", bin);
    return NULL;
}

static char *absolute(const char *path, struct error *err) {
    char *real = realpath(path, NULL);
    if (!real) error_sys(err, errno, "%s", path);
    return real;
}

static char *find_named(const char *name, struct error *err) {
    _cleanup_free_ char *dir = policy_dir(err);
    if (!dir) return NULL;
    _cleanup_free_ char *path = str_printf("%s/%s.json", dir, name);
    if (!path) {
        error_sys(err, ENOMEM, "policy %s", name);
        return NULL;
    }
    if (access(path, F_OK) < 0) {
        error_set(err, ERROR_NOT_FOUND, "no policy \"%s\" in %s", name, dir);
        return NULL;
    }
    return absolute(path, err);
}

char *policy_find(const char *name, struct error *err) {
    if (strchr(name, '/')) return absolute(name, err);
    if (str_is_name(name)) return find_named(name, err);
    _cleanup_free_ char *shown = str_printable(name, strnlen(name, 80));
    error_set(err, ERROR_INVALID, "\"%s\" is neither the name of a policy nor a path with a slash",
              shown ? shown : "?");
    return NULL;
}

int policy_list(char ***names, struct error *err) {
    _cleanup_free_ char *dir = policy_dir(err);
    if (!dir) return -1;
    _cleanup_closedir_ DIR *d = opendir(dir);
    if (!d) return error_sys(err, errno, "%s", dir);
    _cleanup_strv_ char **list = calloc(1, sizeof *list);
    if (!list) return error_sys(err, ENOMEM, "%s", dir);
    const struct dirent *e;
    while ((e = readdir(d))) {
        if (!str_ends(e->d_name, ".json")) continue;
        char name[sizeof e->d_name];
        size_t len = strlen(e->d_name) - strlen(".json");
        memcpy(name, e->d_name, len);
        name[len] = 0;
        if (!str_is_name(name)) continue;
        if (strv_push(&list, name) < 0) return error_sys(err, ENOMEM, "%s", dir);
    }
    strv_sort(list);
    *names = steal_ptr(&list);
    return 0;
}
