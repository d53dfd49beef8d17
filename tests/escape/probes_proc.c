/* What procfs and sysfs would show or let write. */
#include "tests/escape/tables.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define SEES(name, path)      \
    static int name(void) {   \
        return try_see(path); \
    }
#define WRITES(name, path)               \
    static int name(void) {              \
        return try_open(path, O_WRONLY); \
    }

SEES(see_init, "/proc/1/status")
SEES(see_init_environ, "/proc/1/environ")
SEES(see_init_fds, "/proc/1/fd")
SEES(see_init_maps, "/proc/1/maps")
SEES(see_kcore, "/proc/kcore")
SEES(see_keys, "/proc/keys")
SEES(see_key_users, "/proc/key-users")
SEES(see_kallsyms, "/proc/kallsyms")
SEES(see_kmsg, "/proc/kmsg")
SEES(see_timers, "/proc/timer_list")
SEES(see_slabs, "/proc/slabinfo")
SEES(see_cmdline, "/proc/cmdline")
SEES(see_interrupts, "/proc/interrupts")
SEES(see_modules, "/proc/modules")
SEES(see_acpi, "/proc/acpi")
SEES(see_vmalloc, "/proc/vmallocinfo")
SEES(see_pages, "/proc/kpageflags")
SEES(see_config, "/proc/config.gz")
SEES(see_pagetypes, "/proc/pagetypeinfo")
SEES(see_sched_debug, "/proc/sched_debug")
SEES(see_sysfs, "/sys")
SEES(see_cgroupfs, "/sys/fs/cgroup")
SEES(see_debugfs, "/sys/kernel/debug")
SEES(see_var, "/var")
SEES(see_home, "/home")
SEES(see_root_home, "/root")
SEES(see_boot, "/boot")
SEES(see_run, "/run")
SEES(see_shadow, "/etc/shadow")
WRITES(write_core_pattern, "/proc/sys/kernel/core_pattern")
WRITES(write_modprobe, "/proc/sys/kernel/modprobe")
WRITES(write_binfmt, "/proc/sys/fs/binfmt_misc/register")
WRITES(write_drop_caches, "/proc/sys/vm/drop_caches")
WRITES(write_overcommit, "/proc/sys/vm/overcommit_memory")
WRITES(write_max_userns, "/proc/sys/user/max_user_namespaces")
WRITES(write_ip_forward, "/proc/sys/net/ipv4/ip_forward")
WRITES(write_shmmax, "/proc/sys/kernel/shmmax")
WRITES(write_hostname, "/proc/sys/kernel/hostname")
WRITES(write_next_pid, "/proc/sys/kernel/ns_last_pid")
WRITES(write_sysrq, "/proc/sysrq-trigger")
WRITES(write_uevent, "/sys/kernel/uevent_helper")
WRITES(write_release_agent, "/sys/fs/cgroup/memory/release_agent")
WRITES(write_irq, "/proc/irq/default_smp_affinity")
WRITES(write_init_score, "/proc/1/oom_score_adj")
WRITES(write_init_memory, "/proc/1/mem")

static int write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int result = answered(write(fd, text, strlen(text)));
    close(fd);
    return result;
}

static int spare_oneself(void) {
    return write_text("/proc/self/oom_score_adj", "-1000");
}

/* Below what init has is refused; it may only offer itself more. */
static int spare_oneself_a_little(void) {
    return write_text("/proc/self/oom_score_adj", "0");
}

static int map_more_ids(void) {
    return write_text("/proc/self/uid_map", "0 0 4294967295");
}

static int allow_setgroups(void) {
    return write_text("/proc/self/setgroups", "allow");
}

static int shift_clocks(void) {
    return write_text("/proc/self/timens_offsets", "monotonic 1000 0");
}

static int change_label(void) {
    int result = write_text("/proc/self/attr/current", "unconfined");
    return result == ENOENT || result == EINVAL || result == EPERM || result == EACCES ? EACCES
                                                                                       : result;
}

/* Only one's own processes, and not even init, may be listed. */
static int list_processes(void) {
    DIR *d = opendir("/proc");
    if (!d) return errno;
    int others = 0;
    for (struct dirent *e; (e = readdir(d));) {
        long pid = strtol(e->d_name, NULL, 10);
        others += pid > 0 && pid != getpid() && pid != getppid();
    }
    closedir(d);
    return others ? THROUGH : HIDDEN;
}

static int see_host_process(void) {
    return kill((pid_t)fact_number("PID"), 0) < 0 && errno == ESRCH ? ESRCH : THROUGH;
}

static int see_host_status(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/status", fact("PID"));
    return try_see(path);
}

/* The group's place on the machine. */
static int see_group_path(void) {
    char line[512];
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f) return errno;
    int result = HIDDEN;
    while (fgets(line, sizeof line, f)) {
        const char *path = strrchr(line, ':');
        if (path && strcmp(path, ":/\n") != 0) result = THROUGH;
    }
    fclose(f);
    return result;
}

static int see_host_name(void) {
    struct utsname u;
    if (uname(&u) < 0) return errno;
    if (strcmp(fact("HOSTNAME"), "paddock") == 0) return untried("the machine is named paddock");
    return strcmp(u.nodename, fact("HOSTNAME")) == 0 ? THROUGH : HIDDEN;
}

static int see_uptime(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    if (fact_number("UPTIME") < 60) return untried("the machine is not up for a minute yet");
    return t.tv_sec + 2 >= fact_number("UPTIME") ? THROUGH : HIDDEN; /* sysinfo(2) rounds up */
}

static int see_monotonic(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    if (fact_number("UPTIME") < 60) return untried("the machine is not up for a minute yet");
    return t.tv_sec >= 60 ? THROUGH : HIDDEN;
}

