/* Finding again and removing groups that a killed launcher left. */
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/cgroup_internal.h"

#include <fcntl.h>
#include <string.h>

#define SWEEP_PATIENCE_MS 2000

static const struct cgroup_hierarchy *hierarchy_of(const struct cgroup_map *map, const char *path) {
    const struct cgroup_hierarchy *best = NULL;
    for (size_t i = 0; i < map->count; i++) {
        const struct cgroup_hierarchy *h = &map->items[i];
        size_t len = strlen(h->mount);
        if (strncmp(path, h->mount, len) == 0 && path[len] == '/' &&
            (!best || len > strlen(best->mount)))
            best = h;
    }
    return best;
}

/* Whether a folder's name is "paddock" or "paddock-<id>". */
static bool is_ours(const char *parent, const char *id) {
    const char *name = strrchr(parent, '/') + 1;
    return strcmp(name, "paddock") == 0 ||
           (str_starts(name, "paddock-") && strcmp(name + strlen("paddock-"), id) == 0);
}

/* Splits ".../paddock/<id>" (or ".../paddock-<id>/<id>") behind the folder of
 * ours; NULL if it is none. */
static char *split_path(const char *path, const char **id) {
    if (!path_is_rooted(path)) return NULL;
    char *parent = strdup(path);
    char *slash = parent ? strrchr(parent, '/') : NULL;
    if (slash) *slash = '\0';
    *id = path + (slash ? slash - parent : 0) + 1;
    if (slash && str_is_name(*id) && strchr(parent, '/') && is_ours(parent, *id)) return parent;
    free(parent);
    return NULL;
}

/* Adds the group of a recorded path, unless it is gone. */
static int add_recorded(struct cgroup *cg, const struct cgroup_map *map, const char *path,
                        struct error *err) {
    const char *id = NULL;
    _cleanup_free_ char *parent = split_path(path, &id);
    const struct cgroup_hierarchy *h = parent ? hierarchy_of(map, path) : NULL;
    if (!h || strcmp(id, cg->id) != 0 || cg->count == CGROUP_GROUPS)
        return error_set(err, ERROR_INVALID, "%s: not a group of %s", path, cg->id);
    struct cgroup_group g = {.unified = h->unified, .fd = -1, .controllers = h->controllers};
    g.lone_parent =
        !str_ends(parent, "/paddock") || strlen(parent) > strlen(h->mount) + strlen("/paddock");
    g.path = strdup(path);
    g.in_hierarchy =
        str_printf("%s%s", strcmp(h->root, "/") == 0 ? "" : h->root, path + strlen(h->mount));
    g.parent = openat(AT_FDCWD, parent, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (g.parent >= 0) g.fd = openat(g.parent, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (g.fd < 0 || !g.path || !g.in_hierarchy) {
        int saved = g.fd < 0 ? errno : ENOMEM;
        cgroup_group_clear(&g);
        return saved == ENOENT ? 0 : error_sys(err, saved, "%s", path);
    }
    cg->groups[cg->count++] = g;
    if (!h->unified && h->controllers & CTL_BIT(CTL_FREEZER))
        cgroup_control_on(cg, CGROUP_FREEZE, "freezer.state (v1)");
    if (!h->unified && h->controllers & CTL_BIT(CTL_PIDS))
        cgroup_control_on(cg, CGROUP_PIDS, "pids.max (v1)");
    return 0;
}

/* All groups at once: what one hierarchy froze does not die in another. */
static int sweep_on(const struct cgroup_map *map, const char *id, char *const *paths,
                    struct error *err) {
    struct cgroup *cg = cgroup_new(id);
    if (!cg) return error_sys(err, ENOMEM, "sweep %s", id);
    int result = 0;
    for (size_t i = 0; paths[i]; i++)
        if (add_recorded(cg, map, paths[i], result < 0 ? NULL : err) < 0) result = -1;
    if (cgroup_kill(cg, result < 0 ? NULL : err) < 0) result = -1;
    int patience = result < 0 ? 0 : SWEEP_PATIENCE_MS;
    return cgroup_destroy(cg, patience, result < 0 ? NULL : err) < 0 ? -1 : result;
}

int cgroup_sweep(char *const *paths, struct error *err) {
    _cleanup_cgroup_map_ struct cgroup_map map = {0};
    if (!paths || !paths[0]) return 0;
    const char *id = NULL;
    _cleanup_free_ char *parent = split_path(paths[0], &id);
    if (!parent) return error_set(err, ERROR_INVALID, "%s: not a group of Paddock", paths[0]);
    if (cgroup_map_load(&map, err) < 0) return -1;
    return sweep_on(&map, id, paths, err);
}

int cgroup_sweep_id(const char *id, struct error *err) {
    _cleanup_cgroup_map_ struct cgroup_map map = {0};
    _cleanup_strv_ char **paths = NULL;
    if (!str_is_name(id)) return error_set(err, ERROR_INVALID, "not a name for a group");
    if (cgroup_map_load(&map, err) < 0) return -1;
    for (size_t i = 0; i < map.count; i++) {
        _cleanup_cgroup_bases_ struct cgroup_bases bases = {0};
        cgroup_bases(&map.items[i], getenv("PADDOCK_CGROUP"), &bases);
        for (size_t b = 0; b < bases.count; b++) {
            _cleanup_free_ char *path =
                str_printf("%s%s/paddock/%s", map.items[i].mount, bases.items[b], id);
            _cleanup_free_ char *own =
                str_printf("%s%s/paddock-%s/%s", map.items[i].mount, bases.items[b], id, id);
            if (!path || strv_push(&paths, path) < 0 || !own ||
                (map.items[i].unified && strv_push(&paths, own) < 0))
                return error_sys(err, ENOMEM, "sweep");
        }
    }
    return paths ? sweep_on(&map, id, paths, err) : 0;
}
