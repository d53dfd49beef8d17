/* Which hierarchies are mounted, and where in them we are. */
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/cgroup_internal.h"

#include <fcntl.h>
#include <string.h>

#define PROC_TEXT_MAX (16U << 20)
/* The leaf a launcher moves itself to; see cgroup_v2.c. */
#define LAUNCHER_LEAF "/paddock.launcher"

static const char *const controller_names[CTL_COUNT] = {
    [CTL_CPU] = "cpu",         [CTL_CPUACCT] = "cpuacct", [CTL_CPUSET] = "cpuset",
    [CTL_MEMORY] = "memory",   [CTL_PIDS] = "pids",       [CTL_IO] = "io",
    [CTL_FREEZER] = "freezer", [CTL_DEVICES] = "devices",
};

static unsigned controller_bit(const char *name, size_t len) {
    if (len == 5 && memcmp(name, "blkio", 5) == 0) return CTL_BIT(CTL_IO);
    for (int i = 0; i < CTL_COUNT; i++)
        if (strlen(controller_names[i]) == len && memcmp(controller_names[i], name, len) == 0)
            return CTL_BIT(i);
    return 0;
}

unsigned cgroup_controllers_parse(const char *list) {
    unsigned bits = 0;
    while (*list) {
        size_t n = strcspn(list, ", \n");
        bits |= controller_bit(list, n);
        list += n;
        list += strspn(list, ", \n");
    }
    return bits;
}

/* mountinfo writes space, tab, newline and backslash as \ooo (proc(5)). */
static void unescape(char *s) {
    char *out = s;
    for (const char *p = s; *p; p++) {
        if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
            p[3] >= '0' && p[3] <= '7') {
            *out++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
            p += 3;
        } else {
            *out++ = *p;
        }
    }
    *out = '\0';
}

static void hierarchy_clear(struct cgroup_hierarchy *h) {
    free(h->mount);
    free(h->root);
    free(h->own);
}

void cgroup_map_clear(struct cgroup_map *map) {
    for (size_t i = 0; i < map->count; i++) hierarchy_clear(&map->items[i]);
    free(map->items);
    *map = (struct cgroup_map){0};
}

static bool map_has(const struct cgroup_map *map, bool unified, unsigned controllers) {
    for (size_t i = 0; i < map->count; i++)
        if (map->items[i].unified == unified &&
            (unified || map->items[i].controllers & controllers))
            return true;
    return false;
}

static int map_add(struct cgroup_map *map, bool unified, unsigned controllers, const char *root,
                   const char *mount) {
    void *grown = realloc(map->items, (map->count + 1) * sizeof *map->items);
    if (!grown) return -1;
    map->items = grown;
    struct cgroup_hierarchy h = {.mount = strdup(mount),
                                 .root = strdup(root),
                                 .controllers = controllers,
                                 .unified = unified};
    if (!h.mount || !h.root) {
        hierarchy_clear(&h);
        return -1;
    }
    unescape(h.mount);
    unescape(h.root);
    map->items[map->count++] = h;
    return 0;
}

/* "36 35 98:0 /root /mount opts [tags] - type source superopts" (proc(5)).
 * The first mount of a hierarchy wins; later ones are copies for containers. */
