/*
 * Specifications of the Container Device Interface (declared in gpu_loan.h), of which a
 * strict subset is read, as data: where nodes and libraries lie that the run would get
 * anyway. Hooks are never run, variables never set, and no node, library or mode comes
 * from here that is not on a list of ours; what else there is, is noted.
 */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "sandbox/gpu_cdi_idle.h"
#include "sandbox/gpu_loan.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { CDI_MOST = 1 << 20, CDI_FILES = 64, CDI_DEVICES = 512 };

#define CDI_KIND "nvidia.com/gpu"

static const char *const versions[] = {"0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0",
                                       "0.8.0", "1.0.0", "1.1.0", NULL};

struct reading {
    struct gpu_loan *loan;
    const char *file;
    bool ours; /* of a device that was lent, or of all */
};

/* What a device is called inside; false: none of those that were lent. */
static bool place_of(const struct gpu_loan *loan, dev_t node, char out[64]) {
    const struct gpu_inventory *all = &loan->inventory;
    int high = (int)major(node), low = (int)minor(node);
    if (high == all->major && low == 255) return snprintf(out, 64, "/dev/nvidiactl") > 0;
    if (high == all->uvm_major && low == 0) return snprintf(out, 64, "/dev/nvidia-uvm") > 0;
    for (size_t i = 0; i < loan->count; i++) {
        const struct gpu_lent *l = &loan->lent[i];
        if (high == all->major && low == l->gpu->minor)
            return snprintf(out, 64, "/dev/nvidia%d", low) > 0;
        if (l->mig && high == all->caps_major && (low == l->mig->gi_cap || low == l->mig->ci_cap))
            return snprintf(out, 64, "/dev/nvidia-caps/nvidia-cap%d", low) > 0;
    }
    return false;
}

static void get_path(struct json_reader *r, const char *key, enum json_need need, char **out) {
    json_get_string(r, key, need, out);
    if (*out && !path_is_rooted(*out))
        json_reader_fail(r, json_find(r->object, key),
                         "must be an absolute path without \".\", \"..\" or empty parts");
}

/* ---- nodes ---- */

struct node {
    char *path, *host, *type, *permissions;
    int64_t major, minor, mode, uid, gid;
};

static void node_clear(struct node *n) {
    free(n->path);
    free(n->host);
    free(n->type);
    free(n->permissions);
}

static int decode_node(const struct json *v, struct node *n, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    n->major = n->minor = -1;
    get_path(&r, "path", JSON_REQUIRED, &n->path);
    get_path(&r, "hostPath", JSON_OPTIONAL, &n->host);
    json_get_string(&r, "type", JSON_OPTIONAL, &n->type);
    json_get_string(&r, "permissions", JSON_OPTIONAL, &n->permissions);
    json_get_int(&r, "major", JSON_OPTIONAL, 0, 4095, &n->major);
    json_get_int(&r, "minor", JSON_OPTIONAL, 0, 1048575, &n->minor);
    json_get_int(&r, "fileMode", JSON_OPTIONAL, 0, 07777, &n->mode);
    json_get_int(&r, "uid", JSON_OPTIONAL, 0, UINT32_MAX, &n->uid);
    json_get_int(&r, "gid", JSON_OPTIONAL, 0, UINT32_MAX, &n->gid);
    if (n->path && !str_starts(n->path, "/dev/"))
        json_reader_fail(&r, json_find(v, "path"), "must be below /dev/");
    if (n->type && strcmp(n->type, "c") != 0)
        json_reader_fail(&r, json_find(v, "type"), "must be \"c\"");
    if (n->permissions && strspn(n->permissions, "rwm") != strlen(n->permissions))
        json_reader_fail(&r, json_find(v, "permissions"), "must be of r, w and m");
    return json_object_end(&r);
}

static int take_node(const struct reading *rd, const struct json *v, struct error *err) {
    _cleanup_(node_clear) struct node n = {0};
    struct stat st;
    char place[64];
    if (decode_node(v, &n, err) < 0) return -1;
    if (!rd->ours) return 0;
    const char *source = n.host ? n.host : n.path;
    _cleanup_error_ struct error absent = {0};
    _cleanup_close_ int fd = gpu_open(source, NULL, &absent);
    if (fd < 0)
        return gpu_note(rd->loan, "%s: node %s left out: %s", rd->file, n.path,
                        error_text(&absent));
    if (fstat(fd, &st) < 0) return error_sys(err, errno, "%s", source);
    if (!S_ISCHR(st.st_mode)) return json_error(v, err, "%s is no character device", source);
    if ((n.major >= 0 && n.major != (int64_t)major(st.st_rdev)) ||
        (n.minor >= 0 && n.minor != (int64_t)minor(st.st_rdev)))
        return json_error(v, err, "%s is the device %u:%u", source, major(st.st_rdev),
                          minor(st.st_rdev));
    if (!place_of(rd->loan, st.st_rdev, place))
        return gpu_note(rd->loan, "%s: node %s left out: not of what was lent", rd->file, n.path);
    if (strcmp(place, n.path) != 0)
        return json_error(json_find(v, "path"), err, "the device is %s", place);
    return gpu_add_node(rd->loan, place, source, major(st.st_rdev), minor(st.st_rdev), err);
}

