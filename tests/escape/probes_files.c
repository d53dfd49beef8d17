/* Paths that lead out, and writes to what is read-only. The runner mounts /data
 * (read-only, not executable), /probe (read-only, executable) and /shared
 * (writable). */
#include "tests/escape/tables.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* A file of the host, under its own path and under each way that may still
 * lead to the old root. */
static int host_file_by(const char *way) {
    char path[512];
    snprintf(path, sizeof path, "%s%s", way, fact("HOST_FILE"));
    return try_open(path, O_RDONLY);
}

static int host_path(void) {
    return host_file_by("");
}

static int host_dotdot(void) {
    return host_file_by("/..");
}

/* To know that a file is there, and since when, is not to open it. */
static int host_stat_dotdot(void) {
    char path[512];
    struct stat st;
    snprintf(path, sizeof path, "/..%s", fact("HOST_FILE"));
    return answered(stat(path, &st));
}

static int host_many_dotdot(void) {
    return host_file_by("/../../../../../../../..");
}

static int host_through_root(void) {
    return host_file_by("/proc/self/root/..");
}

static int host_through_cwd(void) {
    return host_file_by("/proc/self/cwd/../../..");
}

static int host_through_init(void) {
    return host_file_by("/proc/1/root");
}

static int host_through_mount(void) {
    return host_file_by("/data/../..");
}

static int host_through_shared(void) {
    return host_file_by("/shared/../..");
}

/* A link made inside is resolved inside. */
static int host_through_link(void) {
    unlink("/work/way-out");
    if (symlink(fact("HOST_FILE"), "/work/way-out") < 0) return errno;
    return try_open("/work/way-out", O_RDONLY);
}

/* The folder that a bind comes from has the host above it, which must not be
 * reached by renaming what one stands in (CVE-2015-2925). */
static int rename_from_below(void) {
    mkdir("/shared/a", 0777);
    mkdir("/shared/a/b", 0777);
    if (chdir("/shared/a/b") < 0) return errno;
    if (rename("/shared/a/b", "/work/b") < 0 && errno == EXDEV) {
        rmdir("/shared/a/b");
        rmdir("/shared/a");
        return EXDEV;
    }
    return THROUGH;
}

static int create(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    close(fd);
    unlink(path);
    return THROUGH;
}

static int create_root(void) {
    return create("/made");
}

static int create_usr(void) {
    return create("/usr/made");
}

static int create_etc(void) {
    return create("/etc/made");
}

static int create_dev(void) {
    return create("/dev/made");
}

static int create_run(void) {
    return create("/run/made");
}

static int write_usr(void) {
    return try_write("/usr/bin/env");
}

static int write_etc(void) {
    return try_write("/etc/passwd");
}

static int write_loader(void) {
    return try_write("/etc/ld.so.cache");
}

static int write_data(void) {
    return try_write("/data/open");
}

/* By a descriptor that was opened for nothing. */
static int write_data_by_path_fd(void) {
    char path[64];
    int fd = open("/data/open", O_PATH | O_CLOEXEC);
    if (fd < 0) return errno;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return try_write(path);
}

static int write_data_by_self_exe(void) {
    return try_write("/proc/self/exe");
}

static int truncate_exe(void) {
    return answered(truncate("/proc/self/exe", 0));
}

/* While nobody runs it: an exec'ed script's interpreter is the file itself
 * (CVE-2019-5736). */
static int write_probe(void) {
    return try_write("/probe/probe");
}

static int touch_null(void) {
    return answered(utimensat(AT_FDCWD, "/dev/null", NULL, 0));
}

static int touch_data(void) {
    return answered(utimensat(AT_FDCWD, "/data/open", NULL, 0));
}

static int link_data(void) {
    return answered(link("/data/open", "/work/linked"));
}

static int exec_path(const char *path) {
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {(char *)path, NULL};
        execve(path, argv, argv + 1);
        _exit(errno);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return EAGAIN;
    return WIFEXITED(status) ? WEXITSTATUS(status) : THROUGH;
}

