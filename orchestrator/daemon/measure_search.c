#include "orchestrator/daemon/measure_search.h"

#include "common/clock.h"
#include "orchestrator/daemon/store_board.h"
#include "orchestrator/daemon/store_version.h"
#include "orchestrator/judge/noise_fsr.h"

int measure_put_search(const struct measure *m, size_t arm, const struct fsr_interval *f,
                       struct json_writer *w, struct error *err) {
    _cleanup_version_ struct version_row v = {0};
    int64_t tried = 0;
    if (version_get(m->d->store, m->arms[arm].version, &v, err) < 0 ||
        experiment_valid_count(m->d->store, v.experiment, &tried, err) < 0)
        return -1;
    if (!f || v.wall_ns <= 0) {
        json_put_null(w, "search");
        return 0;
    }
    double seconds = (double)v.wall_ns / (double)NS_PER_SEC;
    json_open_object(w, "search");
    json_put_double(w, "seconds", seconds);
    json_put_double(w, "single_run_fsr", (f->mean_a - seconds) / f->gap);
    json_put_int(w, "valid_versions", tried);
    json_put_double(w, "luck_fsr",
                    noise_fsr_formula(f->cv, f->gap / f->mean_a, (size_t)(tried > 0 ? tried : 1)));
    json_close_object(w);
    return 0;
}
