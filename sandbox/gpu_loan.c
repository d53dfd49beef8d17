#include "sandbox/gpu_loan.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/gpu_lease.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

enum { CONTROL_MINOR = 255, NOTES_MOST = 64 };

int gpu_note(struct gpu_loan *loan, const char *fmt, ...) {
    _cleanup_buf_ struct buf text = {0};
    if (strv_len(loan->notes) >= NOTES_MOST) return 0;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    _cleanup_free_ char *shown = str_printable(buf_text(&text), text.len);
    return shown ? strv_push(&loan->notes, shown) : -1;
}

int gpu_open(const char *path, char **real, struct error *err) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    const char *root = gpu_root();
    char self[48], name[PATH_MAX];
    _cleanup_close_ int base = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (base < 0) return error_sys(err, errno, "%s", root);
    _cleanup_close_ int fd = (int)syscall(SYS_openat2, base, path, &how, sizeof how);
    if (fd < 0) return error_sys(err, errno, "%s%s", root, path);
    if (real) {
        snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(self, name, sizeof name - 1);
        if (n <= 0 || name[0] != '/')
            return error_sys(err, n < 0 ? errno : ENOENT, "%s%s", root, path);
        name[n] = '\0';
        free(*real);
        if (!(*real = strdup(name))) return error_sys(err, ENOMEM, "%s", path);
    }
    return steal_fd(&fd);
}

int gpu_read(const char *path, size_t most, struct buf *out, char **real, struct error *err) {
    char self[48];
    struct stat st;
    _cleanup_close_ int held = gpu_open(path, real, err);
    if (held < 0) return -1;
    if (fstat(held, &st) < 0) return error_sys(err, errno, "%s", *real);
    if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, ERROR_DENIED,
                         "%s: is no regular file of root's that others cannot write", *real);
    snprintf(self, sizeof self, "/proc/self/fd/%d", held);
    return file_read(self, most, out, err) < 0 ? error_wrap(err, "%s", *real) : 0;
}

int gpu_add_node(struct gpu_loan *loan, const char *target, const char *source, unsigned major,
                 unsigned minor, struct error *err) {
    struct stat st;
    _cleanup_free_ char *real = NULL;
    _cleanup_close_ int fd = gpu_open(source, &real, err);
    if (fd < 0)
        return error_wrap(err, "a node is missing; as root, nvidia-modprobe -u -c 0 makes them");
    if (fstat(fd, &st) < 0) return error_sys(err, errno, "%s", real);
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(major, minor))
        return error_set(err, ERROR_INVALID, "%s: is not the character device %u:%u", real, major,
                         minor);
    for (size_t i = 0; i < loan->node_count; i++)
        if (strcmp(loan->nodes[i].target, target) == 0) return 0; /* of an instance's GPU */
    if (loan->node_count == GPU_NODES) return error_set(err, ERROR_LIMIT, "too many GPU nodes");
    struct gpu_file *f = &loan->nodes[loan->node_count++];
    *f = (struct gpu_file){.fd = steal_fd(&fd),
                           .device = st.st_dev,
                           .inode = st.st_ino,
                           .node = st.st_rdev,
                           .target = strdup(target)};
    f->source = steal_ptr(&real);
    return f->target ? 0 : error_sys(err, ENOMEM, "%s", target);
}

static int add_own(struct gpu_loan *loan, const char *path, int major, int minor,
                   struct error *err) {
    if (major < 0)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s: the driver has no major for it in /proc/devices", path);
    return gpu_add_node(loan, path, path, (unsigned)major, (unsigned)minor, err);
}

static int add_cap(struct gpu_loan *loan, int cap, struct error *err) {
    char path[64];
    snprintf(path, sizeof path, "/dev/nvidia-caps/nvidia-cap%d", cap);
    return add_own(loan, path, loan->inventory.caps_major, cap, err);
}

static int add_nodes(struct gpu_loan *loan, struct error *err) {
    const struct gpu_inventory *all = &loan->inventory;
    if (add_own(loan, "/dev/nvidiactl", all->major, CONTROL_MINOR, err) < 0 ||
        add_own(loan, "/dev/nvidia-uvm", all->uvm_major, 0, err) < 0)
        return -1;
    for (size_t i = 0; i < loan->count; i++) {
        const struct gpu_lent *l = &loan->lent[i];
        char path[32];
        snprintf(path, sizeof path, "/dev/nvidia%d", l->gpu->minor);
        if (add_own(loan, path, all->major, l->gpu->minor, err) < 0) return -1;
        if (l->mig &&
            (add_cap(loan, l->mig->gi_cap, err) < 0 || add_cap(loan, l->mig->ci_cap, err) < 0))
            return -1;
    }
    return 0;
}

