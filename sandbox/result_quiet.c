/* The member "quiet" of a result. */
#include "sandbox/result.h"

void quiet_report_encode(const struct quiet_report *q, struct json_writer *w) {
    json_open_object(w, "quiet");
    json_put_int(w, "held_ns", q->held_ns);
    json_put_int(w, "frozen_ns", q->frozen_ns);
    json_put_int(w, "others", q->others);
    json_put_int(w, "loud", q->loud);
    json_close_object(w);
}

/* Results of before there were lanes have none. */
int quiet_report_decode(const struct json *doc, struct quiet_report *out, struct error *err) {
    *out = (struct quiet_report){.others = -1, .loud = -1};
    if (!doc) return 0;
    struct json_reader r;
    json_object(&r, doc, err);
    json_get_int(&r, "held_ns", JSON_REQUIRED, 0, INT64_MAX, &out->held_ns);
    json_get_int(&r, "frozen_ns", JSON_REQUIRED, 0, INT64_MAX, &out->frozen_ns);
    json_get_int(&r, "others", JSON_REQUIRED, -1, INT64_MAX, &out->others);
    json_get_int(&r, "loud", JSON_REQUIRED, -1, INT64_MAX, &out->loud);
    return json_object_end(&r);
}
