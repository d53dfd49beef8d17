/*
 * Checking score.json against what an installation still has: its run folders
 * and snapshots, or a daemon. Only ids and digests of the document become part of
 * a path, which are what they must be since it was read (judge/score.h).
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_VERIFY_H
#define PADDOCK_ORCHESTRATOR_CLIENT_VERIFY_H

#include "orchestrator/client/http.h"
#include "orchestrator/judge/score.h"

/* Against a state folder: the files of every run, the snapshots, the document
 * that was kept. */
int verify_state(const struct score *s, const char *state, struct score_report *out,
                 struct error *err);
/* Against a daemon: its document, its rows of the runs, the candidate's snapshot. */
int verify_daemon(const struct score *s, struct http *http, struct score_report *out,
                  struct error *err);

#endif
