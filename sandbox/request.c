#include "sandbox/request.h"

#include "common/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

union fd_space {
    char bytes[CMSG_SPACE(sizeof(int) * REQUEST_FDS)];
    struct cmsghdr align;
};

/* Root may ask anybody's launcher; anybody else only their own. */
static int check_peer(int connection, struct error *err) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return error_sys(err, errno, "SO_PEERCRED");
    if (peer.uid == 0 || peer.uid == geteuid()) return 0;
    return error_set(err, ERROR_DENIED, "user %u is at the other end", (unsigned)peer.uid);
}

int request_connect(const char *socket_path, struct error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof address.sun_path)
        return error_set(err, ERROR_INVALID, "%s: too long for a socket", socket_path);
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return error_sys(err, errno, "%s", socket_path);
    if (check_peer(fd, err) < 0) return error_wrap(err, "%s", socket_path);
    return steal_fd(&fd);
}

int request_send(int connection, const int fds[REQUEST_FDS], struct error *err) {
    union fd_space space = {0};
    char message = 'r';
    struct iovec data = {.iov_base = &message, .iov_len = 1};
    struct msghdr header = {.msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = space.bytes,
                            .msg_controllen = sizeof space.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * REQUEST_FDS);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * REQUEST_FDS);
    return sendmsg(connection, &header, MSG_NOSIGNAL) == 1 ? 0 : error_sys(err, errno, "request");
}

int request_await(int connection, struct error *err) {
    unsigned char status;
    ssize_t n;
    do n = recv(connection, &status, 1, 0);
    while (n < 0 && errno == EINTR);
    if (n == 1) return status;
    return n < 0 ? error_sys(err, errno, "resident launcher")
                 : error_set(err, ERROR_SYSTEM, "the resident launcher was killed");
}

int request_receive(int connection, int fds[REQUEST_FDS], struct error *err) {
    union fd_space space = {0};
    char message = 0;
    struct iovec data = {.iov_base = &message, .iov_len = 1};
    struct msghdr header = {.msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = space.bytes,
                            .msg_controllen = sizeof space.bytes};
    for (int i = 0; i < REQUEST_FDS; i++) fds[i] = -1;
    if (check_peer(connection, err) < 0) return -1;
    ssize_t n = recvmsg(connection, &header, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = n == 1 ? CMSG_FIRSTHDR(&header) : NULL;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int) * REQUEST_FDS) && !(header.msg_flags & MSG_CTRUNC)) {
        memcpy(fds, CMSG_DATA(c), sizeof(int) * REQUEST_FDS);
        return 0;
    }
    return n < 0 ? error_sys(err, errno, "request") : error_set(err, ERROR_INVALID, "no request");
}

int request_answer(int connection, int status, struct error *err) {
    unsigned char byte = (unsigned char)status;
    if (send(connection, &byte, 1, MSG_NOSIGNAL) == 1) return 0;
    return error_sys(err, errno, "answer");
}
