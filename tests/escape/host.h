/*
 * The host's side of the attempts: what stands there to be reached (files, a
 * port, a socket, memory, a process), the facts about it that probes are told,
 * and whether it is all as it was afterwards.
 */
#ifndef PADDOCK_ESCAPE_HOST_H
#define PADDOCK_ESCAPE_HOST_H

#include "common/buf.h"
#include "common/error.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct host {
    char *work;                             /* all that is ours, below /tmp */
    char *data, *probe, *shared, *secret;   /* folders of it */
    char *bin, *policies, *open_policy;     /* where programs and policies are */
    bool root;                              /* the runner is root */
    pid_t decoy;                            /* a process that does nothing */
    int listener, abstract, socket_in_data; /* what one must not get through to */
    int leaks[4];                           /* descriptors without close-on-exec */
    int port, segment;                      /* TCP port; key of System V memory */
    char key[64];                           /* description of a key, "" for none */
    char name[65];                          /* of the machine */
    char *core_pattern;
    struct stat launcher;
};

#define HOST_SECRET "these words are the host's"

int host_open(struct host *h, struct error *err);
void host_close(struct host *h);
/* Puts back what a run may change. */
int host_reset(struct host *h, struct error *err);
/* The facts as "ESCAPE_X=…", for the spec's env. */
char **host_facts(const struct host *h);
/* Waits a while until nothing of the run `id` is left. */
void host_settle(const struct host *h, const char *id);
/* Appends what is not as it was, or what the run `id` left. */
void host_look(const struct host *h, const char *id, struct buf *out);
/* Ends the processes that have `id` in their command line; how many there were. */
int host_end(const char *id);
/* Removes the groups of that name, which only a weakened launcher leaves. */
void host_remove_groups(const char *dir, const char *id);
/* How far the survivor's heart came; -1: none beats. */
long host_heart(const struct host *h);

#endif