static int see_host_mounts(void) {
    char line[4096], point[4096];
    FILE *f = fopen("/proc/self/mountinfo", "re");
    if (!f) return errno;
    int result = HIDDEN;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1) continue;
        if (strncmp(point, "/boot", 5) == 0 || strncmp(point, "/sys", 4) == 0 ||
            strncmp(point, "/home", 5) == 0)
            result = THROUGH;
    }
    fclose(f);
    return result;
}

#define SEEN "hidden|EACCES|EPERM|ENOENT|EIO"
#define SHUT "EACCES|EROFS|ENOENT|EPERM"
static const struct attempt attempts[] = {
    TRY("see-init", "proc-masks", "hidden", see_init),
    TRY("see-init-environ", "proc-masks", "hidden", see_init_environ),
    TRY("see-init-descriptors", "proc-masks", "hidden", see_init_fds),
    TRY("see-init-maps", "proc-masks", "hidden", see_init_maps),
    TRY("list-processes", "proc-masks", "hidden", list_processes),
    TRY("see-kcore", "proc-masks", SEEN, see_kcore),
    TRY("see-keys", "proc-masks", SEEN, see_keys),
    TRY("see-key-users", "proc-masks", SEEN, see_key_users),
    TRY("see-kallsyms", "proc-masks", SEEN, see_kallsyms),
    TRY("see-kmsg", "proc-masks", SEEN, see_kmsg),
    TRY("see-timer-list", "proc-masks", SEEN, see_timers),
    TRY("see-slabinfo", "proc-masks", SEEN, see_slabs),
    TRY("see-boot-command", "proc-masks", SEEN, see_cmdline),
    TRY("see-interrupts", "proc-masks", SEEN, see_interrupts),
    TRY("see-modules", "proc-masks", SEEN, see_modules),
    TRY("see-acpi", "proc-masks", SEEN, see_acpi),
    TRY("see-vmallocinfo", "proc-masks", SEEN, see_vmalloc),
    TRY("see-kpageflags", "proc-masks", SEEN, see_pages),
    TRY("see-config", "proc-masks", SEEN, see_config),
    TRY("see-pagetypeinfo", "proc-masks", SEEN, see_pagetypes),
    TRY("see-sched-debug", "proc-masks", SEEN, see_sched_debug),
    TRY("see-sysfs", "mount-namespace", "hidden", see_sysfs),
    TRY("see-cgroupfs", "mount-namespace", "hidden", see_cgroupfs),
    TRY("see-debugfs", "mount-namespace", "hidden", see_debugfs),
    TRY("see-var", "mount-namespace", "hidden", see_var),
    TRY("see-home", "mount-namespace", "hidden", see_home),
    TRY("see-root-home", "mount-namespace", "hidden", see_root_home),
    TRY("see-boot", "mount-namespace", "hidden", see_boot),
    TRY("see-run", "mount-namespace", "hidden", see_run),
    TRY("see-shadow", "mount-namespace", "hidden", see_shadow),
    TRY("see-host-mounts", "mount-namespace", "hidden", see_host_mounts),
    TRY("see-host-process", "pid-namespace", "ESRCH", see_host_process),
    TRY("see-host-status", "pid-namespace", "hidden", see_host_status),
    TRY("see-group-path", "cgroup-namespace", "hidden", see_group_path),
    TRY("see-host-name", "uts-namespace", "hidden", see_host_name),
    TRY("see-uptime", "time-namespace", "hidden", see_uptime),
    TRY("see-monotonic", "time-namespace", "hidden", see_monotonic),
    TRY("write-core-pattern", "proc-masks", SHUT, write_core_pattern),
    TRY("write-modprobe", "proc-masks", SHUT, write_modprobe),
    TRY("write-binfmt", "proc-masks", SHUT, write_binfmt),
    TRY("write-drop-caches", "proc-masks", SHUT, write_drop_caches),
    TRY("write-overcommit", "proc-masks", SHUT, write_overcommit),
    TRY("write-max-user-namespaces", "proc-masks", SHUT, write_max_userns),
    TRY("write-ip-forward", "proc-masks", SHUT, write_ip_forward),
    TRY("write-shmmax", "proc-masks", SHUT, write_shmmax),
    TRY("write-proc-hostname", "proc-masks", SHUT, write_hostname),
    TRY("write-ns-last-pid", "proc-masks", SHUT, write_next_pid),
    TRY("write-sysrq", "proc-masks", SHUT, write_sysrq),
    TRY("write-uevent-helper", "mount-namespace", SHUT, write_uevent),
    TRY("write-release-agent", "mount-namespace", SHUT, write_release_agent),
    TRY("write-irq-affinity", "proc-masks", SHUT, write_irq),
    TRY("write-init-oom-score", "proc-masks", SHUT, write_init_score),
    TRY("write-init-memory", "proc-masks", SHUT, write_init_memory),
    TRY("oom-score-minus-1000", "capabilities", "EACCES|EPERM", spare_oneself),
    TRY("oom-score-zero", "landlock", "EACCES|EPERM", spare_oneself_a_little,
        .flags = NEEDS_LANDLOCK),
    TRY("uid-map", "capabilities", "EPERM|EACCES", map_more_ids),
    TRY("setgroups-allow", "capabilities", "EPERM|EACCES|EINVAL", allow_setgroups),
    TRY("clock-offsets", "time-namespace", "EACCES|EPERM|ENOENT", shift_clocks),
    TRY("lsm-label", "capabilities", "EACCES", change_label),
};
ATTEMPTS(proc_attempts, "procfs and sysfs");