/* ---- the rest ---- */

static int take_mount(const struct reading *rd, const struct json *v, struct error *err) {
    struct json_reader r;
    _cleanup_free_ char *host = NULL, *inside = NULL, *type = NULL;
    _cleanup_strv_ char **options = NULL;
    json_object(&r, v, err);
    get_path(&r, "hostPath", JSON_REQUIRED, &host);
    get_path(&r, "containerPath", JSON_REQUIRED, &inside);
    json_get_string(&r, "type", JSON_OPTIONAL, &type);
    json_get_strv(&r, "options", JSON_OPTIONAL, &options);
    if (json_object_end(&r) < 0) return -1;
    if (!rd->ours) return 0;
    int added = gpu_add_library(rd->loan, host, err);
    if (added < 0) return error_wrap(err, "%s", rd->file);
    return added ? 0 : gpu_note(rd->loan, "%s: mount of %s left out", rd->file, host);
}

static int look_at_env(const struct reading *rd, const struct json *v, struct error *err) {
    (void)rd;
    const char *text = NULL;
    if (json_as_string(v, &text, err) < 0) return -1;
    if (!strchr(text, '=') || text[0] == '=') return json_error(v, err, "must be KEY=VALUE");
    return str_starts(text, "LD_") ? json_error(v, err, "sets a variable of the loader") : 0;
}

static int each(const struct reading *rd, const struct json *list,
                int (*take)(const struct reading *, const struct json *, struct error *),
                struct error *err) {
    if (!list) return 0;
    if (json_count(list) > GPU_CDI_LIST)
        return json_error(list, err, "has more than %d", GPU_CDI_LIST);
    for (size_t i = 0; i < json_count(list); i++)
        if (take(rd, json_at(list, i), err) < 0) return -1;
    return 0;
}

static int note_idle(const struct reading *rd, const struct gpu_cdi_idle *idle, struct error *err) {
    const struct {
        size_t count;
        const char *what;
    } lines[] = {{idle->hooks, "hooks not run"},
                 {idle->groups, "additionalGids not set"},
                 {idle->networks, "netDevices not moved"},
                 {idle->allocations, "intelRdt not set"}};
    for (size_t i = 0; rd->ours && i < ARRAY_SIZE(lines); i++)
        if (lines[i].count &&
            gpu_note(rd->loan, "%s: %zu %s", rd->file, lines[i].count, lines[i].what) < 0)
            return error_sys(err, ENOMEM, "CDI");
    return 0;
}

static int take_edits(const struct reading *rd, const struct json *v, struct error *err) {
    if (!v) return 0;
    struct gpu_cdi_idle idle = {0};
    struct json_reader r;
    json_object(&r, v, err);
    const struct json *env = json_get_array(&r, "env", JSON_OPTIONAL);
    const struct json *nodes = json_get_array(&r, "deviceNodes", JSON_OPTIONAL);
    const struct json *mounts = json_get_array(&r, "mounts", JSON_OPTIONAL);
    gpu_cdi_read_idle(&r, &idle);
    if (json_object_end(&r) < 0 || note_idle(rd, &idle, err) < 0) return -1;
    return each(rd, env, look_at_env, err) < 0 || each(rd, nodes, take_node, err) < 0
               ? -1
               : each(rd, mounts, take_mount, err);
}

static bool is_lent(const struct gpu_loan *loan, const char *name) {
    for (size_t i = 0; i < loan->count; i++) {
        char index[24];
        snprintf(index, sizeof index, "%d", loan->lent[i].gpu->index);
        if (strcmp(name, loan->lent[i].visible) == 0 ||
            strcmp(name, loan->lent[i].gpu->uuid) == 0 ||
            (!loan->lent[i].mig && strcmp(name, index) == 0))
            return true;
    }
    return false;
}

/* As the specification has it: letters, digits, and "_-.:" between two of them. */
static bool is_device_name(const char *name) {
    size_t n = strlen(name);
    if (n == 0 || n > NAME_MAX) return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && (i == 0 || i == n - 1 || !strchr("_-.:", name[i])))
            return false;
    return true;
}

