/*
 * A report as one HTML page that needs nothing else: tables first, so that it says
 * everything without a script; charts drawn from the same numbers by D3, which is put
 * into the page whole. A Content-Security-Policy lets nothing in but that library and
 * our own script and style, each by its hash. Readable in print and on a dark ground.
 */
#ifndef PADDOCK_ORCHESTRATOR_REPORT_PAGE_H
#define PADDOCK_ORCHESTRATOR_REPORT_PAGE_H

#include "common/buf.h"
#include "orchestrator/report/groups.h"

/* Where the Debian package node-d3 puts it. */
#define PAGE_LIBRARY "/usr/share/nodejs/d3/dist/d3.min.js"

struct page_options {
    bool charts;
    const char *library; /* NULL: PAGE_LIBRARY */
};

/* Without the library and with charts: an error that names the package. */
int page_write(const struct report *r, const struct groups *g, const struct page_options *options,
               struct buf *out, struct error *err);

#endif
