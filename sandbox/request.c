#include "sandbox/request.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_S = 5 };

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

static int request_send(int connection, const int fds[REQUEST_FDS], struct error *err) {
    char message = 'r';
    if (pass_send(connection, &message, 1, fds, REQUEST_FDS) == 0) return 0;
    return error_sys(err, errno, "request");
}

static int request_await(int connection, struct error *err) {
    unsigned char status;
    ssize_t n;
    do n = recv(connection, &status, 1, 0);
    while (n < 0 && errno == EINTR);
    if (n == 1) return status;
    return n < 0 ? error_sys(err, errno, "resident launcher")
                 : error_set(err, ERROR_SYSTEM, "the resident launcher was killed");
}

int request_run(int connection, const char *spec_path, const char *dir, struct error *err) {
    _cleanup_close_ int spec = openat(AT_FDCWD, spec_path, O_RDONLY | O_CLOEXEC);
    if (spec < 0) return error_sys(err, errno, "%s", spec_path);
    _cleanup_close_ int folder = dir_open(dir, err);
    if (folder < 0) return -1;
    const int fds[REQUEST_FDS] = {spec, folder, STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    return request_send(connection, fds, err) < 0 ? -1 : request_await(connection, err);
}

int request_receive(int connection, int fds[REQUEST_FDS], struct error *err) {
    char message = 0;
    size_t count = REQUEST_FDS;
    for (int i = 0; i < REQUEST_FDS; i++) fds[i] = -1;
    if (check_peer(connection, err) < 0) return -1;
    /* Whoever connects and stays silent does not keep a launcher. */
    struct timeval patience = {.tv_sec = PATIENCE_S};
    if (setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
        return error_sys(err, errno, "SO_RCVTIMEO");
    ssize_t n = pass_receive(connection, &message, 1, fds, &count, 0);
    if (n == 1 && count == REQUEST_FDS) return 0;
    return n < 0 ? error_sys(err, errno, "request") : error_set(err, ERROR_INVALID, "no request");
}

int request_answer(int connection, int status, struct error *err) {
    unsigned char byte = (unsigned char)status;
    if (send(connection, &byte, 1, MSG_NOSIGNAL) == 1) return 0;
    return error_sys(err, errno, "answer");
}
