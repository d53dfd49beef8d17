/*
 * Descriptors passed along with a message over a Unix socket that keeps messages
 * apart (SOCK_SEQPACKET; SCM_RIGHTS, unix(7)).
 */
#ifndef PADDOCK_COMMON_PASS_H
#define PADDOCK_COMMON_PASS_H

#include <stddef.h>
#include <sys/types.h>

/* Less than the kernel's SCM_MAX_FD (253), and what musl's sendmsg(2) can copy. */
enum { PASS_MOST = 200 };

/* Sends `size` bytes, and with them `count` descriptors (0: none), which stay the
 * caller's as well. 0, or -1 and errno; never a SIGPIPE. */
int pass_send(int socket, const void *message, size_t size, const int *fds, size_t count);

/* Receives one message of `size` bytes at most, going on after a signal. `flags` are
 * added to those of recvmsg(2). *count: how many descriptors fds has room for, then
 * how many came; all close-on-exec. When more were sent than fit, none is kept.
 * The message's size, 0 at the end, or -1 and errno. */
ssize_t pass_receive(int socket, void *message, size_t size, int *fds, size_t *count, int flags);

#endif
