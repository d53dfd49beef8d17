/*
 * What of NVML's stable binary interface is used, in our own words: names of
 * functions, layouts, numbers. The library is opened when the daemon runs
 * (nvml.c), so nothing of NVIDIA's is needed to build. Sizes are asserted below,
 * for a wrong one would let the driver write behind our buffers.
 */
#ifndef PADDOCK_ORCHESTRATOR_GPU_NVML_ABI_H
#define PADDOCK_ORCHESTRATOR_GPU_NVML_ABI_H

#include <stdint.h>

typedef void *nvml_device;
typedef void *nvml_event_set;

enum nvml_return {
    NVML_OK = 0,
    NVML_NOT_SUPPORTED = 3,
    NVML_INSUFFICIENT_SIZE = 7,
    NVML_TIMEOUT = 10,
    NVML_FUNCTION_NOT_FOUND = 13,
    NVML_GPU_IS_LOST = 15,
    NVML_RESET_REQUIRED = 16,
};

enum {
    NVML_EVENT_DOUBLE_BIT = 0x2,
    NVML_EVENT_XID = 0x8,
    NVML_CLOCK_SM = 1,
    NVML_CLOCK_MEMORY = 2,
    NVML_ECC_CORRECTED = 0,
    NVML_ECC_UNCORRECTED = 1,
    NVML_ECC_VOLATILE = 0,
    NVML_TEMPERATURE_GPU = 0,
    NVML_FIELD_RECOVERY_ACTION = 230,
};

struct nvml_memory_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};
#define NVML_MEMORY_V2 (sizeof(struct nvml_memory_v2) | 2U << 24)

struct nvml_memory {
    unsigned long long total, free, used;
};

struct nvml_pci {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
};

struct nvml_process { /* of the calls _v2 and _v3 */
    unsigned pid;
    unsigned long long memory;
    unsigned gpu_instance, compute_instance;
};

struct nvml_event {
    nvml_device device;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
};

struct nvml_field {
    unsigned field, scope;
    long long timestamp, latency_us;
    int value_type, status;
    union {
        double d;
        int si;
        unsigned ui;
        unsigned long ul;
        unsigned long long ull;
        long long sll;
    } value;
};

_Static_assert(sizeof(struct nvml_memory_v2) == 40, "memory, version 2");
_Static_assert(sizeof(struct nvml_memory) == 24, "memory");
_Static_assert(sizeof(struct nvml_pci) == 68, "PCI");
_Static_assert(sizeof(struct nvml_process) == 24, "process");
_Static_assert(sizeof(struct nvml_event) == 32, "event");
_Static_assert(sizeof(struct nvml_field) == 40, "field");

#endif
