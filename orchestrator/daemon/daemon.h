/*
 * What every part of the daemon shares: the folders of the installation, the
 * store, the secret, the lanes.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_DAEMON_H
#define PADDOCK_ORCHESTRATOR_DAEMON_DAEMON_H

#include "common/error.h"
#include "orchestrator/daemon/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SECRET_BYTES 32

struct gpu_pool;
struct lanes;

enum daemon_stop {
    STOP_NO,
    STOP_WHEN_IDLE, /* once nothing runs and nothing waits */
    STOP_NOW,       /* launchers that run go on and are found again */
};

struct daemon {
    char *state; /* absolute folders */
    char *runs, *snapshots, *built, *data, *tmp, *images;
    char *socket;
    int lock_fd; /* holds the installation's lock */
    struct store *store;
    uint8_t secret[SECRET_BYTES];
    char *machine;      /* the probe's report as JSON; NULL: it failed */
    char *installation; /* 8 hex digits: tells the sandboxes of two daemons apart */
    struct lanes *lanes;
    struct gpu_pool *gpus; /* never NULL; empty where there are none */
    /* Held for reading from the moment a file of the state is made until a row
     * refers to it; gc holds it for writing. */
    pthread_rwlock_t files;
    atomic_int stop; /* enum daemon_stop */
    int stop_fd;     /* an eventfd that wakes main */
};

/* Makes the folders, takes the lock (ERROR_BUSY names the pid that has it),
 * opens the store, reads or makes the secret. What a killed daemon left in tmp
 * is removed. Takes over nothing; daemon_close() frees all. */
int daemon_open(const char *state, struct daemon *out, struct error *err);
void daemon_close(struct daemon *d);

/* Whether a check of the probe said yes, and its detail (in fresh memory, or NULL). A
 * check that there is not, or a probe that failed, said no. */
int daemon_machine_can(const struct daemon *d, const char *check, bool *can, char **detail,
                       struct error *err);

/* Asks main to stop; a stronger wish replaces a weaker one. */
void daemon_request_stop(struct daemon *d, enum daemon_stop how);

/* A fresh folder below tmp, mode 0700; daemon_tmp_remove() it. */
char *daemon_tmp(struct daemon *d, struct error *err);
/* Removes a folder and frees its name; for _cleanup_tmp_. */
void daemon_tmp_remove(char **path);
#define _cleanup_tmp_ __attribute__((cleanup(daemon_tmp_remove)))

/* ENOSPC when the state has less room than this left: better to begin nothing
 * than to end half-way. */
int daemon_check_space(const struct daemon *d, uint64_t bytes, struct error *err);

/* The folder of a run, in fresh memory. */
char *daemon_run_dir(const struct daemon *d, int64_t run, struct error *err);

#endif
