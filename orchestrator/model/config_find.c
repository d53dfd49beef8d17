/* Where configs lie: models/ of the config folders (declared in config.h). */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/model/config.h"
#include "orchestrator/paths/paths.h"

#include <string.h>

#define SUFFIX ".json"

char *model_config_label(const char *path) {
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t len = strlen(base);
    if (str_ends(base, SUFFIX)) len -= strlen(SUFFIX);
    return strndup(base, len);
}

static char *file_in(const char *folder, const char *name) {
    return str_printf("%s/models/%s" SUFFIX, folder, name);
}

char *model_config_path(const char *name, struct error *err) {
    char *path = NULL;
    if (strchr(name, '/')) {
        if (!(path = strdup(name))) error_sys(err, ENOMEM, "model");
        return path;
    }
    if (!str_is_name(name)) {
        _cleanup_free_ char *clean = str_printable(name, strlen(name));
        error_set(err, ERROR_INVALID, "“%s” is neither a model's name nor a path with a slash",
                  clean ? clean : "?");
        return NULL;
    }
    _cleanup_strv_ char **folders = paths_config(err);
    _cleanup_buf_ struct buf tried = {0};
    for (size_t i = 0; folders && folders[i]; i++) {
        if (!(path = file_in(folders[i], name))) break;
        if (access(path, F_OK) == 0) return path;
        buf_printf(&tried, "%s%s", i ? ", " : "", path);
        free(path);
    }
    if (folders)
        error_set(err, ERROR_NOT_FOUND, "there is no model %s: looked for %s", name,
                  buf_text(&tried));
    return NULL;
}

int model_config_find(const char *name, struct model_config *out, struct error *err) {
    *out = (struct model_config){0};
    _cleanup_free_ char *path = model_config_path(name, err);
    return path ? model_config_load(path, out, err) : -1;
}

static bool is_listed(char *const *list, const char *file) {
    for (; list && *list; list++)
        if (str_ends(*list, file) && (*list)[strlen(*list) - strlen(file) - 1] == '/') return true;
    return false;
}

static int list_folder(const char *folder, char ***list, struct error *err) {
    _cleanup_free_ char *path = path_join(folder, "models");
    _cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
    if (!path) return error_sys(err, ENOMEM, "models");
    if (!dir) return errno == ENOENT ? 0 : error_sys(err, errno, "%s", path);
    for (struct dirent *e; (e = readdir(dir));) {
        _cleanup_free_ char *label = model_config_label(e->d_name);
        if (!label || !str_ends(e->d_name, SUFFIX) || !str_is_name(label)) continue;
        if (is_listed(*list, e->d_name)) continue; /* the first folder wins */
        _cleanup_free_ char *file = file_in(folder, label);
        if (!file || strv_push(list, file) < 0) return error_sys(err, ENOMEM, "models");
    }
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(strrchr(*(char *const *)a, '/'), strrchr(*(char *const *)b, '/'));
}

char **model_config_list(struct error *err) {
    _cleanup_strv_ char **folders = paths_config(err);
    _cleanup_strv_ char **list = calloc(1, sizeof *list);
    if (!list) error_sys(err, ENOMEM, "models");
    if (!list || !folders) return NULL;
    for (size_t i = 0; folders[i]; i++)
        if (list_folder(folders[i], &list, err) < 0) return NULL;
    qsort(list, strv_len(list), sizeof *list, by_name);
    return steal_ptr(&list);
}
