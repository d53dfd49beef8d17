#include "sandbox/port.h"

#include "common/cleanup.h"
#include "common/pass.h"
#include "sandbox/supervise.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAITING = 64 }; /* connections that nobody has accepted yet */

int port_listen(int64_t port, struct error *err) {
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, WAITING) < 0)
        return error_sys(err, errno, "listen on port %d", (int)port);
    return steal_fd(&fd);
}

int port_check(const struct run *r, struct error *err) {
    bool wanted = r->spec->listen != 0, offered = r->port_to >= 0;
    int type = 0;
    socklen_t size = sizeof type;
    if (wanted && !offered)
        return error_set(err, ERROR_INVALID,
                         "listen: nobody answers the port: it takes a launcher of its own, with "
                         "--listen-fd");
    if (offered && !wanted)
        return error_set(err, ERROR_INVALID, "--listen-fd: the spec has no port to listen on");
    if (offered && getsockopt(r->port_to, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return error_sys(err, errno, "--listen-fd %d", r->port_to);
    return 0;
}

int port_hand_out(struct run *r, struct error *err) {
    int *port = &r->handles[HANDLE_PORT];
    if (r->port_to < 0) return 0;
    if (*port < 0) return error_set(err, ERROR_INTERNAL, "the port's descriptor did not arrive");
    char message = 'p';
    int sent = pass_send(r->port_to, &message, 1, port, 1), reason = errno;
    close(steal_fd(port));
    close(steal_fd(&r->port_to));
    return sent == 0 ? 0 : error_sys(err, reason, "hand the port out");
}
