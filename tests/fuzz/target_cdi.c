/*
 * Specifications of the Container Device Interface, on a machine with nodes of GPUs and
 * of other devices, of which one GPU is lent: whatever a document says, no node but
 * those of the loan comes of it, each in its place and the device it is named after, no
 * library but the driver's, no variable, and it lies within the root.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/gpu_loan.h"
#include "tests/fuzz/fuzz.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define UUID "GPU-00000000-aaaa-bbbb-cccc-dddddddddddd"

static const struct {
    const char *path;
    unsigned major, minor;
    bool lent;
} devices[] = {
    {"dev/nvidia0", 195, 0, true},
    {"dev/nvidiactl", 195, 255, true},
    {"dev/nvidia-uvm", 511, 0, true},
    {"dev/nvidia1", 195, 1, false},
    {"dev/nvidia-modeset", 195, 254, false},
    {"dev/nvidia-uvm-tools", 511, 1, false},
    {"dev/null", 1, 3, false},
};

/* The least that is taken for a library. */
static const struct {
    Elf64_Ehdr head;
    Elf64_Phdr segment;
} library = {
    .head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
             .e_type = ET_DYN,
#if defined __aarch64__
             .e_machine = EM_AARCH64,
#else
             .e_machine = EM_X86_64,
#endif
             .e_phoff = sizeof(Elf64_Ehdr),
             .e_phentsize = sizeof(Elf64_Phdr),
             .e_phnum = 1},
    .segment = {.p_type = PT_LOAD, .p_filesz = sizeof(Elf64_Ehdr)},
};

static void make_machine(int in) {
    static const char *const folders[] = {"dev", "lib"};
    static const char *const files[] = {"lib/libcuda.so.570.86.15", "lib/libc.so.6"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        FUZZ_CHECK(mkdirat(in, folders[i], 0755) == 0, "%s", folders[i]);
    /* Without the right to make nodes, none is found: the documents are read all the same. */
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        (void)mknodat(in, devices[i].path, S_IFCHR | 0666,
                      makedev(devices[i].major, devices[i].minor));
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_close_ int to = openat(in, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        FUZZ_CHECK(to >= 0, "%s", files[i]);
        FUZZ_CHECK(write_all(to, &library, sizeof library) == 0, "%s", files[i]);
    }
}

static void check_node(const struct gpu_file *f, const char *root) {
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        if (devices[i].lent && strcmp(f->target + 1, devices[i].path) == 0) {
            FUZZ_CHECK(f->node == makedev(devices[i].major, devices[i].minor), "%s is %u:%u",
                       f->target, major(f->node), minor(f->node));
            FUZZ_CHECK(str_starts(f->source, root), "%s", f->source);
            return;
        }
    FUZZ_CHECK(false, "the node %s", f->target);
}

static void check_loan(const struct gpu_loan *loan, const char *root) {
    FUZZ_CHECK(!loan->env, "variables");
    FUZZ_CHECK(loan->node_count <= 3 && loan->library_count <= 1, "%zu nodes, %zu libraries",
               loan->node_count, loan->library_count);
    for (size_t i = 0; i < loan->node_count; i++) check_node(&loan->nodes[i], root);
    for (size_t i = 0; i < loan->library_count; i++) {
        const struct gpu_file *f = &loan->libraries[i];
        FUZZ_CHECK(strcmp(f->target, GPU_LIBRARIES "/libcuda.so.570.86.15") == 0, "%s", f->target);
        FUZZ_CHECK(str_starts(f->source, root), "%s", f->source);
    }
    FUZZ_CHECK(strv_len(loan->notes) <= 64, "%zu notes", strv_len(loan->notes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static struct gpu gpu = {.uuid = UUID};
    struct fuzz_place *p = fuzz_place();
    _cleanup_free_ char *root = path_join(p->path, "in");
    FUZZ_CHECK(root && setenv("PADDOCK_GPU_ROOT", root, 1) == 0, "out of memory");
    if (faccessat(p->in, "dev", F_OK, 0) < 0) make_machine(p->in);
    _cleanup_error_ struct error err = {0};
    _cleanup_gpu_loan_ struct gpu_loan loan = {
        .inventory = {.driver = "570.86.15", .major = 195, .uvm_major = 511, .caps_major = 510}};
    loan.lent = calloc(1, sizeof *loan.lent);
    FUZZ_CHECK(loan.lent, "out of memory");
    loan.lent[0] =
        (struct gpu_lent){.gpu = &gpu, .visible = strdup(UUID), .lease = -1, .share = -1};
    loan.count = 1;
    int r = gpu_parse_cdi("x.json", (const char *)data, len, &loan, &err);
    FUZZ_CHECK(r == 0 || r == -1, "returned %d", r);
    FUZZ_CHECK((r < 0) == error_is_set(&err) && err.kind != ERROR_INTERNAL, "returned %d: %s", r,
               error_text(&err));
    check_loan(&loan, root);
    return 0;
}
