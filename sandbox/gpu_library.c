/* The driver's libraries (declared in gpu_loan.h): named by a list of ours, of exactly
 * the version of the running driver, found through the loader's cache or in the usual
 * folders, and looked at before they are believed to be libraries. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/gpu_elf.h"
#include "sandbox/gpu_loan.h"
#include "sandbox/ldcache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum { CACHE_MOST = 16 << 20 };

static const struct library {
    const char *name;    /* before the driver's version */
    const char *version; /* of its interface; NULL: goes by the driver's */
} wanted[] = {
    {"libcuda.so", "1"},        {"libnvidia-ptxjitcompiler.so", "1"},
    {"libnvidia-nvvm.so", "4"}, {"libnvidia-gpucomp.so", NULL},
    {"libnvidia-ml.so", "1"},   {"libnvidia-tileiras.so", NULL},
};

static const char *const folders[] = {
#if defined __x86_64__
    "/usr/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu/nvidia/current",
#else
    "/usr/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu/nvidia/current",
#endif
    "/usr/lib64", "/usr/lib", "/usr/local/nvidia/lib64"};

/* Which of ours a file of this driver is; NULL: none. */
static const struct library *which(const char *file, const char *driver) {
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        size_t n = strlen(wanted[i].name);
        if (strncmp(file, wanted[i].name, n) == 0 && file[n] == '.' &&
            strcmp(file + n + 1, driver) == 0)
            return &wanted[i];
    }
    return NULL;
}

size_t gpu_library_links(const char *file, char links[2][64]) {
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        const struct library *l = &wanted[i];
        size_t n = strlen(l->name);
        if (strncmp(file, l->name, n) != 0 || file[n] != '.' || !l->version) continue;
        snprintf(links[0], 64, "%s.%s", l->name, l->version);
        snprintf(links[1], 64, "%s", l->name);
        return 2;
    }
    return 0;
}

/* A regular file of root's that nobody else writes, and a library of this machine. */
static int inspect(const char *path, int held, struct stat *st, struct error *err) {
    char self[48];
    if (fstat(held, st) < 0) return error_sys(err, errno, "%s", path);
    if (!S_ISREG(st->st_mode)) return error_set(err, ERROR_INVALID, "%s: is no regular file", path);
    if (st->st_uid != 0 || st->st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, ERROR_DENIED,
                         "%s: belongs to another than root, or others may write it", path);
    snprintf(self, sizeof self, "/proc/self/fd/%d", held);
    _cleanup_close_ int fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return error_sys(err, errno, "%s", path);
    return gpu_elf_check(path, fd, (uint64_t)st->st_size, err);
}

static bool is_known(const struct gpu_loan *loan, const char *file) {
    for (size_t i = 0; i < loan->library_count; i++) {
        const char *slash = strrchr(loan->libraries[i].target, '/');
        if (strcmp(slash + 1, file) == 0) return true;
    }
    return false;
}

int gpu_add_library(struct gpu_loan *loan, const char *path, struct error *err) {
    struct stat st;
    _cleanup_free_ char *real = NULL;
    _cleanup_error_ struct error absent = {0};
    _cleanup_close_ int fd = gpu_open(path, &real, &absent);
    if (fd < 0) return absent.kind == ERROR_NOT_FOUND ? 0 : error_move(err, &absent);
    const char *file = strrchr(real, '/') + 1;
    if (!which(file, loan->inventory.driver) || is_known(loan, file)) return 0;
    if (inspect(real, fd, &st, err) < 0) return -1;
    if (loan->library_count == GPU_FILES) return error_set(err, ERROR_LIMIT, "too many libraries");
    struct gpu_file *f = &loan->libraries[loan->library_count++];
    *f = (struct gpu_file){.fd = steal_fd(&fd), .device = st.st_dev, .inode = st.st_ino};
    f->target = str_printf(GPU_LIBRARIES "/%s", file);
    f->source = steal_ptr(&real);
    if (!f->target) return error_sys(err, ENOMEM, "%s", path);
    return 1;
}

/* ---- finding ---- */

struct search {
    struct gpu_loan *loan;
    struct error *err;
};

static int look(void *context, const char *name, const char *path) {
    const struct search *s = context;
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        if (!str_starts(name, wanted[i].name)) continue;
        if (!path_is_rooted(path))
            return error_set(s->err, ERROR_INVALID, "%s/etc/ld.so.cache: %s is at \"%.200s\"",
                             gpu_root(), wanted[i].name, path);
        return gpu_add_library(s->loan, path, s->err) < 0 ? -1 : 0;
    }
    return 0;
}

static int search_cache(struct search *s, struct error *err) {
    _cleanup_buf_ struct buf cache = {0};
    _cleanup_free_ char *real = NULL;
    _cleanup_error_ struct error why = {0};
    _cleanup_free_ char *name = str_printf("%s/etc/ld.so.cache", gpu_root());
    if (!name) return error_sys(err, ENOMEM, "loader's cache");
    if (gpu_read("/etc/ld.so.cache", CACHE_MOST, &cache, &real, &why) < 0)
        return why.kind == ERROR_NOT_FOUND ? 0 : error_move(err, &why);
    return ldcache_walk(name, buf_text(&cache), cache.len, look, s, err);
}

static int search_folders(struct search *s, struct error *err) {
    for (size_t f = 0; f < ARRAY_SIZE(folders); f++)
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
            char path[PATH_MAX];
            snprintf(path, sizeof path, "%s/%s.%s", folders[f], wanted[i].name,
                     s->loan->inventory.driver);
            if (gpu_add_library(s->loan, path, err) < 0) return -1;
        }
    return 0;
}

/* Those that the host image shows where they are need no mount. */
static void leave_at_home(struct gpu_loan *loan) {
    size_t kept = 0;
    for (size_t i = 0; i < loan->library_count; i++) {
        struct gpu_file *f = &loan->libraries[i];
        if (!loan->at_home || !str_starts(f->source, "/usr/")) {
            loan->libraries[kept++] = *f;
            continue;
        }
        close(f->fd);
        free(f->source);
        free(f->target);
    }
    loan->library_count = kept;
}

int gpu_find_libraries(struct gpu_loan *loan, bool host_image, struct error *err) {
    struct search s = {loan, err};
    char cuda[64];
    if (search_cache(&s, err) < 0 || search_folders(&s, err) < 0) return -1;
    snprintf(cuda, sizeof cuda, "libcuda.so.%s", loan->inventory.driver);
    if (!is_known(loan, cuda))
        return error_set(err, ERROR_NOT_FOUND,
                         "%s, the driver's library, is in no folder of the loader", cuda);
    loan->at_home = host_image && !*gpu_root();
    leave_at_home(loan);
    return 0;
}
