/* Living on after the end, and reaching who watches. A survivor beats by adding
 * to /shared/heart: the runner sees it from outside. */
#include "tests/escape/tables.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(long ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void beat_for_ever(void) {
    for (;;) {
        int fd = open("/shared/heart", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (fd >= 0) {
            if (write(fd, ".", 1) < 0) _exit(1);
            close(fd);
        }
        nap(5);
    }
}

/* Returns once the survivor beats, so that it is there when we leave. */
static int leave_behind(pid_t pid) {
    if (pid < 0) return errno;
    struct stat st;
    for (int i = 0; i < 400; i++) {
        if (stat("/shared/heart", &st) == 0 && st.st_size > 0) _exit(0);
        nap(5);
    }
    return untried("it did not start");
}

static int daemon_double_fork(void) {
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        if (fork() == 0) beat_for_ever();
        _exit(0);
    }
    return leave_behind(pid);
}

static int daemon_deaf(void) {
    pid_t pid = fork();
    if (pid == 0) {
        for (int s = 1; s < 65; s++) signal(s, SIG_IGN);
        setsid();
        beat_for_ever();
    }
    return leave_behind(pid);
}

/* What is closed does not hold back the launcher; what is not must not either. */
static int daemon_silent(void) {
    pid_t pid = fork();
    if (pid == 0) {
        for (int fd = 0; fd < 3; fd++) close(fd);
        setsid();
        beat_for_ever();
    }
    return leave_behind(pid);
}

static int daemon_subreaper(void) {
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        for (int i = 0; i < 3; i++)
            if (fork() == 0) beat_for_ever();
        for (;;) wait(NULL);
    }
    return leave_behind(pid);
}

static int daemon_stopped(void) {
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) beat_for_ever();
        raise(SIGSTOP);
        beat_for_ever();
    }
    return leave_behind(pid);
}

static int daemon_respawning(void) {
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            pid_t next = fork();
            if (next == 0) beat_for_ever();
            waitpid(next, NULL, 0);
        }
    }
    return leave_behind(pid);
}

static int outlive_the_launcher(void) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    setsid();
    beat_for_ever();
    return THROUGH;
}

static int kill_all(void) {
    kill(-1, SIGKILL);
    return CONTAINED;
}

/* Pid 1 takes no signal from inside that it did not ask for. */
static int kill_init_by(int (*send)(int), int signal_number) {
    int result = send(signal_number) < 0 ? errno : CONTAINED;
    nap(20);
    return result; /* when init had died, we would be dead too */
}

static int plain_kill(int s) {
    return kill(1, s);
}

static int thread_kill(int s) {
    return (int)syscall(SYS_tgkill, 1, 1, s);
}

static int queued_kill(int s) {
    siginfo_t info = {.si_signo = s, .si_code = SI_QUEUE};
    return (int)syscall(SYS_rt_sigqueueinfo, 1, s, &info);
}

static int kill_init(void) {
    return kill_init_by(plain_kill, SIGKILL);
}

static int stop_init(void) {
    return kill_init_by(plain_kill, SIGSTOP);
}

static int child_signal_to_init(void) {
    return kill_init_by(thread_kill, SIGCHLD);
}

static int queue_to_init(void) {
    return kill_init_by(queued_kill, SIGTERM);
}

static int signal_host(void) {
    return answered(kill((pid_t)fact_number("PID"), SIGTERM));
}

static int signal_host_group(void) {
    return answered(kill(-(pid_t)fact_number("PID"), SIGTERM));
}

static int own_host_process(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return errno;
    return answered(fcntl(ends[0], F_SETOWN, (int)fact_number("PID")));
}

static int hold_host_process(void) {
    int r = (int)syscall(SYS_pidfd_open, (pid_t)fact_number("PID"), 0);
    return answered(r);
}

static int wait_for_host_process(void) {
    return answered(waitpid((pid_t)fact_number("PID"), NULL, WNOHANG));
}

/* As many as there is time for: an emulated machine is slow. */
static int use_up_pids(void) {
    time_t end = time(NULL) + 2;
    for (int i = 0; i < 1500 && time(NULL) <= end; i++) {
        pid_t pid = fork();
        if (pid == 0) _exit(0);
        if (pid > 0) waitpid(pid, NULL, 0);
    }
    return CONTAINED;
}

/* Stands still to be looked at from outside (posture.c); not an attempt. */
static void *stand_still(void *barrier) {
    pthread_barrier_wait(barrier); /* a thread that starts has other signals blocked */
    for (;;) pause();
    return NULL;
}

static int hold_still(void) {
    pthread_t t;
    pthread_barrier_t all;
    pthread_barrier_init(&all, NULL, 3);
    for (int i = 0; i < 2; i++)
        if (pthread_create(&t, NULL, stand_still, &all)) return EAGAIN;
    pthread_barrier_wait(&all);
    printf("securebits %x\n", (unsigned)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
    fflush(stdout);
    for (;;) pause();
    return THROUGH;
}

#define LEAVES .flags = ALONE
static const struct attempt attempts[] = {
    TRY("hold-still", "none", "killed", hold_still, .flags = ALONE),
    TRY("daemon-double-fork", "pid-namespace", "ended:exit", daemon_double_fork, LEAVES),
    TRY("daemon-deaf", "pid-namespace", "ended:exit", daemon_deaf, LEAVES),
    TRY("daemon-silent", "pid-namespace", "ended:exit", daemon_silent, LEAVES),
    TRY("daemon-subreaper", "pid-namespace", "ended:exit", daemon_subreaper, LEAVES),
    TRY("daemon-stopped", "pid-namespace", "ended:exit", daemon_stopped, LEAVES),
    TRY("daemon-respawning", "pid-namespace", "ended:exit", daemon_respawning, LEAVES),
    TRY("launcher-killed", "kill", "gone", outlive_the_launcher, .flags = ALONE | KILL_LAUNCHER),
    TRY("launcher-killed-sweep", "sweep", "gone", outlive_the_launcher,
        .flags = ALONE | KILL_LAUNCHER),
    TRY("kill-everybody", "pid-namespace", "contained", kill_all, .flags = ALONE | REACHES_ALL),
    TRY("kill-init", "pid-namespace", "contained|EPERM", kill_init),
    TRY("stop-init", "pid-namespace", "contained|EPERM", stop_init),
    TRY("sigchld-to-init", "pid-namespace", "contained|EPERM", child_signal_to_init),
    TRY("sigqueue-to-init", "pid-namespace", "contained|EPERM", queue_to_init),
    TRY("signal-host", "pid-namespace", "ESRCH", signal_host),
    TRY("signal-host-group", "pid-namespace", "ESRCH", signal_host_group),
    TRY("setown-host", "pid-namespace", "ESRCH", own_host_process),
    TRY("pidfd-host", "pid-namespace", "ESRCH|EINVAL", hold_host_process),
    TRY("wait-host", "pid-namespace", "ECHILD", wait_for_host_process),
    TRY("pids-churn", "pid-namespace", "contained", use_up_pids),
};
ATTEMPTS(survivor_attempts, "survivors");
