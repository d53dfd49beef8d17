#include "orchestrator/gpu/health.h"

#include "common/cleanup.h"

#include <inttypes.h>
#include <stdio.h>

bool health_xid_is_hardware(int64_t xid) {
    static const int hardware[] = {48, 62, 63, 64, 74, 79, 92, 94, 95, 119, 120, 140};
    for (size_t i = 0; i < ARRAY_SIZE(hardware); i++)
        if (hardware[i] == xid) return true;
    return false;
}

static bool say(char *why, size_t size, const char *what, int64_t n) {
    snprintf(why, size, "%s%" PRId64, what, n);
    return true;
}

static const char *recovery_name(int64_t action) {
    static const char *const names[] = {"none", "reset the GPU", "reboot the machine", "drain P2P",
                                        "drain and reset"};
    return action >= 0 && action < 5 ? names[action] : "an unknown one";
}

bool health_sick(const struct gpu_reading *r, char *why, size_t size) {
    if (r->lost[0]) {
        snprintf(why, size, "it does not answer: %s", r->lost);
        return true;
    }
    for (size_t i = 0; i < r->xid_count; i++)
        if (health_xid_is_hardware(r->xids[i])) return say(why, size, "Xid ", r->xids[i]);
    if (r->recovery > RECOVERY_NONE) {
        snprintf(why, size, "the driver asks for a recovery: %s", recovery_name(r->recovery));
        return true;
    }
    if (r->ecc_uncorrected > 0)
        return say(why, size, "uncorrected memory errors: ", r->ecc_uncorrected);
    if (r->remap_failed > 0) return say(why, size, "a row could not be remapped: ", 1);
    if (r->remap_pending > 0) return say(why, size, "rows wait for a reset to be remapped: ", 1);
    if (r->retired_pending > 0) return say(why, size, "pages wait for a reset to be retired: ", 1);
    return false;
}

bool health_leftover(const struct gpu_reading *r, int64_t baseline, char *why, size_t size) {
    int64_t idle = (baseline > 0 ? baseline : 0) + HEALTH_IDLE_BYTES;
    if (r->process_count > 0 || r->memory_used <= idle) return false;
    if (baseline < 0 && r->memory_reserved < 0) return false; /* what is used may be the driver's */
    snprintf(why, size, "%" PRId64 " MiB are in use and no process has them", r->memory_used >> 20);
    return true;
}

bool health_busy(const struct gpu_reading *r, int64_t baseline, char *why, size_t size) {
    if (r->process_count > 0) return say(why, size, "process ", r->processes[0].pid);
    return health_leftover(r, baseline, why, size);
}

bool health_disturbed(const struct gpu_reading *before, const struct gpu_reading *now,
                      health_own *own, const void *context, char *why, size_t size) {
    if (now->lost[0]) return health_sick(now, why, size);
    for (size_t i = 0; i < now->xid_count; i++)
        if (health_xid_is_hardware(now->xids[i])) return say(why, size, "Xid ", now->xids[i]);
    if (before->ecc_uncorrected >= 0 && now->ecc_uncorrected > before->ecc_uncorrected)
        return say(why, size, "new uncorrected memory errors: ",
                   now->ecc_uncorrected - before->ecc_uncorrected);
    for (size_t i = 0; i < now->process_count; i++)
        if (!own(context, now->processes[i].pid))
            return say(why, size, "a process that is not the run's: ", now->processes[i].pid);
    if (now->throttle > 0 && (now->throttle & THROTTLE_DISTURBING)) {
        char names[160];
        throttle_names(now->throttle & THROTTLE_DISTURBING, names, sizeof names);
        snprintf(why, size, "its clocks were held down: %s", names);
        return true;
    }
    if (now->recovery > RECOVERY_NONE) return health_sick(now, why, size);
    return false;
}
