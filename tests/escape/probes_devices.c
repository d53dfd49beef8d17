/* Devices and terminals, and what descriptors one is born with. */
#include "tests/escape/tables.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#define OPENS(name, path)                \
    static int name(void) {              \
        return try_open(path, O_RDONLY); \
    }

OPENS(open_kmsg, "/dev/kmsg")
OPENS(open_mem, "/dev/mem")
OPENS(open_kvm, "/dev/kvm")
OPENS(open_fuse, "/dev/fuse")
OPENS(open_tun, "/dev/net/tun")
OPENS(open_loop, "/dev/loop-control")
OPENS(open_disk, "/dev/vda")
OPENS(open_console, "/dev/console")
OPENS(open_tty, "/dev/tty")
OPENS(open_ptmx, "/dev/ptmx")
OPENS(open_userfaultfd, "/dev/userfaultfd")
OPENS(open_vsock, "/dev/vsock")
OPENS(open_gpu, "/dev/dri/card0")
OPENS(open_nvidia, "/dev/nvidiactl")
OPENS(open_nvidia_caps, "/dev/nvidia-caps/nvidia-cap1")
OPENS(open_cpu_registers, "/dev/cpu/0/msr")
OPENS(open_planted_node, "/data/null")

static int devices_beyond_the_minimum(void) {
    static const char *const known[] = {".",      "..",  "fd",      "full",  "null", "random",
                                        "stderr", "shm", "urandom", "stdin", "zero", "stdout"};
    DIR *d = opendir("/dev");
    if (!d) return errno;
    int strange = 0;
    for (struct dirent *e; (e = readdir(d));) {
        int found = 0;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found |= strcmp(e->d_name, known[i]) == 0;
        strange += !found;
    }
    closedir(d);
    return strange ? THROUGH : HIDDEN;
}

static int make_node(mode_t type, unsigned major, unsigned minor) {
    int r = mknod("/tmp/node", type | 0666, makedev(major, minor));
    if (r < 0) return errno;
    return try_open("/tmp/node", O_RDWR);
}

static int make_null(void) {
    return make_node(S_IFCHR, 1, 3);
}

static int make_memory(void) {
    return make_node(S_IFCHR, 1, 1);
}

static int make_disk(void) {
    return make_node(S_IFBLK, 254, 0);
}

/* overlayfs's whiteout: the one node that needs no capability on some kernels. */
static int make_whiteout(void) {
    return make_node(S_IFCHR, 0, 0);
}

static int make_node_high_mode(void) {
    return answered(
        syscall(SYS_mknodat, AT_FDCWD, "/tmp/node", 0x500000000UL | S_IFCHR | 0666, makedev(1, 3)));
}

#define TYPES(name, command)                                            \
    static int name(void) {                                             \
        char c = 'x';                                                   \
        return answered(syscall(SYS_ioctl, STDIN_FILENO, command, &c)); \
    }
TYPES(type_character, (unsigned long)TIOCSTI)
TYPES(type_character_high, 0x500000000UL | TIOCSTI)
TYPES(paste_console, (unsigned long)TIOCLINUX)
TYPES(take_terminal, (unsigned long)TIOCSCTTY)
TYPES(take_console, (unsigned long)TIOCCONS)

static int has_terminal(void) {
    for (int fd = 0; fd < 3; fd++)
        if (isatty(fd)) return THROUGH;
    return HIDDEN;
}

/* ---- descriptors ---- */

static int any_descriptor(int (*use)(int)) {
    int result = HIDDEN;
    for (int fd = 3; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0) {
            int got = use(fd);
            if (got == THROUGH) return THROUGH;
            result = got;
        }
    return result;
}

static int is_inherited(int fd) {
    (void)fd;
    return THROUGH;
}

static int is_way_out(int fd) {
    return openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0 ? THROUGH : errno;
}

static int is_socket(int fd) {
    int type;
    socklen_t size = sizeof type;
    return answered(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size));
}

static int inherited(void) {
    return any_descriptor(is_inherited);
}

static int inherited_folder(void) {
    return any_descriptor(is_way_out);
}

static int inherited_socket(void) {
    return any_descriptor(is_socket);
}

/* The pipes of output lead nowhere but to the launcher's end of them. */
static int stdout_is_a_file(void) {
    struct stat st;
    if (fstat(STDOUT_FILENO, &st) < 0) return errno;
    return S_ISFIFO(st.st_mode) ? HIDDEN : THROUGH;
}