static int copy_probe(const char *to) {
    char bytes[1 << 16];
    int in = open("/probe/probe", O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (in < 0 || out < 0) return errno;
    for (ssize_t n; (n = read(in, bytes, sizeof bytes)) > 0;)
        if (write(out, bytes, (size_t)n) < 0) return errno;
    close(in);
    close(out);
    return 0;
}

static int exec_shm(void) {
    int failed = copy_probe("/dev/shm/probe");
    int result = failed ? failed : exec_path("/dev/shm/probe");
    unlink("/dev/shm/probe");
    return result;
}

static int exec_tmp(void) {
    int failed = copy_probe("/tmp/probe");
    int result = failed ? failed : exec_path("/tmp/probe");
    unlink("/tmp/probe");
    return result;
}

static int exec_data(void) {
    return exec_path("/data/tool");
}

static int map_data(void) {
    int fd = open("/data/tool", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    return answered(syscall(SYS_mmap, NULL, 4096, 4 /* PROT_EXEC */, 2 /* MAP_PRIVATE */, fd, 0));
}

PROBE_CALL(chmod_root, chmod("/", 0777))
PROBE_CALL(chmod_data, chmod("/data/open", 0777))
PROBE_CALL(unlink_data, unlink("/data/open"))
PROBE_CALL(rename_etc, rename("/etc/passwd", "/etc/made"))
PROBE_CALL(truncate_data, truncate("/data/open", 0))
PROBE_CALL(attribute_work, setxattr("/work", "user.overlay.opaque", "y", 1, 0))
PROBE_CALL(attribute_capability, setxattr("/work", "security.capability", "12345678", 8, 0))
PROBE_CALL(mkdir_root, mkdir("/made", 0700))

static const struct attempt attempts[] = {
    TRY("host-path", "mount-namespace", "ENOENT", host_path),
    TRY("host-dotdot", "mount-namespace", "ENOENT", host_dotdot),
    TRY("host-stat", "mount-namespace", "ENOENT", host_stat_dotdot),
    TRY("host-dotdot-many", "mount-namespace", "ENOENT", host_many_dotdot),
    TRY("host-proc-root", "mount-namespace", "ENOENT", host_through_root),
    TRY("host-proc-cwd", "mount-namespace", "ENOENT", host_through_cwd),
    TRY("host-init-root", "proc-masks", "ENOENT|EACCES", host_through_init),
    TRY("host-above-mount", "mount-namespace", "ENOENT", host_through_mount),
    TRY("host-above-shared", "mount-namespace", "ENOENT", host_through_shared),
    TRY("host-link", "mount-namespace", "ENOENT", host_through_link),
    TRY("rename-cwd-out", "mount-namespace", "EXDEV", rename_from_below),
    TRY("create-in-root", "read-only", "EACCES|EROFS", create_root),
    TRY("create-in-usr", "read-only", "EROFS|EACCES", create_usr),
    TRY("create-in-etc", "read-only", "EACCES|EROFS", create_etc),
    TRY("create-in-dev", "read-only", "EACCES|EROFS", create_dev),
    TRY("create-in-run", "read-only", "EACCES|EROFS|ENOENT", create_run),
    TRY("mkdir-in-root", "read-only", "EACCES|EROFS", mkdir_root),
    TRY("write-usr", "read-only", "EACCES|EROFS", write_usr),
    TRY("write-etc", "read-only", "EACCES|EROFS", write_etc),
    TRY("write-ld-cache", "read-only", "EACCES|EROFS", write_loader),
    TRY("write-data", "read-only", "EROFS|EACCES", write_data),
    TRY("write-data-o-path", "read-only", "EROFS|EACCES", write_data_by_path_fd),
    TRY("write-self-exe", "read-only", "EROFS|EACCES|ETXTBSY", write_data_by_self_exe),
    TRY("truncate-self-exe", "read-only", "EROFS|EACCES|ETXTBSY", truncate_exe),
    TRY("write-probe", "read-only", "EROFS|EACCES|ETXTBSY", write_probe),
    TRY("touch-dev-null", "read-only", "EROFS", touch_null),
    TRY("touch-data", "read-only", "EROFS|EACCES", touch_data),
    TRY("link-data", "mount-namespace", "EXDEV|EPERM", link_data),
    TRY("chmod-root", "read-only", "EROFS|EPERM", chmod_root),
    TRY("chmod-data", "read-only", "EROFS|EPERM", chmod_data),
    TRY("unlink-data", "read-only", "EROFS|EACCES", unlink_data),
    TRY("truncate-data", "read-only", "EROFS|EACCES", truncate_data),
    TRY("rename-etc", "read-only", "EROFS|EACCES", rename_etc),
    TRY("xattr-overlay", "seccomp", "EOPNOTSUPP", attribute_work),
    TRY("xattr-capability", "seccomp", "EOPNOTSUPP", attribute_capability),
    TRY("exec-from-shm", "mount-flags", "EACCES", exec_shm),
    TRY("exec-from-tmp-strict", "mount-flags", "EACCES", exec_tmp, .policy = "strict"),
    TRY("exec-from-data", "mount-flags", "EACCES", exec_data),
    TRY("map-exec-from-data", "mount-flags", "EPERM", map_data),
};
ATTEMPTS(file_attempts, "paths and files");
