#include "sandbox/gpu.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

enum {
    TEXT_MOST = 1 << 16, /* bytes of one text of the driver's */
    MINOR_LAST = 247,    /* above: the driver's other nodes */
    CAP_LAST = 65535,
    MAJOR_LAST = 4095,
    MAJOR_DEFAULT = 195, /* assigned to the driver (Documentation/admin-guide/devices.txt) */
    UUID_TAIL = 36,
};

#define DRIVER "/proc/driver/nvidia"

const char *gpu_root(void) {
    const char *root = getenv("PADDOCK_GPU_ROOT");
    return root && root[0] == '/' && root[1] ? root : "";
}

bool gpu_is_uuid(const char *text, const char *prefix) {
    if (!str_starts(text, prefix)) return false;
    const char *p = text + strlen(prefix);
    if (strlen(p) != UUID_TAIL) return false;
    for (size_t i = 0; i < UUID_TAIL; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? p[i] != '-' : !isdigit((unsigned char)p[i]) && (p[i] < 'a' || p[i] > 'f'))
            return false;
    }
    return true;
}

const struct gpu *gpu_find(const struct gpu_inventory *inventory, const char *uuid) {
    for (size_t i = 0; i < inventory->count; i++)
        if (inventory->gpus[i].uuid[0] && strcmp(inventory->gpus[i].uuid, uuid) == 0)
            return &inventory->gpus[i];
    return NULL;
}

/* ---- the texts ---- */

/* A whole decimal number from 0 to `last`, and its end; -1. */
static int number(const char *text, int last, const char **end) {
    int value = 0;
    const char *p = text;
    for (; isdigit((unsigned char)*p); p++) {
        value = value * 10 + (*p - '0');
        if (value > last) return -1;
    }
    if (end) *end = p;
    else if (*p) return -1;
    return p == text ? -1 : value;
}

/* "570.86.15", of at least two parts. */
static size_t version_length(const char *p) {
    size_t n = strspn(p, "0123456789.");
    size_t dots = 0;
    for (size_t i = 0; i < n; i++) dots += p[i] == '.';
    bool plain = isdigit((unsigned char)p[0]) && n > 0 && p[n - 1] != '.' && !strstr(p, "..");
    return plain && dots > 0 && dots < 4 && (p[n] == ' ' || p[n] == '\n' || !p[n]) ? n : 0;
}

int gpu_parse_version(const char *name, const char *text, char out[GPU_DRIVER_SIZE],
                      struct error *err) {
    static const char begin[] = "NVRM version:";
    if (!str_starts(text, begin))
        return error_set(err, ERROR_INVALID, "%s: does not begin with \"%s\"", name, begin);
    size_t line = strcspn(text, "\n");
    if (line >= 512) return error_set(err, ERROR_INVALID, "%s: a line too long", name);
    char copy[512];
    memcpy(copy, text, line);
    copy[line] = '\0';
    char *rest = copy + strlen(begin);
    for (char *word; (word = strsep(&rest, " \t"));) {
        size_t n = version_length(word);
        if (!n || n >= GPU_DRIVER_SIZE) continue;
        memcpy(out, word, n);
        out[n] = '\0';
        return 0;
    }
    return error_set(err, ERROR_INVALID, "%s: names no version", name);
}

static bool is_pci(const char *s) {
    static const char form[] = "xxxx:xx:xx.x";
    if (strlen(s) != sizeof form - 1) return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'x' ? !isxdigit((unsigned char)s[i]) : s[i] != form[i]) return false;
    return true;
}

static bool is_plain(const char *s) {
    for (; *s; s++)
        if (*s < ' ' || *s > '~') return false;
    return true;
}

enum { SEEN_MODEL = 1, SEEN_UUID = 2, SEEN_PLACE = 4, SEEN_MINOR = 8, SEEN_EXCLUDED = 16 };

/* One "key: value"; the bit of the key, 0 for one we do not need, -1 when wrong. */
static int take_field(const char *key, const char *value, struct gpu *out) {
    if (strcmp(key, "Model") == 0) {
        if (!*value || strlen(value) >= sizeof out->model || !is_plain(value)) return -1;
        memcpy(out->model, value, strlen(value) + 1);
        return SEEN_MODEL;
    }
    if (strcmp(key, "GPU UUID") == 0) {
        bool known = gpu_is_uuid(value, "GPU-");
        if (!known && (!str_starts(value, "GPU-") || strspn(value + 4, "-?") != UUID_TAIL ||
                       value[4 + UUID_TAIL]))
            return -1;
        if (known) memcpy(out->uuid, value, strlen(value) + 1);
        return SEEN_UUID;
    }
    if (strcmp(key, "Bus Location") == 0) {
        if (!is_pci(value)) return -1;
        memcpy(out->pci, value, strlen(value) + 1);
        for (char *c = out->pci; *c; c++) *c = (char)tolower((unsigned char)*c);
        return SEEN_PLACE;
    }
    if (strcmp(key, "Device Minor") == 0)
        return (out->minor = number(value, MINOR_LAST, NULL)) < 0 ? -1 : SEEN_MINOR;
    if (strcmp(key, "GPU Excluded") == 0) {
        out->excluded = strcmp(value, "Yes") == 0;
        return out->excluded || strcmp(value, "No") == 0 ? SEEN_EXCLUDED : -1;
    }
    return 0;
}

