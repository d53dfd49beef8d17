/* Which disk a limit of the rate is about. */
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/cgroup_internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The kernel refuses a partition: requests are limited where they are queued. */
static int whole_disk(char out[CGROUP_DEVICE_TEXT]) {
    char path[CGROUP_DEVICE_TEXT + 64];
    snprintf(path, sizeof path, "/sys/dev/block/%.40s", out);
    if (access(path, F_OK) < 0) {
        char device[48];
        snprintf(device, sizeof device, "%.40s", out);
        snprintf(out, CGROUP_DEVICE_TEXT, "%s is no block device", device);
        return -1;
    }
    snprintf(path, sizeof path, "/sys/dev/block/%.40s/partition", out);
    if (access(path, F_OK) < 0) return 0;
    snprintf(path, sizeof path, "/sys/dev/block/%.40s/../dev", out);
    if (cgroup_read(AT_FDCWD, path, out, CGROUP_DEVICE_TEXT) <= 0) return -1;
    out[strcspn(out, "\n")] = '\0';
    return 0;
}

int cgroup_io_device(const struct spec_io *io, char out[CGROUP_DEVICE_TEXT]) {
    if (io->device) {
        snprintf(out, CGROUP_DEVICE_TEXT, "%s", io->device);
        return whole_disk(out);
    }
    struct stat st;
    if (stat(io->path, &st) < 0) {
        snprintf(out, CGROUP_DEVICE_TEXT, "%.100s: %s", io->path, strerror(errno));
        return -1;
    }
    dev_t device = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
    /* Major 0: tmpfs, overlay, a network; or btrfs, which may have many disks. */
    if (major(device) == 0) {
        snprintf(out, CGROUP_DEVICE_TEXT, "%.100s lies on no single block device", io->path);
        return -1;
    }
    snprintf(out, CGROUP_DEVICE_TEXT, "%u:%u", major(device), minor(device));
    return whole_disk(out);
}
