/* Ways around the filter: other call numbers, odd arguments, filters of one's own. */
#include "tests/escape/tables.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__x86_64__)
#define X32 0x40000000L

/* 32-bit calls have other numbers: mount is 21, which is access here. */
static int interrupt_80(long number) {
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(number), "b"(0), "c"(0), "d"(0) : "memory");
    return r >= 0 ? THROUGH : (int)-r;
}

static int i386_getpid(void) {
    return interrupt_80(20);
}

static int i386_mount(void) {
    return interrupt_80(21);
}

static int i386_unshare(void) {
    return interrupt_80(310);
}

static int i386_socketcall(void) {
    return interrupt_80(102);
}

static int x32_getpid(void) {
    return answered(syscall(X32 | SYS_getpid));
}

static int x32_unshare(void) {
    return answered(syscall(X32 | SYS_unshare, 0x10000000));
}

/* x32 has an execve and an ioctl of its own. */
static int x32_ptrace(void) {
    return answered(syscall(X32 | 521, 0, 0, 0, 0));
}

static int sysenter(void) {
    long r = -ENOSYS;
    __asm__ volatile("push %%rbp\n\tmov %%rsp, %%rbp\n\tsysenter\n\tpop %%rbp"
                     : "=a"(r)
                     : "a"(20L)
                     : "rcx", "rdx", "memory");
    return r >= 0 ? THROUGH : (int)-r;
}

/* A far return into the 32-bit code segment. */
static int compatibility_segment(void) {
    unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (code == MAP_FAILED) return errno;
    static const unsigned char text[] = {0xb8, 20,   0, 0, 0, /* mov $20, %eax */
                                         0xcd, 0x80,          /* int $0x80 */
                                         0xcb};               /* lret */
    for (size_t i = 0; i < sizeof text; i++) code[i] = text[i];
    long r = -ENOSYS;
    __asm__ volatile("lea 1f(%%rip), %%rcx\n\t"
                     "push %%rcx\n\t"
                     "push $0x23\n\t"
                     "push %1\n\t"
                     "lretq\n"
                     "1:"
                     : "=a"(r)
                     : "r"((uint64_t)(uintptr_t)code)
                     : "rcx", "memory");
    return r >= 0 ? THROUGH : (int)-r;
}
#else
static int other_machine(void) {
    return untried("x86 only");
}
#define i386_getpid           other_machine
#define i386_mount            other_machine
#define i386_unshare          other_machine
#define i386_socketcall       other_machine
#define x32_getpid            other_machine
#define x32_unshare           other_machine
#define x32_ptrace            other_machine
#define sysenter              other_machine
#define compatibility_segment other_machine
#endif

PROBE_CALL(number_negative, syscall(-1))
PROBE_CALL(number_unknown, syscall(5000))
PROBE_CALL(number_high, syscall(0x100000000L + 5000))
PROBE_CALL(restart, syscall(SYS_restart_syscall))
PROBE_CALL(seccomp_strict, syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL))
PROBE_CALL(seccomp_query, syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, (char[64]){0}))
PROBE_CALL(exec_at, syscall(SYS_execveat, AT_FDCWD, "/probe/probe", NULL, NULL, 0))
PROBE_CALL(personality_address, syscall(SYS_personality, 0x0040000))
PROBE_CALL(personality_32, syscall(SYS_personality, 0x0008))
PROBE_CALL(personality_high, syscall(SYS_personality, 0x10000040000UL))
PROBE_CALL(personality_exec, syscall(SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */))
PROBE_CALL(local_descriptors, syscall(SYS_modify_ldt, 1, (char[16]){0}, 16))
PROBE_CALL(io_port, syscall(SYS_ioperm, 0x80, 1, 1))
PROBE_CALL(io_level, syscall(SYS_iopl, 3))

static struct sock_fprog allow_all(struct sock_filter *f) {
    f[0] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    return (struct sock_fprog){.len = 1, .filter = f};
}

