#include "orchestrator/judge/channel.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

static int unblock(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int channel_open(struct channel *c) {
    return unblock(c->to) < 0 ? -1 : unblock(c->from);
}

/* Milliseconds that are left, rounded up; −1 for ever. */
static int time_left(const struct channel *c) {
    if (c->deadline_ns == 0) return -1;
    int64_t left = c->deadline_ns - clock_mono_ns();
    if (left <= 0) return 0;
    left = (left + NS_PER_MS - 1) / NS_PER_MS;
    return left > INT_MAX ? INT_MAX : (int)left;
}

static enum channel_state wait_for(const struct channel *c, int fd, short events) {
    for (;;) {
        struct pollfd p[] = {{.fd = fd, .events = events}, {.fd = c->cancel, .events = POLLIN}};
        int left = time_left(c), ready = poll(p, 2, left);
        if (ready < 0 && errno != EINTR) return CHANNEL_CLOSED;
        if (ready > 0 && p[1].revents) return CHANNEL_CANCELLED;
        if (ready > 0) return CHANNEL_OK;
        if (ready == 0 && left == 0) return CHANNEL_LATE;
    }
}

enum channel_state channel_write(const struct channel *c, const void *data, size_t len) {
    const char *p = data;
    while (len > 0) {
        enum channel_state s = wait_for(c, c->to, POLLOUT);
        if (s != CHANNEL_OK) return s;
        ssize_t n = write(c->to, p, len);
        if (n < 0 && errno != EINTR && errno != EAGAIN) return CHANNEL_CLOSED;
        if (n < 0) continue;
        p += n;
        len -= (size_t)n;
    }
    return CHANNEL_OK;
}

enum channel_state channel_read(const struct channel *c, void *data, size_t len, size_t *got) {
    *got = 0;
    while (*got < len) {
        enum channel_state s = wait_for(c, c->from, POLLIN);
        if (s != CHANNEL_OK) return s;
        ssize_t n = read(c->from, (char *)data + *got, len - *got);
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) return CHANNEL_CLOSED;
        if (n > 0) *got += (size_t)n;
    }
    return CHANNEL_OK;
}
