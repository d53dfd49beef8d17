#include "orchestrator/daemon/fingerprint.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "images/store.h"
#include "policies/policy.h"

#include <string.h>
#include <sys/utsname.h>

#define FILE_MOST ((size_t)4 << 20)
#define CPU       "/sys/devices/system/cpu/"

/* The text of a file without its last newline; NULL: not told. */
static char *text_of(const char *path) {
    _cleanup_buf_ struct buf b = {0};
    if (file_read(path, FILE_MOST, &b, NULL) < 0 || b.len == 0) return NULL;
    if (b.data[b.len - 1] == '\n') b.data[--b.len] = '\0';
    return buf_steal(&b);
}

static void put_file(struct json_writer *w, const char *key, const char *path) {
    _cleanup_free_ char *text = text_of(path);
    json_put_string(w, key, text);
}

/* The value of the first line "<name> : <value>" of such a text, copied. */
static char *line_of(const char *text, const char *name) {
    const char *at = text ? strstr(text, name) : NULL;
    const char *colon = at ? strchr(at, ':') : NULL;
    if (!colon) return NULL;
    colon += 1 + strspn(colon + 1, " \t");
    return strndup(colon, strcspn(colon, "\n"));
}

static void put_line(struct json_writer *w, const char *key, const char *text, const char *name) {
    _cleanup_free_ char *value = line_of(text, name);
    json_put_string(w, key, value);
}

/* "always [madvise] never" → "madvise" */
static void put_chosen(struct json_writer *w, const char *key, const char *path) {
    _cleanup_free_ char *text = text_of(path);
    const char *open = text ? strchr(text, '[') : NULL;
    _cleanup_free_ char *chosen = open ? strndup(open + 1, strcspn(open + 1, "]")) : NULL;
    json_put_string(w, key, chosen);
}

/* Whether cpus may run above their nominal frequency. */
static void put_turbo(struct json_writer *w) {
    _cleanup_free_ char *off = text_of(CPU "intel_pstate/no_turbo");
    _cleanup_free_ char *on = text_of(CPU "cpufreq/boost");
    if (off) json_put_bool(w, "turbo", strcmp(off, "0") == 0);
    else if (on) json_put_bool(w, "turbo", strcmp(on, "1") == 0);
    else json_put_null(w, "turbo");
}

static void put_mitigations(struct json_writer *w) {
    _cleanup_closedir_ DIR *d = opendir(CPU "vulnerabilities");
    if (!d) {
        json_put_null(w, "mitigations");
        return;
    }
    json_open_object(w, "mitigations");
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        _cleanup_free_ char *path = str_printf(CPU "vulnerabilities/%s", e->d_name);
        if (path) put_file(w, e->d_name, path);
    }
    json_close_object(w);
}

static void put_cpu(struct json_writer *w, const char *lane) {
    _cleanup_free_ char *info = text_of("/proc/cpuinfo");
    put_line(w, "cpu", info, "model name");
    put_line(w, "microcode", info, "microcode");
    json_put_int(w, "cpus_online", sysconf(_SC_NPROCESSORS_ONLN));
    json_put_string(w, "lane_cpus", lane);
    put_file(w, "smt", CPU "smt/control");
    put_file(w, "governor", CPU "cpu0/cpufreq/scaling_governor");
    put_turbo(w);
    put_mitigations(w);
}

static void put_kernel(struct json_writer *w) {
    struct utsname u;
    bool told = uname(&u) == 0;
    json_put_string(w, "kernel", told ? u.release : NULL);
    json_put_string(w, "kernel_version", told ? u.version : NULL);
    json_put_string(w, "architecture", told ? u.machine : NULL);
    put_file(w, "clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    put_chosen(w, "transparent_hugepages", "/sys/kernel/mm/transparent_hugepage/enabled");
    json_put_int(w, "memory_bytes", sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE));
}

/* As NVIDIA's kernel module tells of them; null without it. */
static void put_gpus(struct json_writer *w) {
    static const char folder[] = "/proc/driver/nvidia/gpus";
    _cleanup_free_ char *version = text_of("/proc/driver/nvidia/version");
    if (version) version[strcspn(version, "\n")] = '\0';
    json_put_string(w, "gpu_driver", version);
    _cleanup_closedir_ DIR *d = opendir(folder);
    if (!d) {
        json_put_null(w, "gpus");
        return;
    }
    json_open_array(w, "gpus");
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        _cleanup_free_ char *path = str_printf("%s/%s/information", folder, e->d_name);
        _cleanup_free_ char *text = path ? text_of(path) : NULL;
        put_line(w, NULL, text, "Model");
    }
    json_close_array(w);
}

static int put_policy(struct json_writer *w, enum task_phase phase, const struct task_phase_spec *p,
                      struct error *err) {
    _cleanup_policy_ struct policy policy = {0};
    _cleanup_free_ char *path = policy_find(p->policy, err);
    if (!path || policy_open(path, &policy, err) < 0) return -1;
    json_put_string(w, task_phase_names[phase], policy.sha256);
    return 0;
}

static int put_task(struct json_writer *w, const struct daemon *d, const struct task *t,
                    struct error *err) {
    _cleanup_image_ struct image image = {0};
    if (image_resolve(d->images, t->image, &image, err) < 0) return -1;
    json_put_string(w, "paddock", PADDOCK_VERSION);
    json_put_string(w, "task", t->name);
    json_put_string(w, "task_digest", t->digest);
    json_put_string(w, "image", t->image);
    json_put_string(w, "image_digest", image.digest[0] ? image.digest : NULL);
    json_open_object(w, "policies");
    if (t->has_build && put_policy(w, PHASE_BUILD, &t->build, err) < 0) return -1;
    if (put_policy(w, PHASE_TRAIN, &t->train, err) < 0 ||
        put_policy(w, PHASE_EXAMINE, &t->examine, err) < 0)
        return -1;
    json_close_object(w);
    return 0;
}

char *fingerprint_make(const struct daemon *d, const struct task *t, const char *cpus,
                       struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    size_t len = 0;
    if (w) {
        json_open_object(w, NULL);
        if (put_task(w, d, t, err) < 0) {
            error_wrap(err, "fingerprint");
            return NULL;
        }
        put_cpu(w, cpus);
        put_kernel(w);
        put_gpus(w);
        json_close_object(w);
    }
    const char *text = w ? json_writer_text(w, &len) : NULL;
    char *copy = text ? strdup(text) : NULL;
    if (!copy) error_sys(err, ENOMEM, "fingerprint");
    return copy;
}