/* ---- variables ---- */

static int add_library_path(struct gpu_loan *loan, char *const *env, struct error *err) {
    static const char key[] = "LD_LIBRARY_PATH=";
    const char *given = "";
    if (!loan->library_count) return 0;
    for (size_t i = 0; env && env[i]; i++)
        if (str_starts(env[i], key)) given = env[i] + strlen(key);
    _cleanup_free_ char *text = str_printf("%s%s%s" GPU_LIBRARIES, key, given, *given ? ":" : "");
    return text && strv_push(&loan->env, text) == 0 ? 0 : error_sys(err, ENOMEM, "env");
}

static int make_env(struct gpu_loan *loan, char *const *env, struct error *err) {
    _cleanup_buf_ struct buf visible = {0};
    buf_puts(&visible, "CUDA_VISIBLE_DEVICES=");
    for (size_t i = 0; i < loan->count; i++)
        buf_printf(&visible, "%s%s", i ? "," : "", loan->lent[i].visible);
    if (buf_failed(&visible) || strv_push(&loan->env, buf_text(&visible)) < 0 ||
        strv_push(&loan->env, "CUDA_DEVICE_ORDER=PCI_BUS_ID") < 0 ||
        strv_push(&loan->env, "NVIDIA_VISIBLE_DEVICES=void") < 0)
        return error_sys(err, ENOMEM, "env");
    return add_library_path(loan, env, err);
}

int gpu_loan_make(const struct spec *spec, struct gpu_loan *out, struct error *err) {
    bool host = strcmp(spec->image, "host") == 0;
    *out = (struct gpu_loan){0};
    if (gpu_inventory_read(gpu_root(), &out->inventory, err) < 0 ||
        gpu_choose(&spec->gpus, spec->id, out, err) < 0 || gpu_read_cdi(out, err) < 0 ||
        add_nodes(out, err) < 0 || gpu_find_libraries(out, host, err) < 0)
        return error_wrap(err, "gpus");
    return make_env(out, spec->env, err);
}

void gpu_loan_end(struct gpu_loan *loan) {
    for (size_t i = 0; i < loan->count; i++) {
        gpu_lease_end(&loan->lent[i].lease);
        gpu_lease_end(&loan->lent[i].share);
    }
}

static void clear_files(struct gpu_file *files, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (files[i].fd >= 0) close(files[i].fd);
        free(files[i].source);
        free(files[i].target);
    }
}

void gpu_loan_clear(struct gpu_loan *loan) {
    gpu_loan_end(loan);
    for (size_t i = 0; i < loan->count; i++) free(loan->lent[i].visible);
    free(loan->lent);
    clear_files(loan->nodes, loan->node_count);
    clear_files(loan->libraries, loan->library_count);
    strv_free(loan->env);
    strv_free(loan->notes);
    gpu_inventory_clear(&loan->inventory);
    *loan = (struct gpu_loan){0};
}

void gpu_devices(const struct gpu_loan *loan, struct cgroup_device *out) {
    for (size_t i = 0; i < loan->node_count; i++)
        out[i] = (struct cgroup_device){major(loan->nodes[i].node), minor(loan->nodes[i].node)};
}

/* ---- the result ---- */

static int report_one(const struct gpu_lent *l, struct gpu_report_item *out, struct error *err) {
    out->uuid = strdup(l->gpu->uuid);
    out->name = strdup(l->gpu->model);
    out->pci = strdup(l->gpu->pci);
    out->instance = l->mig ? str_printf("%d/%d", l->mig->gi, l->mig->ci) : NULL;
    out->index = l->gpu->index;
    return out->uuid && out->name && out->pci && (out->instance || !l->mig)
               ? 0
               : error_sys(err, ENOMEM, "GPUs");
}

int gpu_report_make(const struct gpu_loan *loan, struct gpu_report **out, struct error *err) {
    struct gpu_report *r = *out = calloc(1, sizeof *r);
    if (!r) return error_sys(err, ENOMEM, "GPUs");
    r->items = calloc(loan->count + 1, sizeof *r->items);
    r->driver = strdup(loan->inventory.driver);
    if (!r->items || !r->driver) return error_sys(err, ENOMEM, "GPUs");
    for (size_t i = 0; i < loan->count; i++)
        if (report_one(&loan->lent[i], &r->items[r->count++], err) < 0) return -1;
    for (size_t i = 0; i < loan->node_count; i++)
        if (strv_push(&r->nodes, loan->nodes[i].target) < 0) return error_sys(err, ENOMEM, "GPUs");
    r->notes = loan->notes ? strv_copy(loan->notes) : NULL;
    return r->notes || !loan->notes ? 0 : error_sys(err, ENOMEM, "GPUs");
}