static int own_filter(unsigned flags) {
    struct sock_filter f[1];
    struct sock_fprog program = allow_all(f);
    return answered(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

static int filter_plain(void) {
    return own_filter(0);
}

static int filter_listener(void) {
    return own_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

static int filter_threads(void) {
    return own_filter(SECCOMP_FILTER_FLAG_TSYNC);
}

static int filter_by_prctl(void) {
    struct sock_filter f[1];
    struct sock_fprog program = allow_all(f);
    return answered(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}

/* A new thread must wear the same filter. */
static void *thread_unshares(void *out) {
    *(int *)out = answered(syscall(SYS_unshare, 0x10000000));
    return NULL;
}

static int filter_in_thread(void) {
    pthread_t t;
    int result = THROUGH;
    int failed = pthread_create(&t, NULL, thread_unshares, &result);
    if (failed) return failed;
    pthread_join(t, NULL);
    return result;
}

/* Changing the argument behind the filter's back: a pointer's contents may
 * change between check and use, which is why no rule looks behind one. */
static int vfork_then_unshare(void) {
    /* NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork): the point
     */
    pid_t pid = vfork();
    if (pid == 0) _exit(syscall(SYS_unshare, 0x10000000) < 0 ? errno : 0);
    /* NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
    int status = 0;
    if (pid < 0) return errno;
    if (syscall(SYS_wait4, pid, &status, 0, NULL) < 0) return errno;
    return status >> 8;
}

static const struct attempt attempts[] = {
    TRY("int80-getpid", "seccomp", "SIGSYS|SIGSEGV|ENOSYS", i386_getpid),
    TRY("int80-mount", "seccomp", "SIGSYS|SIGSEGV|ENOSYS", i386_mount),
    TRY("int80-unshare", "seccomp", "SIGSYS|SIGSEGV|ENOSYS", i386_unshare),
    TRY("int80-socketcall", "seccomp", "SIGSYS|SIGSEGV|ENOSYS", i386_socketcall),
    TRY("int80-strict", "seccomp", "SIGSYS|SIGSEGV|ENOSYS", i386_getpid, .policy = "strict"),
    TRY("sysenter", "seccomp", "SIGSYS|SIGSEGV|SIGILL|SIGTRAP|ENOSYS", sysenter),
    TRY("compatibility-segment", "seccomp", "SIGSYS|SIGSEGV|SIGILL|ENOSYS", compatibility_segment),
    TRY("x32-getpid", "seccomp", "SIGSYS|ENOSYS", x32_getpid),
    TRY("x32-unshare", "seccomp", "SIGSYS|ENOSYS", x32_unshare),
    TRY("x32-ptrace", "seccomp", "SIGSYS|ENOSYS", x32_ptrace),
    TRY("number-minus-1", "seccomp", "ENOSYS|SIGSYS", number_negative),
    TRY("number-5000", "seccomp", "ENOSYS", number_unknown),
    TRY("number-high-bits", "seccomp", "ENOSYS", number_high),
    TRY("restart-syscall", "seccomp", "EINTR", restart),
    TRY("own-filter", "seccomp", "EPERM", filter_plain),
    TRY("own-filter-listener", "seccomp", "EPERM", filter_listener),
    TRY("own-filter-tsync", "seccomp", "EPERM", filter_threads),
    TRY("own-filter-prctl", "seccomp", "EINVAL", filter_by_prctl),
    TRY("seccomp-strict-mode", "seccomp", "EPERM", seccomp_strict),
    TRY("seccomp-notify-sizes", "seccomp", "EPERM", seccomp_query),
    TRY("filter-in-thread", "seccomp", "EPERM", filter_in_thread),
    TRY("filter-in-vfork", "seccomp", "EPERM", vfork_then_unshare),
    TRY("execveat", "seccomp", "ENOSYS", exec_at),
    TRY("personality-no-randomize", "seccomp", "EPERM", personality_address),
    TRY("personality-linux32", "seccomp", "EPERM", personality_32),
    TRY("personality-read-exec", "seccomp", "EPERM", personality_exec),
    TRY("personality-high-bits", "seccomp", "EPERM", personality_high),
    TRY("modify-ldt", "seccomp", "EPERM", local_descriptors),
    TRY("ioperm", "seccomp", "policy-violation:ioperm", io_port),
    TRY("iopl", "seccomp", "policy-violation:iopl", io_level),
};
ATTEMPTS(abi_attempts, "evading the filter");
