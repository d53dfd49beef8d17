/* The evidence of a score, and its picture. */
#include "common/cleanup.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/evidence.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/judge/plot.h"

#include <string.h>

static int find(struct daemon *d, const struct request *q, struct buf *out, struct error *err) {
    int64_t measurement, version;
    if (api_id(q, ID_MEASUREMENT, &measurement, err) < 0) return -1;
    if (id_parse(ID_VERSION, q->params[1], &version, err) < 0) {
        _cleanup_free_ char *shown = str_printable(q->params[1], strlen(q->params[1]));
        return error_wrap(err, "%s", shown ? shown : "?");
    }
    return evidence_get(d, measurement, version, out, err);
}

int api_score_document(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    return find(d, q, &p->body, err);
}

int api_score_plot(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    _cleanup_score_ struct score s = {0};
    if (find(d, q, &text, err) < 0) return -1;
    if (score_parse("score", buf_text(&text), text.len, &s, err) < 0) return -1;
    p->content_type = "image/svg+xml";
    return plot_runs(&s, &p->body, err);
}
