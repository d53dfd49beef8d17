/* Ids, capabilities, and rights one might regain. */
#include "tests/escape/tables.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

PROBE_CALL(uid_root, syscall(SYS_setuid, 0))
PROBE_CALL(uid_other, syscall(SYS_setresuid, 1001, 1001, 1001))
PROBE_CALL(gid_root, syscall(SYS_setgid, 0))
PROBE_CALL(nice_up, setpriority(PRIO_PROCESS, 0, -5))
PROBE_CALL(unset_no_new_privs, syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0))
PROBE_CALL(secure_bits, syscall(SYS_prctl, PR_SET_SECUREBITS, 0, 0, 0, 0))
PROBE_CALL(keep_capabilities, syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0))
PROBE_CALL(ambient, syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0))
PROBE_CALL(dumpable, syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))
PROBE_CALL(let_anyone_trace, syscall(SYS_prctl, 0x59616d61 /* PR_SET_PTRACER */, -1, 0, 0, 0))
PROBE_CALL(map_brk, syscall(SYS_prctl, PR_SET_MM, PR_SET_MM_EXE_FILE, 0, 0, 0))
PROBE_CALL(no_time_stamps, syscall(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0))
PROBE_CALL(core_scheduling, syscall(SYS_prctl, 62 /* PR_SCHED_CORE */, 1, 0, 0, 0))
PROBE_CALL(flush_l1, syscall(SYS_prctl, PR_SET_SPECULATION_CTRL, 0, 8, 0, 0))
PROBE_CALL(prctl_high, syscall(SYS_prctl, 0x700000000UL | PR_SET_DUMPABLE, 1, 0, 0, 0))
PROBE_CALL(limits_of_parent, syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, NULL))
PROBE_CALL(limits_of_init, syscall(SYS_prlimit64, 1, RLIMIT_CPU, &(struct rlimit){1, 1}, NULL))
PROBE_CALL(fifo_class, syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, (int[]){1}))
PROBE_CALL(io_class, syscall(SYS_ioprio_set, 1, 0, 1 << 13))

static int capset_all(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{~0U, ~0U, ~0U}, {~0U, ~0U, ~0U}};
    return answered(syscall(SYS_capset, &header, data));
}

static int chown_to(uid_t uid) {
    int fd = open("/work/mine", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    int result = answered(fchown(fd, uid, uid));
    close(fd);
    unlink("/work/mine");
    return result;
}

static int give_to_root(void) {
    return chown_to(0);
}

static int give_to_other(void) {
    return chown_to(1001);
}

static int any_capability(void) {
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");
    if (!f) return errno;
    int result = HIDDEN;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "Cap", 3) == 0 && strtoull(line + 7, NULL, 16) != 0) result = THROUGH;
    fclose(f);
    return result;
}

static int groups(void) {
    gid_t list[64];
    int n = getgroups(64, list);
    return n < 0 ? errno : n == 0 ? HIDDEN : THROUGH;
}

/* A program whose owner is an id of this namespace and that has the setuid bit. */
static int setuid_program(void) {
    static const char *const programs[] = {"/data/setuid-low", "/data/setuid-high",
                                           "/probe/setuid-low", "/probe/setuid-high"};
    int result = ENOENT;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execl(programs[i], programs[i], "--ids", (char *)NULL);
            _exit(errno);
        }
        int status = 0;
        if (pid < 0 || waitpid(pid, &status, 0) != pid) return EAGAIN;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 200) return THROUGH;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) result = HIDDEN;
    }
    return result;
}

