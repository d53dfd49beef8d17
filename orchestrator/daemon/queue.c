#include "orchestrator/daemon/queue.h"

int queue_choose(const struct queue_job *jobs, size_t count, int64_t now_ns) {
    int best = -1;
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].leased || jobs[i].not_before > now_ns) continue;
        if (best < 0 || jobs[i].ticket < jobs[best].ticket) best = (int)i;
    }
    return best;
}
