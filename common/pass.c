#include "common/pass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union space {
    char bytes[CMSG_SPACE(sizeof(int) * PASS_MOST)];
    struct cmsghdr align;
};

int pass_send(int socket, const void *message, size_t size, const int *fds, size_t count) {
    union space space = {0};
    struct iovec data = {.iov_base = (void *)message, .iov_len = size};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
    if (count > PASS_MOST) return errno = EINVAL, -1;
    if (count) {
        header.msg_control = space.bytes;
        header.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof *fds);
        memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

ssize_t pass_receive(int socket, void *message, size_t size, int *fds, size_t *count, int flags) {
    union space space = {0};
    struct iovec data = {.iov_base = message, .iov_len = size};
    size_t most = *count < PASS_MOST ? *count : PASS_MOST;
    struct msghdr header = {.msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = space.bytes,
                            .msg_controllen = CMSG_SPACE(most * sizeof *fds)};
    *count = 0;
    ssize_t n;
    do n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags);
    while (n < 0 && errno == EINTR);
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&header) : NULL;
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) return n;
    size_t came = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
    /* The space is rounded up: one more than there is room for may fit. */
    if (came <= most && !(header.msg_flags & MSG_CTRUNC)) {
        memcpy(fds, CMSG_DATA(c), came * sizeof *fds);
        *count = came;
        return n;
    }
    for (size_t i = 0; i < came; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
        close(fd);
    }
    return n;
}
