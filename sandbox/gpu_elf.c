#include "sandbox/gpu_elf.h"

#include "common/cleanup.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>

enum {
    SEGMENTS_MOST = 64, /* the driver's have some ten */
#if defined __x86_64__
    OUR_MACHINE = EM_X86_64,
#elif defined __aarch64__
    OUR_MACHINE = EM_AARCH64,
#else
#error "the driver is not known on this architecture"
#endif
};

static const char *objection(const Elf64_Ehdr *h) {
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0) return "no ELF file";
    if (h->e_ident[EI_CLASS] != ELFCLASS64) return "of another class";
    if (h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != OUR_MACHINE)
        return "of another architecture";
    if (h->e_ident[EI_VERSION] != EV_CURRENT || h->e_type != ET_DYN) return "no shared library";
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > SEGMENTS_MOST)
        return "no table of segments";
    return NULL;
}

/* Whether [at, at + length) is within the file. */
static bool is_within(uint64_t at, uint64_t length, uint64_t size) {
    return at <= size && length <= size - at;
}

static int check_segments(const char *name, int fd, const Elf64_Ehdr *h, uint64_t size,
                          struct error *err) {
    Elf64_Phdr segments[SEGMENTS_MOST];
    size_t length = h->e_phnum * sizeof *segments;
    if (!is_within(h->e_phoff, length, size))
        return error_set(err, ERROR_INVALID, "%s: is cut off", name);
    ssize_t n = pread(fd, segments, length, (off_t)h->e_phoff);
    if (n < 0) return error_sys(err, errno, "%s", name);
    if ((size_t)n != length) return error_set(err, ERROR_INVALID, "%s: is cut off", name);
    for (size_t i = 0; i < h->e_phnum; i++)
        if (segments[i].p_type == PT_LOAD &&
            !is_within(segments[i].p_offset, segments[i].p_filesz, size))
            return error_set(err, ERROR_INVALID, "%s: is cut off", name);
    return 0;
}

int gpu_elf_check(const char *name, int fd, uint64_t size, struct error *err) {
    Elf64_Ehdr h;
    ssize_t n = pread(fd, &h, sizeof h, 0);
    if (n < 0) return error_sys(err, errno, "%s", name);
    const char *why = (size_t)n == sizeof h ? objection(&h) : "too short";
    if (why)
        return error_set(err, ERROR_INVALID, "%s: is no 64-bit library of this machine (%s)", name,
                         why);
    return check_segments(name, fd, &h, size, err);
}
