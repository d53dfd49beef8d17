/* What a score says of the runs that the machine disturbed. */
#include "common/cleanup.h"
#include "orchestrator/daemon/measure.h"
#include "orchestrator/daemon/store_void.h"
#include "orchestrator/judge/fisher.h"

#include <inttypes.h>

/* A program could make noise when its run goes badly, and be run again. */
#define FINDING_P 0.01

static void put_tally(struct json_writer *w, size_t arm, const struct void_tally *t) {
    json_open_object(w, NULL);
    json_put_int(w, "arm", (int64_t)arm);
    json_put_int(w, "runs", t->runs);
    json_put_int(w, "voids", t->voids);
    json_close_object(w);
}

static void put_finding(struct json_writer *w, const struct void_tally *own,
                        const struct void_tally *records) {
    double p = fisher_p(own->voids, own->runs, records->voids, records->runs);
    if (p >= FINDING_P) return;
    _cleanup_free_ char *text =
        str_printf("%" PRId64 " of its %" PRId64 " runs were outside the bounds, %" PRId64
                   " of the records' %" PRId64 ": more than chance would have it (p = %.2g)",
                   own->voids, own->runs, records->voids, records->runs, p);
    json_open_object(w, NULL);
    json_put_string(w, "rule", "noisy-runs");
    json_put_string(w, "text", text);
    json_put_double(w, "p", p);
    json_close_object(w);
}

int measure_put_voids(const struct measure *m, size_t arm, struct json_writer *w,
                      struct error *err) {
    _cleanup_free_ struct void_tally *all = calloc(m->arm_count, sizeof *all);
    if (!all) return error_sys(err, ENOMEM, "voids");
    if (void_tally(m->d->store, m->row.id, all, m->arm_count, err) < 0) return -1;
    struct void_tally records = {all[0].runs + all[1].runs, all[0].voids + all[1].voids};
    json_open_array(w, "voids");
    for (size_t i = 0; i < 2; i++) put_tally(w, i, &all[i]);
    put_tally(w, arm, &all[arm]);
    json_close_array(w);
    json_open_array(w, "findings");
    put_finding(w, &all[arm], &records);
    json_close_array(w);
    return 0;
}
