/* Capabilities and securebits of init and payload (declared in fence.h). */
#include "sandbox/fence.h"
#include "sandbox/weaken.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int capabilities_drop_bounding(struct error *err) {
    if (weaken("capabilities")) return 0;
    for (int cap = 0; cap < 64; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0) continue;
        /* EINVAL: above the last capability this kernel knows. */
        if (errno == EINVAL && cap > CAP_AUDIT_READ) break;
        return error_sys(err, errno, "drop capability %d from the bounding set", cap);
    }
    if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 0)
        return error_set(err, ERROR_INTERNAL, "the bounding set is not empty");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return error_sys(err, errno, "clear the ambient capabilities");
    return 0;
}

int capabilities_lock(struct error *err) {
    unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                         SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                         SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    if (weaken("capabilities")) bits = SECBIT_NO_SETUID_FIXUP;
    if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
        return error_sys(err, errno, "lock the secure bits");
    return 0;
}

int capabilities_keep(uint64_t kept, struct error *err) {
    if (weaken("capabilities")) return weaken_keep_capabilities(err);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    data[0].effective = data[0].permitted = (uint32_t)kept;
    data[1].effective = data[1].permitted = (uint32_t)(kept >> 32);
    if (syscall(SYS_capset, &header, data) < 0) return error_sys(err, errno, "drop capabilities");
    struct __user_cap_data_struct now[2];
    if (syscall(SYS_capget, &header, now) < 0) return error_sys(err, errno, "read capabilities");
    for (int i = 0; i < 2; i++)
        if (now[i].effective != data[i].effective || now[i].permitted != data[i].permitted ||
            now[i].inheritable != 0)
            return error_set(err, ERROR_INTERNAL, "capabilities are left after dropping them");
    return 0;
}
