/*
 * The GPUs of this machine, as the driver's own texts in procfs tell of them: no
 * NVML, no CUDA, no library. A GPU is known by its UUID; its minor (of the node
 * /dev/nvidia<minor>), its place on the bus and its index here are facts about it,
 * and none of them is the ordinal that CUDA or NVML use.
 *
 * Everything of the machine that is about GPUs is read below one prefix, so that a
 * test can have a machine of its own making: gpu_root().
 */
#ifndef PADDOCK_SANDBOX_GPU_H
#define PADDOCK_SANDBOX_GPU_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    GPU_MOST = 64,       /* GPUs of one machine */
    GPU_MIG_MOST = 64,   /* compute instances of one GPU */
    GPU_UUID_SIZE = 48,  /* "GPU-" and 36 characters, and the NUL */
    GPU_PCI_SIZE = 16,   /* "0000:07:00.0" */
    GPU_MODEL_SIZE = 96, /* "NVIDIA H100 80GB HBM3" */
    GPU_DRIVER_SIZE = 32 /* "570.86.15" */
};

/* A compute instance of a GPU in MIG mode, which is what is lent of such a one. */
struct gpu_mig {
    int gi, ci;         /* the numbers of the GPU instance and, in it, of the compute instance */
    int gi_cap, ci_cap; /* minors of the nodes that give access: /dev/nvidia-caps/nvidia-cap<N> */
};

struct gpu {
    int index; /* by the order of the PCI addresses, from 0 */
    int minor; /* of /dev/nvidia<minor> */
    char pci[GPU_PCI_SIZE];
    char uuid[GPU_UUID_SIZE]; /* "": the driver has not looked at it yet (no persistence mode) */
    char model[GPU_MODEL_SIZE];
    bool excluded;       /* by the driver's own setting */
    struct gpu_mig *mig; /* owned; by gi and ci */
    size_t mig_count;
};

struct gpu_inventory {
    char driver[GPU_DRIVER_SIZE]; /* "": there is none, see `absent` */
    char *absent;                 /* why there is no driver; NULL: there is one */
    int major;                    /* of nvidiactl (minor 255) and the GPUs */
    int uvm_major, caps_major;    /* of nvidia-uvm and nvidia-caps; −1: none */
    struct gpu *gpus;
    size_t count;
};

/* The prefix of all that is read of the machine for GPUs: PADDOCK_GPU_ROOT, an
 * absolute path; else "". Borrowed. */
const char *gpu_root(void);

/* Reads the machine below `root`. A machine without the driver is an inventory of
 * none that says why; a text that cannot be what the driver writes is an error that
 * names the file. `out` needs no clearing before, gpu_inventory_clear() after,
 * on success or failure. */
int gpu_inventory_read(const char *root, struct gpu_inventory *out, struct error *err);
void gpu_inventory_clear(struct gpu_inventory *inventory);
#define _cleanup_gpu_inventory_ __attribute__((cleanup(gpu_inventory_clear)))

/* The GPU of this UUID, or NULL. Borrowed. */
const struct gpu *gpu_find(const struct gpu_inventory *inventory, const char *uuid);

/* Whether the text is a UUID behind `prefix` ("GPU-", "MIG-"), whole. Such a text is
 * safe as a file name. */
bool gpu_is_uuid(const char *text, const char *prefix);

/* ---- the texts, for tests and fuzzers: each strict, bounded, and named in errors ---- */

/* /proc/driver/nvidia/version */
int gpu_parse_version(const char *name, const char *text, char out[GPU_DRIVER_SIZE],
                      struct error *err);
/* /proc/driver/nvidia/gpus/<pci>/information; sets all but `index` and MIG. */
int gpu_parse_information(const char *name, const char *text, struct gpu *out, struct error *err);
/* /proc/devices: the majors. */
int gpu_parse_devices(const char *name, const char *text, struct gpu_inventory *out,
                      struct error *err);
/* …/access of a MIG capability: its minor, or −1 and the error. */
int gpu_parse_access(const char *name, const char *text, struct error *err);

#endif
