/*
 * The first program of the test machine: loads the drivers of its disks, puts a
 * root together, runs one script in it and ends the machine with its status.
 *
 * The root is a tmpfs: the kernel's own first root cannot be pivoted away from,
 * which every sandbox does. Disks, in the order given to qemu: the userland
 * (programs of the host's packages), the tree (what was built, the tests), and
 * one to write to. What the kernel does not know of its command line is our
 * environment: TREE (where the tree lies on the host, and here), and what the
 * script reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_PORT 0xf4 /* isa-debug-exit: qemu ends with 2 * value + 1 */
#define EXIT_BASE 16   /* so that no failure of qemu looks like one of ours */
#define NEW       "/new"

__attribute__((noreturn)) static void end_machine(unsigned char status) {
    sync();
    if (ioperm(EXIT_PORT, 1, 1) == 0) outb((unsigned char)(EXIT_BASE + status), EXIT_PORT);
    reboot(RB_POWER_OFF); /* no such device */
    for (;;) pause();
}

__attribute__((noreturn)) static void give_up(const char *what) {
    fprintf(stderr, "vm init: %s: %s\n", what, strerror(errno));
    end_machine(3);
}

static void mount_at(const char *source, const char *target, const char *type, unsigned long flags,
                     const char *data) {
    if (mkdir(target, 0755) < 0 && errno != EEXIST) give_up(target);
    if (mount(source, target, type, flags, data) < 0) give_up(target);
}

/* Each before those that need it. What is not in the archive is built in. */
static void load_modules(void) {
    static const char *const names[] = {
        "virtio_ring",
        "virtio",
        "virtio_pci_legacy_dev",
        "virtio_pci_modern_dev",
        "virtio_pci",
        "virtio_blk",
        "crc16",
        "crc32c_generic",
        "libcrc32c",
        "crc32c-intel",
        "mbcache",
        "jbd2",
        "ext4",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/modules/%s.ko", names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST && errno != ENODEV)
            give_up(path);
        close(fd);
    }
}

/* virtio_blk's probe is over when its module is loaded, its node made a little
 * later. */
static void await_disk(const char *path) {
    for (int i = 0; access(path, F_OK) < 0; i++) {
        if (i == 2000) give_up(path);
        usleep(5000);
    }
}

/* mkdir -p, of a path below NEW. */
static void make_folders(const char *path) {
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *p = copy + sizeof NEW; (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        (void)mkdir(copy, 0755);
    }
    (void)mkdir(copy, 0755);
}

static void build_root(const char *tree) {
    static const char *const links[] = {"bin", "sbin", "lib", "lib64"};
    mount_at("root", NEW, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
    /* newuidmap is setuid, so the userland may not be nosuid. */
    mount_at("/dev/vda", NEW "/userland", "ext4", MS_RDONLY | MS_NODEV, NULL);
    mount_at(NEW "/userland/usr", NEW "/usr", NULL, MS_BIND, NULL);
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        char target[32];
        char path[32];
        snprintf(target, sizeof target, "usr/%s", links[i]);
        snprintf(path, sizeof path, NEW "/%s", links[i]);
        if (symlink(target, path) < 0) give_up(path);
    }
    mount_at("run", NEW "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
    mount_at("tmp", NEW "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
    /* After these two: it may lie below one of them. */
    char at[4096];
    snprintf(at, sizeof at, NEW "%s", tree);
    make_folders(at);
    mount_at("/dev/vdb", at, "ext4", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
    mount_at("proc", NEW "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_at("sysfs", NEW "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    mount_at("dev", NEW "/dev", "devtmpfs", MS_NOSUID, NULL);
}

static void enter_root(void) {
    if (chdir(NEW) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
        chdir("/") < 0)
        give_up("enter the root");
}

/* Programs that talk to themselves want it, as on any machine. */
static void raise_loopback(void) {
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    request.ifr_flags = IFF_UP;
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) give_up("loopback");
    close(fd);
}

int main(void) {
    mount_at("dev", "/dev", "devtmpfs", MS_NOSUID, NULL);
    /* The kernel's messages have the first port, what we run has the second. */
    int out = open("/dev/ttyS1", O_RDWR | O_NOCTTY);
    if (out < 0 || dup2(out, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) give_up("/dev/ttyS1");
    const char *tree = getenv("TREE");
    if (!tree || tree[0] != '/') give_up("TREE");
    load_modules();
    await_disk("/dev/vda");
    await_disk("/dev/vdb");
    build_root(tree);
    enter_root();
    raise_loopback();
    char script[4096];
    snprintf(script, sizeof script, "%s/tests/vm/guest.sh", tree);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        execl("/bin/bash", "bash", script, (char *)NULL);
        give_up("/bin/bash");
    }
    int status = 0;
    for (pid_t gone; (gone = wait(&status)) != pid;)
        if (gone < 0) give_up("wait");
    end_machine(WIFEXITED(status) ? (unsigned char)WEXITSTATUS(status) : 4);
}
