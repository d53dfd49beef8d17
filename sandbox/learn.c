#include "sandbox/learn.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

/* More different calls than any program makes: what a hostile one can cost us. */
enum { MOST_CALLS = 4096 };

struct learn {
    struct policy base;
    struct policy_observations seen;
};

struct learn *learn_open(const char *base, struct error *err) {
    struct learn *l = calloc(1, sizeof *l);
    if (!l) {
        error_sys(err, ENOMEM, "learn");
        return NULL;
    }
    if (policy_load(base, &l->base, err) < 0) {
        free(l);
        return NULL;
    }
    return l;
}

void learn_close(struct learn *l) {
    if (!l) return;
    policy_clear(&l->base);
    policy_observations_clear(&l->seen);
    free(l);
}

void learn_answer(struct learn *l, int listener, const struct seccomp_notif *question) {
    uint64_t args[6];
    memcpy(args, question->data.args, sizeof args);
    int refused = policy_never(&l->base, question->data.nr, args);
    /* What cannot be recorded any more cannot be let through either: the proposal
     * would lack it. */
    if (policy_observe(&l->base, &l->seen, question->data.nr, args, refused, MOST_CALLS) < 0)
        refused = refused ? refused : EPERM;
    union {
        struct seccomp_notif_resp answer;
        char room[512];
    } a = {0};
    a.answer.id = question->id;
    if (refused) a.answer.error = -refused;
    else a.answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &a.answer) < 0)
        return; /* it is dead, or will ask again */
}

int learn_deliver(const struct learn *l, int dir_fd, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    if (!w) return error_sys(err, ENOMEM, "calls.json");
    policy_observations_encode(&l->seen, w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    if (!text) return error_set(err, ERROR_INTERNAL, "calls.json: could not be written as JSON");
    if (dir_fd < 0)
        return error_set(err, ERROR_INVALID, "a run that learns needs a run folder (--dir)");
    return file_write_atomic_at(dir_fd, "calls.json", text, len, 0644, err);
}
