#include "orchestrator/model/answer.h"

#include "common/cleanup.h"

#include <string.h>

void answer_clear(struct answer *a) {
    buf_free(&a->text);
    buf_free(&a->reasoning);
    buf_free(&a->refusal);
    free(a->model);
    free(a->id);
    fault_clear(&a->fault);
    *a = (struct answer){0};
}

static bool is_one_of(const char *word, const char *const *list) {
    for (; *list; list++)
        if (strcasecmp(word, *list) == 0) return true;
    return false;
}

void answer_stop(struct answer *a, const char *reason) {
    static const char *const end[] = {"stop", "end_turn",  "stop_sequence",
                                      "eos",  "eos_token", NULL};
    static const char *const length[] = {"length", "max_tokens", "max_output_tokens",
                                         "model_context_window_exceeded", NULL};
    static const char *const refused[] = {
        "content_filter",     "refusal", "safety",   "recitation",   "blocklist",
        "prohibited_content", "spii",    "language", "image_safety", NULL};
    if (!reason || !*reason || str_eq(reason, "FINISH_REASON_UNSPECIFIED")) return;
    a->stopped = true;
    if (is_one_of(reason, end)) a->stop = MODEL_STOP_END;
    else if (is_one_of(reason, length)) a->stop = MODEL_STOP_LENGTH;
    else if (is_one_of(reason, refused)) answer_refuse(a, reason);
    else a->stop = MODEL_STOP_OTHER;
}

void answer_refuse(struct answer *a, const char *why) {
    a->stopped = true;
    a->stop = MODEL_STOP_REFUSED;
    if (why && a->refusal.len == 0) buf_puts(&a->refusal, why);
}

void answer_check(struct answer *a) {
    if (a->fault.set || a->text.len || a->stop == MODEL_STOP_REFUSED) return;
    if (a->stopped && a->stop == MODEL_STOP_LENGTH) return; /* it thought until the end */
    fault_set(&a->fault, ERROR_SYSTEM, true, "the answer is empty");
    a->fault.paid = true;
}
