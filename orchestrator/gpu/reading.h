/*
 * What was read of the GPUs at one moment. Numbers that a machine does not tell are
 * -1, texts it does not tell are empty.
 */
#ifndef PADDOCK_ORCHESTRATOR_GPU_READING_H
#define PADDOCK_ORCHESTRATOR_GPU_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    READING_GPUS_MOST = 64,
    READING_PROCESSES_MOST = 256, /* of one GPU; more are counted by no one */
    READING_XIDS_MOST = 16,
};

/* Why the clocks are lower than they could be: bits as NVML has them. */
enum {
    THROTTLE_POWER_CAP = 0x4, /* normal under load */
    THROTTLE_HW_SLOWDOWN = 0x8,
    THROTTLE_SW_THERMAL = 0x20,
    THROTTLE_HW_THERMAL = 0x40,
    THROTTLE_POWER_BRAKE = 0x80,
    THROTTLE_DISTURBING =
        THROTTLE_HW_SLOWDOWN | THROTTLE_SW_THERMAL | THROTTLE_HW_THERMAL | THROTTLE_POWER_BRAKE,
};

/* What the driver says has to be done to use a GPU again. */
enum recovery_action {
    RECOVERY_NONE,
    RECOVERY_RESET,
    RECOVERY_REBOOT,
    RECOVERY_DRAIN_P2P,
    RECOVERY_DRAIN_AND_RESET
};

struct gpu_process {
    int64_t pid, memory_bytes; /* -1: not told */
};

struct gpu_reading {
    char uuid[64], name[96], pci[32];
    char lost[96]; /* why it does not answer; "": it does */
    int64_t index, minor;
    int64_t memory_total, memory_used, memory_reserved; /* bytes; used without reserved */
    int64_t mig_mode, mig_instances;
    int64_t sm_mhz, memory_mhz, throttle; /* throttle: bits */
    int64_t temperature_c, power_mw, energy_mj;
    int64_t ecc_corrected, ecc_uncorrected; /* since the driver was loaded */
    int64_t remapped, remap_pending, remap_failed, retired_pending;
    int64_t recovery; /* enum recovery_action */
    struct gpu_process processes[READING_PROCESSES_MOST];
    size_t process_count;
    bool processes_told;
    int64_t xids[READING_XIDS_MOST]; /* since the last reading */
    size_t xid_count;
};

struct gpu_readings {
    char driver[80];
    struct gpu_reading *items; /* owned */
    size_t count;
};

void gpu_readings_clear(struct gpu_readings *r);
#define _cleanup_gpu_readings_ __attribute__((cleanup(gpu_readings_clear)))

/* The one of this UUID, or NULL. Borrowed. */
const struct gpu_reading *gpu_readings_find(const struct gpu_readings *r, const char *uuid);
/* A reading of which nothing is known. */
void gpu_reading_init(struct gpu_reading *r);
/* The names of the bits, with ", " between; "" for none. */
void throttle_names(int64_t bits, char *out, size_t size);

#endif
