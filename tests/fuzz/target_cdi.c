/* A specification of the Container Device Interface, for a run that has GPU 1 of two. */
#include "common/buf.h"
#include "sandbox/gpu_loan.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct gpu gpus[] = {
        {.index = 0, .minor = 0, .uuid = "GPU-00000000-aaaa-bbbb-cccc-dddddddddddd"},
        {.index = 1, .minor = 1, .uuid = "GPU-00000001-aaaa-bbbb-cccc-dddddddddddd"}};
    struct gpu_lent lent = {.gpu = &gpus[1], .visible = gpus[1].uuid, .lease = -1, .share = -1};
    _cleanup_error_ struct error err = {0};
    setenv("PADDOCK_GPU_ROOT", "/.", 1);
    struct gpu_loan *loan = calloc(1, sizeof *loan);
    FUZZ_CHECK(loan, "out of memory");
    /* The usual nodes of any machine stand in for the driver's. */
    loan->inventory = (struct gpu_inventory){.driver = "570.86.15",
                                             .major = 1,
                                             .uvm_major = 1,
                                             .caps_major = -1,
                                             .gpus = gpus,
                                             .count = 2};
    loan->lent = &lent;
    loan->count = 1;
    int r = gpu_parse_cdi("fuzz.json", (const char *)data, len, loan, &err);
    FUZZ_CHECK((r < 0) == error_is_set(&err) && err.kind != ERROR_INTERNAL, "returned %d: %s", r,
               error_text(&err));
    FUZZ_CHECK(!loan->env, "it set a variable");
    for (size_t i = 0; i < loan->node_count; i++)
        FUZZ_CHECK(str_eq(loan->nodes[i].target, "/dev/nvidia1") ||
                       str_eq(loan->nodes[i].target, "/dev/nvidiactl") ||
                       str_eq(loan->nodes[i].target, "/dev/nvidia-uvm"),
                   "node %s", loan->nodes[i].target);
    for (size_t i = 0; i < loan->library_count; i++)
        FUZZ_CHECK(str_starts(loan->libraries[i].target, GPU_LIBRARIES "/lib"), "library %s",
                   loan->libraries[i].target);
    for (char **note = loan->notes; note && *note; note++)
        for (const char *c = *note; *c; c++)
            FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f, "note %s", *note);
    loan->lent = NULL;
    loan->count = 0;
    loan->inventory = (struct gpu_inventory){0};
    gpu_loan_clear(loan);
    free(loan);
    return 0;
}