/* Two devices of one name are two answers to one question. */
static int check_names(const struct json *devices, struct error *err) {
    if (json_count(devices) == 0) return json_error(devices, err, "must have a device");
    if (json_count(devices) > CDI_DEVICES)
        return json_error(devices, err, "has more than %d devices", CDI_DEVICES);
    for (size_t i = 0; i < json_count(devices); i++) {
        const struct json *v = json_find(json_at(devices, i), "name");
        const char *name = NULL, *other = NULL;
        if (!v || json_as_string(v, &name, NULL) < 0) continue; /* told where it is read */
        if (!is_device_name(name)) return json_error(v, err, "is no name of a device");
        for (size_t k = 0; k < i; k++) {
            const struct json *w = json_find(json_at(devices, k), "name");
            if (w && json_as_string(w, &other, NULL) == 0 && strcmp(name, other) == 0)
                return json_error(v, err, "\"%s\" is there twice", name);
        }
    }
    return 0;
}

static int take_device(const struct reading *rd, const struct json *v, struct error *err) {
    struct json_reader r;
    _cleanup_free_ char *name = NULL;
    json_object(&r, v, err);
    json_get_string(&r, "name", JSON_REQUIRED, &name);
    gpu_cdi_read_annotations(&r);
    const struct json *edits = json_get_object(&r, "containerEdits", JSON_REQUIRED);
    if (json_object_end(&r) < 0) return -1;
    struct reading own = *rd;
    own.ours = is_lent(rd->loan, name);
    return take_edits(&own, edits, err);
}

int gpu_parse_cdi(const char *name, const char *text, size_t len, struct gpu_loan *loan,
                  struct error *err) {
    struct json_reader r;
    int version = 0;
    _cleanup_free_ char *kind = NULL;
    _cleanup_json_ struct json *doc = json_parse(name, text, len, err);
    if (!doc) return -1;
    if (json_type(doc) != JSON_OBJECT) return json_error(doc, err, "must be an object");
    const struct json *said = json_find(doc, "kind");
    const char *whose = NULL;
    if (said && json_as_string(said, &whose, err) < 0) return -1;
    if (whose && strcmp(whose, CDI_KIND) != 0) return 0; /* another vendor's */
    json_object(&r, doc, err);
    json_get_enum(&r, "cdiVersion", JSON_REQUIRED, versions, &version);
    json_get_string(&r, "kind", JSON_REQUIRED, &kind);
    gpu_cdi_read_annotations(&r);
    const struct json *edits = json_get_object(&r, "containerEdits", JSON_OPTIONAL);
    const struct json *devices = json_get_array(&r, "devices", JSON_REQUIRED);
    if (json_object_end(&r) < 0) return -1;
    if (check_names(devices, err) < 0) return -1;
    struct reading rd = {loan, name, true};
    return each(&rd, devices, take_device, err) < 0 ? -1 : take_edits(&rd, edits, err);
}

/* ---- the files ---- */

static int read_file(const char *path, struct gpu_loan *loan, struct error *err) {
    _cleanup_free_ char *real = NULL;
    _cleanup_buf_ struct buf text = {0};
    if (gpu_read(path, CDI_MOST, &text, &real, err) < 0) return -1;
    return gpu_parse_cdi(real, buf_text(&text), text.len, loan, err);
}

static int read_folder(const char *folder, struct gpu_loan *loan, struct error *err) {
    _cleanup_free_ char *path = str_printf("%s%s", gpu_root(), folder);
    _cleanup_strv_ char **names = NULL;
    if (!path) return error_sys(err, ENOMEM, "CDI");
    size_t count = 0;
    _cleanup_closedir_ DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if ((str_ends(e->d_name, ".yaml") || str_ends(e->d_name, ".yml")) &&
            gpu_note(loan, "%s/%s: not read: only JSON is", path, e->d_name) < 0)
            return error_sys(err, ENOMEM, "CDI");
        if (!str_ends(e->d_name, ".json")) continue;
        if (++count > CDI_FILES)
            return error_set(err, ERROR_LIMIT, "%s: more than %d files", path, CDI_FILES);
        if (strv_push(&names, e->d_name) < 0) return error_sys(err, ENOMEM, "CDI");
    }
    strv_sort(names);
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *file = path_join(folder, names[i]);
        if (!file) return error_sys(err, ENOMEM, "CDI");
        if (read_file(file, loan, err) < 0) return -1;
    }
    return 0;
}

/* The second is the machine's present state, and goes before. */
int gpu_read_cdi(struct gpu_loan *loan, struct error *err) {
    return read_folder("/run/cdi", loan, err) < 0 ? -1 : read_folder("/etc/cdi", loan, err);
}
