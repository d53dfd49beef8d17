/*
 * Posture probes: attempts, each harmless where it succeeds. What would change
 * something is called with arguments the kernel rejects only after it has
 * granted the permission. A probe returns 0 when the attempt worked, else an
 * errno; it runs in a process of its own and leaves open what it opened.
 */
#ifndef PADDOCK_TESTS_PROBES_H
#define PADDOCK_TESTS_PROBES_H

struct probe {
    const char *name;
    int (*run)(void);
};

/* Each list ends with a NULL name. */
extern const struct probe probes_files[];  /* mounts, files, devices, proc and sys */
extern const struct probe probes_kernel[]; /* system calls, and who one is */
extern const struct probe probes_net[];    /* sockets and ipc */
extern const struct probe probes_mounts[]; /* last, since they cover what others look at */
extern const struct probe probes_heavy[];  /* how much one may take */

/* What stands outside for the probes to look for, until stdin closes. */
int probes_stand_host(void);

int probe_result(long r);  /* a system call's return value as a probe's */
int probe_reached(long r); /* worked, or failed for another reason than permission */
int probe_opens(const char *path, int flags);
int probe_reads(const char *path);   /* at least a byte */
int probe_lists(const char *path);   /* at least one entry */
int probe_creates(const char *path); /* and removes it again */

#endif
