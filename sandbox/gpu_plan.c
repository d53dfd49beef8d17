/* What a run with GPUs sees of them (declared in gpu_loan.h): nodes and libraries as
 * binds of what was looked at, and of /proc and /sys copies of the few texts that the
 * driver's libraries ask for, about what was lent and nothing else. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "policies/policy.h"
#include "sandbox/gpu_loan.h"
#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define CONST (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY)
#define NODE  (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY)

#define PROC GPU_FOLDER "/proc"

enum { TEXT_MOST = 1 << 16, ATTRIBUTE_MOST = 4096 };

/* ---- files ---- */

static void bind_file(struct mount_plan *p, const struct gpu_file *f, uint64_t attributes) {
    struct mount_step *s = plan_add(p, MOUNT_BIND, f->target, f->source);
    s->attributes = attributes;
    s->from = f->fd;
    s->device = f->device;
    s->inode = f->inode;
    s->node = f->node;
}

static void plan_libraries(struct mount_plan *p, const struct gpu_loan *loan) {
    for (size_t i = 0; i < loan->library_count; i++) {
        const char *file = strrchr(loan->libraries[i].target, '/') + 1;
        char links[2][64], target[PATH_MAX];
        bind_file(p, &loan->libraries[i], CONST);
        size_t count = gpu_library_links(file, links);
        for (size_t j = 0; j < count; j++) {
            snprintf(target, sizeof target, GPU_LIBRARIES "/%s", links[j]);
            plan_add(p, MOUNT_LINK, target, file);
        }
    }
}

/* ---- texts ---- */

static bool has(const struct mount_plan *p, const char *target) {
    for (size_t i = p->count; i-- > 0;)
        if (strcmp(p->steps[i].target, target) == 0) return true;
    return false;
}