static char *trim(char *s) {
    s += strspn(s, " \t");
    size_t n = strlen(s);
    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r')) s[--n] = '\0';
    return s;
}

int gpu_parse_information(const char *name, const char *text, struct gpu *out, struct error *err) {
    *out = (struct gpu){.minor = -1};
    int seen = 0;
    _cleanup_free_ char *copy = strdup(text);
    if (!copy) return error_sys(err, ENOMEM, "%s", name);
    char *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *colon = strchr(line, ':');
        if (!colon) continue;
        *colon = '\0';
        const char *key = trim(line);
        int bit = take_field(key, trim(colon + 1), out);
        if (bit < 0 || bit & seen)
            return error_set(err, ERROR_INVALID, "%s: \"%s\" is %s", name, key,
                             bit < 0 ? "not as the driver writes it" : "there twice");
        seen |= bit;
    }
    int needed = SEEN_MODEL | SEEN_UUID | SEEN_PLACE | SEEN_MINOR;
    if ((seen & needed) == needed) return 0;
    return error_set(err, ERROR_INVALID,
                     "%s: lacks one of Model, GPU UUID, Bus Location, Device Minor", name);
}

int gpu_parse_devices(const char *name, const char *text, struct gpu_inventory *out,
                      struct error *err) {
    out->major = MAJOR_DEFAULT;
    out->uvm_major = out->caps_major = -1;
    _cleanup_free_ char *copy = strdup(text);
    if (!copy) return error_sys(err, ENOMEM, "%s", name);
    char *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (str_starts(line, "Block devices")) break;
        const char *what = NULL;
        int major = number(line + strspn(line, " "), MAJOR_LAST, &what);
        if (major < 0 || *what != ' ') continue;
        what++;
        if (strcmp(what, "nvidia-uvm") == 0) out->uvm_major = major;
        if (strcmp(what, "nvidia-caps") == 0) out->caps_major = major;
        if (strcmp(what, "nvidia") == 0 || strcmp(what, "nvidia-frontend") == 0) out->major = major;
    }
    return 0;
}

int gpu_parse_access(const char *name, const char *text, struct error *err) {
    static const char key[] = "DeviceFileMinor:";
    const char *end = NULL;
    int minor = -1;
    if (str_starts(text, key)) {
        const char *value = text + strlen(key);
        minor = number(value + strspn(value, " \t"), CAP_LAST, &end);
    }
    if (minor >= 0 && (*end == '\n' || !*end)) return minor;
    return error_set(err, ERROR_INVALID, "%s: does not begin with \"%s\" and a number", name, key);
}

/* ---- the files ---- */

static int read_text(const char *root, const char *path, struct buf *out, char **name,
                     struct error *err) {
    *name = str_printf("%s%s", root, path);
    if (!*name) return error_sys(err, ENOMEM, "%s", path);
    return file_read(*name, TEXT_MOST, out, err);
}

static int read_access(const char *folder, struct error *err) {
    _cleanup_free_ char *path = path_join(folder, "access");
    _cleanup_buf_ struct buf text = {0};
    if (!path) return error_sys(err, ENOMEM, "%s", folder);
    return file_read(path, TEXT_MOST, &text, err) < 0
               ? -1
               : gpu_parse_access(path, buf_text(&text), err);
}

/* The N of a name such as "gi3"; -1: it is another. */
static int numbered(const char *name, const char *prefix) {
    return str_starts(name, prefix) ? number(name + strlen(prefix), 255, NULL) : -1;
}

static int add_mig(struct gpu *g, struct gpu_mig one, struct error *err) {
    if (g->mig_count == GPU_MIG_MOST)
        return error_set(err, ERROR_LIMIT, "GPU %s has more than %d MIG instances", g->uuid,
                         GPU_MIG_MOST);
    struct gpu_mig *grown = realloc(g->mig, (g->mig_count + 1) * sizeof *grown);
    if (!grown) return error_sys(err, ENOMEM, "MIG");
    g->mig = grown;
    g->mig[g->mig_count++] = one;
    return 0;
}