/* Own files may carry the bit, but it must count for nothing either. */
static int setuid_own(void) {
    int fd = open("/work/bit", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    if (fd < 0) return errno;
    if (fchmod(fd, 04755) < 0) return errno;
    struct stat st;
    fstat(fd, &st);
    close(fd);
    unlink("/work/bit");
    return st.st_uid == getuid() ? CONTAINED : THROUGH;
}

/* A file of the machine's own user 1000, closed to others. */
static int file_of_host_user(void) {
    return try_open("/data/private", O_RDONLY);
}

static int file_of_host_root(void) {
    return try_open("/data/root-only", O_RDONLY);
}

static int more_files(void) {
    struct rlimit l = {1 << 20, 1 << 20};
    return answered(setrlimit(RLIMIT_NOFILE, &l));
}

static int more_core(void) {
    struct rlimit l = {1 << 20, 1 << 20};
    return answered(setrlimit(RLIMIT_CORE, &l));
}

static int open_too_many(void) {
    for (int i = 0; i < 1200; i++)
        if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return errno;
    return THROUGH;
}

static int lock_too_much(void) {
    size_t bytes = 16 << 20;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return errno;
    return answered(mlock(p, bytes));
}

static int dump_core(void) {
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir("/work") < 0) _exit(1);
        raise(SIGQUIT);
        _exit(0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return EAGAIN;
    return WIFSIGNALED(status) && WCOREDUMP(status) ? THROUGH : HIDDEN;
}

static int leave_cpus(void) {
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    if (sched_setaffinity(0, sizeof all, &all) < 0) return errno;
    if (sched_getaffinity(0, sizeof all, &all) < 0) return errno;
    return CPU_COUNT(&all) > 1 ? THROUGH : CONTAINED;
}

static const struct attempt attempts[] = {
    TRY("uid-0", "capabilities", "EPERM|EINVAL", uid_root),
    TRY("uid-0-strict", "seccomp", "EPERM", uid_root, .policy = "strict"),
    TRY("uid-1001", "capabilities", "EPERM|EINVAL", uid_other),
    TRY("gid-0", "capabilities", "EPERM|EINVAL", gid_root),
    TRY("capset", "seccomp", "EPERM", capset_all),
    TRY("capabilities-left", "capabilities", "hidden", any_capability),
    TRY("groups-left", "capabilities", "hidden", groups, .flags = OWN_IDS),
    TRY("chown-to-root", "capabilities", "EPERM|EINVAL", give_to_root),
    TRY("chown-to-other", "capabilities", "EPERM|EINVAL", give_to_other),
    TRY("setuid-program", "mount-flags", "hidden|EACCES", setuid_program, .flags = OWN_IDS),
    TRY("setuid-own-file", "user-namespace", "contained", setuid_own),
    TRY("file-of-host-user", "user-namespace", "EACCES", file_of_host_user, .flags = ROOT_ONLY),
    TRY("file-of-host-root", "user-namespace", "EACCES", file_of_host_root, .flags = OWN_IDS),
    TRY("no-new-privs-off", "no-new-privs", "EINVAL", unset_no_new_privs),
    TRY("securebits", "seccomp", "EINVAL", secure_bits),
    TRY("keepcaps", "seccomp", "EINVAL", keep_capabilities),
    TRY("ambient", "seccomp", "EINVAL", ambient),
    TRY("dumpable", "seccomp", "EINVAL", dumpable),
    TRY("set-ptracer", "seccomp", "EINVAL", let_anyone_trace),
    TRY("set-mm", "seccomp", "EINVAL", map_brk),
    TRY("set-tsc", "seccomp", "EINVAL", no_time_stamps),
    TRY("sched-core", "seccomp", "EINVAL", core_scheduling),
    TRY("speculation", "seccomp", "EINVAL", flush_l1),
    TRY("prctl-high-bits", "seccomp", "EINVAL", prctl_high),
    TRY("nice", "user-namespace", "EACCES|EPERM", nice_up),
    TRY("sched-fifo", "seccomp", "EPERM", fifo_class),
    TRY("ioprio", "seccomp", "EPERM", io_class),
    TRY("prlimit-parent", "seccomp", "EPERM", limits_of_parent),
    TRY("prlimit-init", "seccomp", "EPERM", limits_of_init),
    TRY("raise-nofile", "rlimits", "EPERM", more_files),
    TRY("raise-core", "rlimits", "EPERM", more_core),
    TRY("open-too-many", "rlimits", "EMFILE", open_too_many),
    TRY("mlock-too-much", "rlimits", "ENOMEM|EPERM|EAGAIN", lock_too_much),
    TRY("core-dump", "rlimits", "hidden", dump_core),
    TRY("affinity", "cgroup", "contained|EINVAL", leave_cpus, .flags = NEEDS_GROUP | ALONE,
        .cpus = "0"),
};
ATTEMPTS(identity_attempts, "ids, capabilities and limits");