static void put_text(struct mount_plan *p, const char *text, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void put_text(struct mount_plan *p, const char *text, const char *fmt, ...) {
    char target[PATH_MAX];
    va_list ap;
    va_start(ap, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
    vsnprintf(target, sizeof target, fmt, ap);
    va_end(ap);
    if (!has(p, target)) plan_add(p, MOUNT_TEXT, target, text);
}

/* A text of the machine, "" where it has none. */
static void read_host(const char *path, size_t most, struct buf *out) {
    _cleanup_free_ char *name = str_printf("%s%s", gpu_root(), path);
    if (!name || file_read(name, most, out, NULL) < 0) {
        buf_free(out);
        *out = (struct buf){0};
    }
}

/* With "ModifyDeviceFiles: 0" in it: nobody inside is to make nodes. */
static void plan_params(struct mount_plan *p) {
    _cleanup_buf_ struct buf text = {0}, out = {0};
    read_host("/proc/driver/nvidia/params", TEXT_MOST, &text);
    for (const char *line = buf_text(&text); *line;) {
        size_t n = strcspn(line, "\n");
        if (!str_starts(line, "ModifyDeviceFiles:")) {
            buf_append(&out, line, n);
            buf_putc(&out, '\n');
        }
        line += n + (line[n] == '\n');
    }
    buf_puts(&out, "ModifyDeviceFiles: 0\n");
    put_text(p, buf_text(&out), PROC "/nvidia/params");
}

static void plan_instance(struct mount_plan *p, const struct gpu_lent *l, struct buf *minors) {
    static const char form[] = "DeviceFileMinor: %d\nDeviceFileMode: 292\nDeviceFileModify: 0\n";
    char text[96], folder[96];
    int minor = l->gpu->minor;
    snprintf(folder, sizeof folder, PROC "/nvidia/capabilities/gpu%d/mig/gi%d", minor, l->mig->gi);
    snprintf(text, sizeof text, form, l->mig->gi_cap);
    put_text(p, text, "%s/access", folder);
    snprintf(text, sizeof text, form, l->mig->ci_cap);
    put_text(p, text, "%s/ci%d/access", folder, l->mig->ci);
    buf_printf(minors, "gpu%d/gi%d/access %d\ngpu%d/gi%d/ci%d/access %d\n", minor, l->mig->gi,
               l->mig->gi_cap, minor, l->mig->gi, l->mig->ci, l->mig->ci_cap);
}

/* The kernel's folder stays covered as a whole: what else is in it, is not ours. */
static void plan_proc(struct mount_plan *p, const struct gpu_loan *loan) {
    static const char *const copied[] = {"version", "registry"};
    _cleanup_buf_ struct buf minors = {0};
    for (size_t i = 0; i < ARRAY_SIZE(copied); i++) {
        char path[64];
        _cleanup_buf_ struct buf text = {0};
        snprintf(path, sizeof path, "/proc/driver/nvidia/%s", copied[i]);
        read_host(path, TEXT_MOST, &text);
        put_text(p, buf_text(&text), PROC "/nvidia/%s", copied[i]);
    }
    plan_params(p);
    for (size_t i = 0; i < loan->count; i++) {
        const struct gpu_lent *l = &loan->lent[i];
        char path[96];
        _cleanup_buf_ struct buf text = {0};
        snprintf(path, sizeof path, "/proc/driver/nvidia/gpus/%s/information", l->gpu->pci);
        read_host(path, TEXT_MOST, &text);
        put_text(p, buf_text(&text), PROC "/nvidia/gpus/%s/information", l->gpu->pci);
        if (l->mig) plan_instance(p, l, &minors);
    }
    if (minors.len) put_text(p, buf_text(&minors), PROC "/nvidia-caps/mig-minors");
    plan_add(p, MOUNT_COVER, "/proc/driver", PROC);
    /* libcuda looks whether the driver is loaded, and would try to load it else. */
    put_text(p, "nvidia_uvm 1 0 - Live 0x0\nnvidia 1 1 nvidia_uvm, Live 0x0\n",
             GPU_FOLDER "/modules");
    plan_add(p, MOUNT_COVER, "/proc/modules", GPU_FOLDER "/modules");
}

/* ---- /sys ---- */

static void copy_attributes(struct mount_plan *p, const char *host, const char *inside) {
    static const char *const names[] = {"class",
                                        "vendor",
                                        "device",
                                        "subsystem_vendor",
                                        "subsystem_device",
                                        "revision",
                                        "numa_node",
                                        "local_cpus",
                                        "local_cpulist",
                                        "max_link_speed",
                                        "max_link_width",
                                        "current_link_speed",
                                        "current_link_width"};
    plan_add(p, MOUNT_FOLDER, inside, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_buf_ struct buf text = {0};
        _cleanup_free_ char *path = path_join(host, names[i]);
        if (path && file_read(path, ATTRIBUTE_MOST, &text, NULL) == 0)
            put_text(p, buf_text(&text), "%s/%s", inside, names[i]);
    }
}

/* The GPU and the bridges above it, as NCCL walks them. */
static void plan_pci(struct mount_plan *p, const struct gpu *g) {
    static const char top[] = "/sys/devices/";
    char path[PATH_MAX], target[PATH_MAX], bus[8];
    _cleanup_free_ char *host = NULL;
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s", g->pci);
    _cleanup_close_ int fd = gpu_open(path, &host, NULL);
    char *inside = fd < 0 ? NULL : strstr(host, top);
    if (!inside || has(p, path)) return;
    plan_add(p, MOUNT_LINK, path, inside);
    snprintf(bus, sizeof bus, "%.7s", g->pci);
    snprintf(path, sizeof path, "%.*s/pci_bus/%s", (int)(strrchr(inside, '/') - inside), inside,
             bus);
    snprintf(target, sizeof target, "/sys/class/pci_bus/%s", bus);
    if (!has(p, target)) {
        plan_add(p, MOUNT_FOLDER, path, NULL);
        plan_add(p, MOUNT_LINK, target, path);
    }
    while (strlen(inside) > strlen(top)) {
        if (!has(p, inside)) copy_attributes(p, host, inside);
        *strrchr(inside, '/') = '\0';
    }
}

/* Built of what is needed, so that there is nothing to mask. */
static void plan_sys(struct mount_plan *p, const struct gpu_loan *loan) {
    static const char *const live[] = {"/sys/devices/system/cpu", "/sys/devices/system/node"};
    static const char *const copied[] = {
        "/sys/module/nvidia/version", "/sys/module/nvidia/initstate",
        "/sys/module/nvidia_uvm/version", "/sys/module/nvidia_uvm/initstate"};
    for (size_t i = 0; i < ARRAY_SIZE(live); i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s%s", gpu_root(), live[i]);
        struct mount_step *s = plan_add(p, MOUNT_BIND, live[i], path);
        s->attributes = CONST | MOUNT_ATTR_NOEXEC;
        s->optional = true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(copied); i++) {
        _cleanup_buf_ struct buf text = {0};
        read_host(copied[i], ATTRIBUTE_MOST, &text);
        if (text.len) put_text(p, buf_text(&text), "%s", copied[i]);
    }
    for (size_t i = 0; i < loan->count; i++) plan_pci(p, loan->lent[i].gpu);
}

/* Of no use inside, where it has no privilege; but the driver would try it. */
static void hide_modprobe(struct mount_plan *p, const char *image) {
    static const char path[] = "/usr/bin/nvidia-modprobe";
    _cleanup_close_ int root =
        open(strcmp(image, "host") == 0 ? "/" : image, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = root < 0 ? -1 : open_beneath(root, path + 1, O_PATH, 0);
    if (fd >= 0) plan_add(p, MOUNT_MASK, path, NULL);
}

/* The ranks of a run hand each other more than a small /dev/shm takes; the memory limit
 * counts it. */
static void size_shm(struct mount_plan *p, int64_t least) {
    for (size_t i = 0; i < p->count; i++) {
        struct mount_step *s = &p->steps[i];
        if (strcmp(s->target, "/dev/shm") == 0 && s->bytes && s->bytes < least) s->bytes = least;
    }
}

int gpu_plan(const struct gpu_loan *loan, const struct spec *spec, const struct policy *policy,
             struct mount_plan *plan, struct error *err) {
    size_shm(plan, policy->gpu_shm_bytes * (int64_t)loan->count);
    for (size_t i = 0; i < loan->node_count; i++) bind_file(plan, &loan->nodes[i], NODE);
    plan_libraries(plan, loan);
    plan_proc(plan, loan);
    plan_sys(plan, loan);
    hide_modprobe(plan, spec->image);
    return plan->failed ? error_sys(err, ENOMEM, "mount plan") : 0;
}
