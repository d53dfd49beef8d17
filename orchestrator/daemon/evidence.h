/*
 * The evidence of a score (judge/score.h), made of the rows and the run folders
 * of its measurement and kept as <state>/scores/<measurement>-<version>.json:
 * written once, never again.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_EVIDENCE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_EVIDENCE_H

#include "common/buf.h"
#include "common/json.h"
#include "orchestrator/daemon/daemon.h"
#include "orchestrator/daemon/store_measure.h"

/* The document of one score: as it was kept, or made and kept now.
 * ERROR_NOT_FOUND when the measurement has no score of this version (yet). */
int evidence_get(struct daemon *d, int64_t measurement, int64_t version, struct buf *out,
                 struct error *err);
/* Makes and keeps those of all scores of a measurement that is over. What does
 * not work is logged, and tried again when somebody asks. */
void evidence_keep(struct daemon *d, int64_t measurement);

/* ---- within evidence*.c ---- */

/* "phases" and "runs" of a draft. A result.json that is not any more what it was
 * when its run ended is an error. */
int evidence_put_phases(struct daemon *d, int64_t measurement, struct json_writer *w,
                        struct error *err);
int evidence_put_runs(struct daemon *d, int64_t measurement, struct json_writer *w,
                      struct error *err);

#endif