static int read_gi(const char *folder, int gi, struct gpu *g, struct error *err) {
    int gi_cap = read_access(folder, err);
    if (gi_cap < 0) return -1;
    _cleanup_closedir_ DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        int ci = numbered(e->d_name, "ci");
        if (ci < 0) continue;
        _cleanup_free_ char *path = path_join(folder, e->d_name);
        if (!path) return error_sys(err, ENOMEM, "%s", folder);
        int ci_cap = read_access(path, err);
        if (ci_cap < 0 || add_mig(g, (struct gpu_mig){gi, ci, gi_cap, ci_cap}, err) < 0) return -1;
    }
    return 0;
}

static int by_instance(const void *a, const void *b) {
    const struct gpu_mig *x = a, *y = b;
    return x->gi != y->gi ? x->gi - y->gi : x->ci - y->ci;
}

static int read_mig(const char *root, struct gpu *g, struct error *err) {
    _cleanup_free_ char *folder = str_printf("%s" DRIVER "/capabilities/gpu%d/mig", root, g->minor);
    if (!folder) return error_sys(err, ENOMEM, "MIG");
    _cleanup_closedir_ DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        int gi = numbered(e->d_name, "gi");
        if (gi < 0) continue;
        _cleanup_free_ char *path = path_join(folder, e->d_name);
        if (!path) return error_sys(err, ENOMEM, "MIG");
        if (read_gi(path, gi, g, err) < 0) return -1;
    }
    if (g->mig_count) qsort(g->mig, g->mig_count, sizeof *g->mig, by_instance);
    return 0;
}

static int read_gpu(const char *root, const char *place, struct gpu_inventory *out,
                    struct error *err) {
    _cleanup_free_ char *path = str_printf(DRIVER "/gpus/%s/information", place);
    _cleanup_free_ char *name = NULL;
    _cleanup_buf_ struct buf text = {0};
    if (out->count == GPU_MOST)
        return error_set(err, ERROR_LIMIT, "%s" DRIVER "/gpus: more than %d GPUs", root, GPU_MOST);
    struct gpu *g = &out->gpus[out->count];
    if (!path) return error_sys(err, ENOMEM, "GPUs");
    if (read_text(root, path, &text, &name, err) < 0 ||
        gpu_parse_information(name, buf_text(&text), g, err) < 0)
        return -1;
    out->count++;
    if (strcasecmp(g->pci, place) != 0)
        return error_set(err, ERROR_INVALID, "%s: \"Bus Location\" is that of another folder",
                         name);
    for (size_t i = 0; i + 1 < out->count; i++)
        if (out->gpus[i].minor == g->minor ||
            (g->uuid[0] && strcmp(out->gpus[i].uuid, g->uuid) == 0))
            return error_set(err, ERROR_INVALID, "%s: minor or UUID is that of GPU %s too", name,
                             out->gpus[i].pci);
    return read_mig(root, g, err);
}

static int by_place(const void *a, const void *b) {
    return strcmp(((const struct gpu *)a)->pci, ((const struct gpu *)b)->pci);
}

static int read_gpus(const char *root, struct gpu_inventory *out, struct error *err) {
    _cleanup_free_ char *folder = str_printf("%s" DRIVER "/gpus", root);
    out->gpus = calloc(GPU_MOST, sizeof *out->gpus);
    if (!folder || !out->gpus) return error_sys(err, ENOMEM, "GPUs");
    _cleanup_closedir_ DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (is_pci(e->d_name) && read_gpu(root, e->d_name, out, err) < 0) return -1;
    qsort(out->gpus, out->count, sizeof *out->gpus, by_place);
    for (size_t i = 0; i < out->count; i++) out->gpus[i].index = (int)i;
    return 0;
}

int gpu_inventory_read(const char *root, struct gpu_inventory *out, struct error *err) {
    *out = (struct gpu_inventory){.uvm_major = -1, .caps_major = -1, .major = MAJOR_DEFAULT};
    _cleanup_free_ char *version = NULL, *devices = NULL;
    _cleanup_buf_ struct buf text = {0}, list = {0};
    _cleanup_error_ struct error why = {0};
    if (read_text(root, DRIVER "/version", &text, &version, &why) < 0) {
        if (why.kind != ERROR_NOT_FOUND) return error_move(err, &why);
        out->absent = str_printf("no NVIDIA driver is loaded: %s is not there",
                                 version ? version : DRIVER "/version");
        return out->absent ? 0 : error_sys(err, ENOMEM, "GPUs");
    }
    if (gpu_parse_version(version, buf_text(&text), out->driver, err) < 0 ||
        read_text(root, "/proc/devices", &list, &devices, err) < 0 ||
        gpu_parse_devices(devices, buf_text(&list), out, err) < 0)
        return -1;
    return read_gpus(root, out, err);
}

void gpu_inventory_clear(struct gpu_inventory *inventory) {
    for (size_t i = 0; i < inventory->count; i++) free(inventory->gpus[i].mig);
    free(inventory->gpus);
    free(inventory->absent);
    *inventory = (struct gpu_inventory){0};
}
