/*
 * What comes back in one exchange: header lines and bytes, in pieces, into an answer
 * or a fault. Bounded whatever the server sends; knows nothing of sockets.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_RECEIVE_H
#define PADDOCK_ORCHESTRATOR_MODEL_RECEIVE_H

#include "common/buf.h"
#include "orchestrator/model/answer.h"
#include "orchestrator/model/hints.h"
#include "orchestrator/model/protocol.h"
#include "orchestrator/model/sse.h"

enum receive_mode { RECEIVE_UNDECIDED, RECEIVE_DOCUMENT, RECEIVE_STREAM, RECEIVE_STRANGE };

struct receive {
    const struct protocol *protocol;
    struct answer *answer;
    size_t max;     /* bytes of a whole answer */
    int64_t now_ns; /* real time, for dates in hints */
    /* Of an exchange that is relayed: all that came, and no judging of what it is worth (a
     * call of tools has no text). NULL: it is ours. */
    struct buf *raw;
    /* ---- its own ---- */
    long status; /* 0: none came */
    char type[64], location[256];
    struct hints hints;
    enum receive_mode mode;
    size_t total;
    struct buf body;
    struct sse sse;
    bool too_large, is_last;
};

void receive_header(struct receive *r, const char *line, size_t len);
/* False: enough; end the exchange. */
bool receive_bytes(struct receive *r, const char *bytes, size_t len);
/* Whether the answer is whole, though the server has not hung up yet. */
bool receive_is_over(const struct receive *r);
/* The exchange is over: as it should be (`broken` NULL), or broken off, and why. Leaves
 * a whole answer or a fault in `answer`; nothing when there was no status, that is the
 * caller's to tell. */
void receive_end(struct receive *r, const char *broken);
void receive_clear(struct receive *r);

/* Whether a document may have more values than anybody should parse. */
bool receive_is_too_many(const char *text, size_t len);

#endif
