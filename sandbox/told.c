/*
 * What init is told when the host's part is done (declared in fence.h). Init was
 * cloned before it: the making of its network namespace takes the kernel as long
 * as all this takes us. The order lies in the shared page; descriptors travel
 * with the message, each with a word on what it is, and there may be more of them
 * than one message carries.
 */
#include "sandbox/fence.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOLD_FDS = 200 }; /* SCM_MAX_FD is 253 */

enum told_kind { TOLD_GROUP, TOLD_DOOR, TOLD_SOURCE, TOLD_STDIO };

struct told_fd {
    uint8_t kind;
    bool is_folder; /* of a source */
    uint16_t index; /* of the plan's step, or of 0, 1, 2 */
};

struct told {
    char message;
    bool more; /* another message follows */
    uint16_t count;
    struct told_fd fds[TOLD_FDS];
};

union told_space {
    char bytes[CMSG_SPACE(sizeof(int) * TOLD_FDS)];
    struct cmsghdr align;
};

/* ---- the launcher's side ---- */

struct parcel {
    struct fence *f;
    struct told told;
    int fds[TOLD_FDS];
};

static int post(struct parcel *p, bool more, struct error *err) {
    union told_space space = {0};
    struct iovec data = {.iov_base = &p->told, .iov_len = sizeof p->told};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
    size_t size = p->told.count * sizeof *p->fds;
    p->told.more = more;
    if (size) {
        header.msg_control = space.bytes;
        header.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(c), p->fds, size);
    }
    if (sendmsg(p->f->control[0], &header, MSG_NOSIGNAL) != sizeof p->told)
        return fence_failure(p->f, err);
    p->told.count = 0;
    return 0;
}

static int pack(struct parcel *p, enum told_kind kind, size_t index, bool is_folder, int fd,
                struct error *err) {
    if (fd < 0) return 0;
    if (p->told.count == TOLD_FDS && post(p, true, err) < 0) return -1;
    p->fds[p->told.count] = fd;
    p->told.fds[p->told.count++] = (struct told_fd){(uint8_t)kind, is_folder, (uint16_t)index};
    return 0;
}

int told_send(struct fence *f, struct error *err) {
    struct parcel p = {.f = f, .told = {.message = CONTROL_TOLD}};
    if (order_write(f, err) < 0 || pack(&p, TOLD_GROUP, 0, false, f->group, err) < 0) return -1;
    for (size_t i = 0; i < f->door.count; i++)
        if (pack(&p, TOLD_DOOR, i, false, f->door.fds[i], err) < 0) return -1;
    for (size_t i = 0; i < 3; i++)
        if (pack(&p, TOLD_STDIO, i, false, f->stdio[i], err) < 0) return -1;
    for (size_t i = 0; i < f->plan.count; i++) {
        const struct mount_step *s = &f->plan.steps[i];
        if (pack(&p, TOLD_SOURCE, i, s->is_folder, s->fd, err) < 0) return -1;
    }
    return post(&p, false, err);
}

/* ---- init's side ---- */

static int unpack(struct fence *f, const struct told *told, const int *fds, struct error *err) {
    for (size_t i = 0; i < told->count; i++) {
        const struct told_fd *t = &told->fds[i];
        if (t->kind == TOLD_GROUP) {
            f->group = fds[i];
        } else if (t->kind == TOLD_DOOR && f->door.count < CGROUP_DOOR_MAX) {
            f->door.fds[f->door.count++] = fds[i];
        } else if (t->kind == TOLD_STDIO && t->index < 3) {
            f->stdio[t->index] = fds[i];
        } else if (t->kind == TOLD_SOURCE && t->index < f->plan.count) {
            f->plan.steps[t->index].fd = fds[i];
            f->plan.steps[t->index].is_folder = t->is_folder;
        } else {
            return error_set(err, ERROR_INTERNAL, "descriptor of kind %d", t->kind);
        }
    }
    return 0;
}

/* Whether the rest of `told` is there. */
static int receive(struct fence *f, struct told *told, struct error *err) {
    union told_space space = {0};
    struct iovec data = {.iov_base = told, .iov_len = sizeof *told};
    struct msghdr header = {.msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = space.bytes,
                            .msg_controllen = sizeof space.bytes};
    ssize_t n;
    do n = recvmsg(f->control[1], &header, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n == 0) _exit(1); /* the launcher is gone */
    if (n < 0) return error_sys(err, errno, "control socket");
    if (n != sizeof *told || told->message != CONTROL_TOLD)
        return error_set(err, ERROR_INTERNAL, "unexpected message %d", told->message);
    if (f->spec != &f->page->order.spec) order_take(f);
    const struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    size_t count = c ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
    if (header.msg_flags & MSG_CTRUNC || count != told->count)
        return error_set(err, ERROR_LIMIT, "the descriptors did not all arrive");
    return unpack(f, told, c ? (const int *)CMSG_DATA(c) : NULL, err);
}

int told_receive(struct fence *f, struct error *err) {
    struct told told = {.more = false};
    do {
        if (receive(f, &told, err) < 0) return -1;
    } while (told.more);
    return 0;
}
