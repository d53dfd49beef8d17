/*
 * A report for programs: one JSON document with everything that the page shows, and
 * CSV with a line for each experiment (docs/reference/report.md).
 */
#ifndef PADDOCK_ORCHESTRATOR_REPORT_DOCUMENT_H
#define PADDOCK_ORCHESTRATOR_REPORT_DOCUMENT_H

#include "common/json.h"
#include "orchestrator/report/groups.h"

#define REPORT_VERSION 1

/* The whole document; the writer is fresh. */
void report_json(const struct report *r, const struct groups *g, struct json_writer *w);
void report_csv(const struct report *r, struct buf *out);

/* Parts of the document, as the charts of the page need them too. */
void report_json_groups(const struct groups *g, struct json_writer *w, const char *key);
void report_json_series(const struct groups *g, struct json_writer *w, const char *key);

/* "tinygpt:1" */
void report_step_name(const struct report_task *t, struct buf *out);

#endif