static int parse_mount(char *line, struct cgroup_map *map) {
    char *fields[5];
    char *save = NULL;
    for (size_t i = 0; i < 5; i++) {
        fields[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
        if (!fields[i]) return 0;
    }
    char *dash = strstr(save, " - ");
    if (!dash) return 0;
    const char *type = strtok_r(dash + 3, " ", &save);
    const char *source = strtok_r(NULL, " ", &save);
    const char *options = strtok_r(NULL, " \n", &save);
    if (!type || !source || !options) return 0;
    bool unified = strcmp(type, "cgroup2") == 0;
    if (!unified && strcmp(type, "cgroup") != 0) return 0;
    unsigned controllers = unified ? 0 : cgroup_controllers_parse(options);
    if (!unified && controllers == 0) return 0;
    if (map_has(map, unified, controllers)) return 0;
    return map_add(map, unified, controllers, fields[3], fields[4]);
}

/* "4:memory:/some/group", or "0::/some/group" for the unified hierarchy. */
static int parse_membership(char *line, struct cgroup_map *map) {
    char *list = strchr(line, ':');
    char *path = list ? strchr(list + 1, ':') : NULL;
    if (!path) return 0;
    *list++ = '\0';
    *path++ = '\0';
    bool unified = strcmp(line, "0") == 0 && *list == '\0';
    unsigned controllers = cgroup_controllers_parse(list);
    for (size_t i = 0; i < map->count; i++) {
        struct cgroup_hierarchy *h = &map->items[i];
        if (h->own || (unified ? !h->unified : h->unified || !(h->controllers & controllers)))
            continue;
        h->own = strdup(path);
        return h->own ? 0 : -1;
    }
    return 0;
}

static int each_line(const char *text, int (*use)(char *, struct cgroup_map *),
                     struct cgroup_map *map) {
    _cleanup_free_ char *copy = strdup(text);
    if (!copy) return -1;
    for (char *line = copy; *line;) {
        char *end = line + strcspn(line, "\n");
        bool last = *end == '\0';
        *end = '\0';
        if (use(line, map) < 0) return -1;
        if (last) break;
        line = end + 1;
    }
    return 0;
}

int cgroup_map_parse(const char *mountinfo, const char *membership, struct cgroup_map *out,
                     struct error *err) {
    *out = (struct cgroup_map){0};
    if (each_line(mountinfo, parse_mount, out) < 0 ||
        each_line(membership, parse_membership, out) < 0) {
        cgroup_map_clear(out);
        return error_set(err, ERROR_SYSTEM, "cgroups: out of memory");
    }
    return 0;
}

int cgroup_map_load(struct cgroup_map *out, struct error *err) {
    _cleanup_buf_ struct buf mounts = {0};
    _cleanup_buf_ struct buf membership = {0};
    *out = (struct cgroup_map){0};
    if (file_read("/proc/self/mountinfo", PROC_TEXT_MAX, &mounts, err) < 0 ||
        file_read("/proc/self/cgroup", PROC_TEXT_MAX, &membership, err) < 0)
        return error_wrap(err, "cgroups");
    return cgroup_map_parse(buf_text(&mounts), buf_text(&membership), out, err);
}

const struct cgroup_hierarchy *cgroup_map_unified(const struct cgroup_map *map) {
    for (size_t i = 0; i < map->count; i++)
        if (map->items[i].unified) return &map->items[i];
    return NULL;
}

char *cgroup_hierarchy_own(const struct cgroup_hierarchy *h) {
    /* "/.." appears when we are outside the cgroup namespace of the mount. */
    if (!h->own || str_starts(h->own, "/..")) return NULL;
    size_t cut = strcmp(h->root, "/") == 0 ? 0 : strlen(h->root);
    if (strncmp(h->own, h->root, cut) != 0) return NULL;
    if (h->own[cut] != '\0' && h->own[cut] != '/') return NULL;
    char *own = strdup(h->own + cut);
    if (own && strcmp(own, "/") == 0) own[0] = '\0';
    if (own && h->unified && str_ends(own, LAUNCHER_LEAF))
        own[strlen(own) - strlen(LAUNCHER_LEAF)] = '\0';
    return own;
}

static void bases_add(struct cgroup_bases *b, const char *path) {
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->items[i], path) == 0) return;
    if (b->count == CGROUP_BASES) return;
    char *copy = strdup(path);
    if (copy) b->items[b->count++] = copy;
}

/* What memory.limit_in_bytes says without a limit: LONG_MAX in whole pages. */
#define V1_NO_LIMIT INT64_C(0x7ffffffffff00000)

/* Whether nothing between our own memory group and the top has a limit. */
static bool memory_is_unlimited(const struct cgroup_hierarchy *h, const char *own) {
    _cleanup_free_ char *path = path_join(h->mount, own + 1);
    while (path && strlen(path) > strlen(h->mount)) {
        _cleanup_free_ char *file = path_join(path, "memory.limit_in_bytes");
        if (!file || cgroup_read_int(AT_FDCWD, file) < V1_NO_LIMIT) return false;
        *strrchr(path, '/') = '\0';
    }
    return path != NULL;
}

void cgroup_bases(const struct cgroup_hierarchy *h, const char *delegated,
                  struct cgroup_bases *out) {
    *out = (struct cgroup_bases){0};
    if (delegated && path_is_rooted(delegated)) bases_add(out, delegated);
    _cleanup_free_ char *own = cgroup_hierarchy_own(h);
    /* Below our own group no limit on us is escaped. But many supervisors keep
     * one memory group a command for accounting alone, and a folder of ours in
     * there would keep them from removing it: with nothing to escape, use the
     * top. */
    if (own && own[0] && !h->unified && h->controllers == CTL_BIT(CTL_MEMORY) &&
        memory_is_unlimited(h, own))
        bases_add(out, "");
    if (own) bases_add(out, own);
    bases_add(out, "");
}

void cgroup_bases_clear(struct cgroup_bases *bases) {
    for (size_t i = 0; i < bases->count; i++) free(bases->items[i]);
    *bases = (struct cgroup_bases){0};
}