static int read_own_output(void) {
    char c;
    int fd = open("/proc/self/fd/1", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return errno;
    /* A pipe can be opened for reading by its owner; it holds one's own words,
     * which the runner is to get: so not before the launcher has taken them. */
    for (int held = 1; ioctl(fd, FIONREAD, &held) == 0 && held > 0;) usleep(1000);
    ssize_t n = read(fd, &c, 1);
    close(fd);
    return n < 0 && errno != EAGAIN ? errno : CONTAINED;
}

static int truncate_output(void) {
    int fd = open("/proc/self/fd/1", O_RDWR | O_TRUNC | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return errno;
    int result = ftruncate(fd, 0) < 0 ? errno : THROUGH;
    close(fd);
    return result;
}

static int seek_output(void) {
    return answered(lseek(STDOUT_FILENO, 0, SEEK_SET));
}

static int environment(void) {
    extern char **environ;
    for (char **e = environ; *e; e++)
        if (strncmp(*e, "ESCAPE_", 7) != 0 && strncmp(*e, "PATH=", 5) != 0 &&
            strncmp(*e, "HOME=", 5) != 0)
            return THROUGH;
    return HIDDEN;
}

static const struct attempt attempts[] = {
    TRY("dev-kmsg", "devices", "ENOENT", open_kmsg),
    TRY("dev-mem", "devices", "ENOENT", open_mem),
    TRY("dev-kvm", "devices", "ENOENT", open_kvm),
    TRY("dev-fuse", "devices", "ENOENT", open_fuse),
    TRY("dev-net-tun", "devices", "ENOENT", open_tun),
    TRY("dev-loop-control", "devices", "ENOENT", open_loop),
    TRY("dev-disk", "devices", "ENOENT", open_disk),
    TRY("dev-console", "devices", "ENOENT", open_console),
    TRY("dev-tty", "devices", "ENOENT", open_tty),
    TRY("dev-ptmx", "devices", "ENOENT", open_ptmx),
    TRY("dev-userfaultfd", "devices", "ENOENT", open_userfaultfd),
    TRY("dev-vsock", "devices", "ENOENT", open_vsock),
    TRY("dev-dri", "devices", "ENOENT", open_gpu),
    TRY("dev-nvidia", "devices", "ENOENT", open_nvidia),
    TRY("dev-nvidia-caps", "devices", "ENOENT", open_nvidia_caps),
    TRY("dev-msr", "devices", "ENOENT", open_cpu_registers),
    TRY("dev-listing", "devices", "hidden", devices_beyond_the_minimum),
    TRY("node-in-mount", "mount-flags", "EACCES", open_planted_node, .flags = ROOT_ONLY),
    TRY("mknod-null", "seccomp", "EPERM", make_null),
    TRY("mknod-mem", "seccomp", "EPERM", make_memory),
    TRY("mknod-disk", "seccomp", "EPERM", make_disk),
    TRY("mknod-whiteout", "seccomp", "EPERM", make_whiteout),
    TRY("mknod-high-bits", "seccomp", "EPERM", make_node_high_mode),
    TRY("tiocsti", "seccomp", "ENOTTY", type_character),
    TRY("tiocsti-high-bits", "seccomp", "ENOTTY", type_character_high),
    TRY("tioclinux", "seccomp", "ENOTTY", paste_console),
    TRY("tiocsctty", "seccomp", "ENOTTY", take_terminal),
    TRY("tioccons", "seccomp", "ENOTTY", take_console),
    TRY("terminal", "descriptors", "hidden", has_terminal),
    TRY("inherited-descriptor", "descriptors", "hidden", inherited),
    TRY("inherited-folder", "descriptors", "hidden", inherited_folder),
    TRY("inherited-socket", "descriptors", "hidden", inherited_socket),
    TRY("stdout-is-the-file", "descriptors", "hidden", stdout_is_a_file),
    TRY("stdout-read-back", "descriptors", "contained|EACCES", read_own_output),
    TRY("stdout-truncate", "descriptors", "EINVAL|EACCES", truncate_output),
    TRY("stdout-seek", "descriptors", "ESPIPE", seek_output),
    TRY("environment", "descriptors", "hidden", environment),
};
ATTEMPTS(device_attempts, "devices, terminals and descriptors");
