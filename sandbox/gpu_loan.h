/*
 * The GPUs lent to one run: which, their leases, the nodes and driver libraries that
 * go with them, and what the sandbox is shown of the driver. Made by the launcher
 * before anything is built; docs/explanation/gpus.md has the reasons.
 *
 * A GPU is named by its index ("1"), its UUID ("GPU-…"), or, where it is split, an
 * instance of it by "MIG-GPU-<uuid>/<gi>/<ci>", or by "MIG-<uuid>@GPU-<uuid>/<gi>/<ci>":
 * which instance a MIG UUID is, only NVML can tell, and the launcher has no NVML.
 */
#ifndef PADDOCK_SANDBOX_GPU_LOAN_H
#define PADDOCK_SANDBOX_GPU_LOAN_H

#include "common/buf.h"
#include "common/error.h"
#include "sandbox/cgroup.h"
#include "sandbox/gpu.h"
#include "sandbox/result.h"
#include "sandbox/spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mount_plan;
struct policy;

/* What libraries that the launcher mounts are found in, and where it keeps what it
 * covers procfs with. */
#define GPU_FOLDER    "/.gpu"
#define GPU_LIBRARIES GPU_FOLDER "/lib"

struct gpu_lent {
    const struct gpu *gpu;
    const struct gpu_mig *mig; /* NULL: all of it */
    char *visible;             /* how CUDA is told of it */
    int lease, share;          /* of the instance or the whole; of an instance's GPU; -1 */
};

/* A file of the host that was looked at, and is held so that it stays what it was. */
struct gpu_file {
    char *source, *target;
    int fd;             /* O_PATH */
    dev_t device, node; /* where it lies; of a node, what it is */
    ino_t inode;
};

enum { GPU_NODES = 256, GPU_FILES = 16 };

struct gpu_loan {
    struct gpu_inventory inventory;
    struct gpu_lent *lent;
    size_t count;
    struct gpu_file nodes[GPU_NODES];
    size_t node_count;
    struct gpu_file libraries[GPU_FILES]; /* to be mounted in GPU_LIBRARIES */
    size_t library_count;
    bool at_home; /* the libraries are where the host image shows them */
    char **env;   /* variables that the program gets beyond the spec's */
    char **notes; /* what a person may want to know */
};

/* Chooses, takes the leases for `holder` and looks at all that goes with it.
 * `host_image`: the run sees this machine's own /usr. */
int gpu_loan_make(const struct spec *spec, struct gpu_loan *out, struct error *err);
/* Gives the leases back, at once and for all who inherited them. */
void gpu_loan_end(struct gpu_loan *loan);
void gpu_loan_clear(struct gpu_loan *loan);
#define _cleanup_gpu_loan_ __attribute__((cleanup(gpu_loan_clear)))

/* gpu_choose.c: fills `lent`. */
int gpu_choose(const struct spec_gpus *wanted, const char *holder, struct gpu_loan *loan,
               struct error *err);
/* gpu_library.c: fills `libraries` out of the loader's cache. */
int gpu_find_libraries(struct gpu_loan *loan, bool host_image, struct error *err);
/* Adds one: `path` below the root, whose name says which library; 1 when added, 0 when
 * it is none of ours. */
int gpu_add_library(struct gpu_loan *loan, const char *path, struct error *err);
/* The names that a library goes by: "libcuda.so.1" for "libcuda.so.570.86.15"; NULL
 * behind the last. */
size_t gpu_library_links(const char *file, char links[2][64]);
/* gpu_cdi.c: the specifications of the Container Device Interface, as data. */
int gpu_read_cdi(struct gpu_loan *loan, struct error *err);
/* For tests and fuzzers: one document. */
int gpu_parse_cdi(const char *name, const char *text, size_t len, struct gpu_loan *loan,
                  struct error *err);
/* Opens what `path` names below gpu_root(), which may be through links that stay below
 * it; a descriptor (O_PATH), and where it really is, for the path from the real root. */
int gpu_open(const char *path, char **real, struct error *err);
/* What a file so opened holds, which must be a regular one of root's that nobody else
 * may write; *real as of gpu_open(). */
int gpu_read(const char *path, size_t most, struct buf *out, char **real, struct error *err);
int gpu_note(struct gpu_loan *loan, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds a node: `source` below the root, which must be exactly this device. */
int gpu_add_node(struct gpu_loan *loan, const char *target, const char *source, unsigned major,
                 unsigned minor, struct error *err);

/* gpu_plan.c: nodes, libraries, and what is seen of /proc and /sys. After the plan's
 * own /proc and /dev. */
int gpu_plan(const struct gpu_loan *loan, const struct spec *spec, const struct policy *policy,
             struct mount_plan *plan, struct error *err);
/* The devices for cgroup_devices(): as many as node_count. */
void gpu_devices(const struct gpu_loan *loan, struct cgroup_device *out);
/* What goes into the result. */
int gpu_report_make(const struct gpu_loan *loan, struct gpu_report **out, struct error *err);

#endif
