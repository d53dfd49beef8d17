/* The numbers behind the charts, for the script of the page. */
#include "common/cleanup.h"
#include "orchestrator/report/document.h"
#include "orchestrator/report/page_parts.h"
#include "orchestrator/report/text.h"

#include <math.h>

static int64_t place_of(const struct report *r, const struct report_task *t) {
    size_t i = 0;
    while (i < r->task_count && r->tasks[i] != t) i++;
    return (int64_t)i;
}

static void put_point(const struct report *r, const struct report_experiment *e,
                      struct json_writer *w) {
    const struct report_score *s = e->worth == WORTH_SCORED ? &e->versions[e->best].score : NULL;
    json_open_object(w, NULL);
    json_put_string(w, "id", e->id);
    json_put_int(w, "task", place_of(r, e->task));
    json_put_string(w, "model", e->model);
    json_put_string(w, "hints", e->hints);
    json_put_string(w, "search", e->search);
    json_put_string(w, "worth", page_worth(e->worth));
    json_put_double(w, "fsr", e->fsr);
    json_put_double(w, "low", s ? s->low : NAN);
    json_put_double(w, "high", s ? s->high : NAN);
    json_put_double(w, "f1", e->compared ? e->likeness.f1 : NAN);
    json_close_object(w);
}

int page_data(const struct report *r, const struct groups *g, struct buf *out, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "page");
    json_open_object(w, NULL);
    report_json_groups(g, w, "groups");
    report_json_series(g, w, "steps");
    json_open_array(w, "experiments");
    for (size_t i = 0; i < r->count; i++) put_point(r, &r->experiments[i], w);
    json_close_array(w);
    json_close_object(w);
    const char *text = json_writer_text(w, NULL);
    if (!text) return error_sys(err, ENOMEM, "page");
    text_script_json(text, out);
    return 0;
}
