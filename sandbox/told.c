/*
 * What init is told (declared in fence.h), in three steps, so that it works while
 * the launcher does: the groups, upon which it forks the payload; that ids and maps
 * stand, upon which it begins with the root; and the order of one run. It was
 * cloned before any: the making of its network namespace takes the kernel as long
 * as the first takes us, and a resident launcher knows its run only much later. All
 * this lies in the shared page; descriptors travel with the message, each with a
 * word on what it is, and there may be more of them than one message carries.
 */
#include "common/cleanup.h"
#include "common/pass.h"
#include "sandbox/fence.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOLD_FDS = PASS_MOST };

enum told_kind { TOLD_GROUP, TOLD_DOOR, TOLD_BASE, TOLD_SOURCE, TOLD_STDIO };

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

/* ---- the launcher's side ---- */

struct parcel {
    struct fence *f;
    struct told told;
    int fds[TOLD_FDS];
};

static int post(struct parcel *p, bool more, struct error *err) {
    p->told.more = more;
    if (pass_send(p->f->control[0], &p->told, sizeof p->told, p->fds, p->told.count) < 0)
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

static int pack_sources(struct parcel *p, enum told_kind kind, const struct mount_plan *plan,
                        struct error *err) {
    for (size_t i = 0; i < plan->count; i++) {
        const struct mount_step *s = &plan->steps[i];
        if (pack(p, kind, i, s->is_folder, s->fd, err) < 0) return -1;
    }
    return 0;
}

int told_send_groups(struct fence *f, struct error *err) {
    struct parcel p = {.f = f, .told = {.message = CONTROL_GROUPS}};
    if (pack(&p, TOLD_GROUP, 0, false, f->group, err) < 0) return -1;
    for (size_t i = 0; i < f->door.count; i++)
        if (pack(&p, TOLD_DOOR, i, false, f->door.fds[i], err) < 0) return -1;
    return post(&p, false, err);
}

int told_send_host(struct fence *f, struct error *err) {
    struct parcel p = {.f = f, .told = {.message = CONTROL_HOST}};
    if (order_write_host(f, err) < 0) return -1;
    return pack_sources(&p, TOLD_BASE, &f->base, err) < 0 ? -1 : post(&p, false, err);
}

static int send_stdio(struct fence *f, struct error *err) {
    char message = RELEASE_ORDER;
    int fds[4] = {f->stdio[0], f->stdio[1], f->stdio[2], f->gate};
    if (pass_send(f->release[0], &message, 1, fds, f->gate >= 0 ? 4 : 3) == 0) return 0;
    return fence_failure(f, err);
}

int told_send(struct fence *f, struct error *err) {
    struct parcel p = {.f = f, .told = {.message = CONTROL_TOLD}};
    if (order_write(f, err) < 0) return -1;
    for (size_t i = 0; i < 3; i++)
        if (pack(&p, TOLD_STDIO, i, false, f->stdio[i], err) < 0) return -1;
    if (pack_sources(&p, TOLD_SOURCE, &f->plan, err) < 0 || post(&p, false, err) < 0) return -1;
    return send_stdio(f, err);
}

/* ---- init's side ---- */

static int unpack_source(struct mount_plan *plan, const struct told_fd *t, int fd) {
    if (t->index >= plan->count) return -1;
    plan->steps[t->index].fd = fd;
    plan->steps[t->index].is_folder = t->is_folder;
    return 0;
}

static int unpack(struct fence *f, const struct told_fd *t, int fd) {
    switch ((enum told_kind)t->kind) {
    case TOLD_GROUP: f->group = fd; return 0;
    case TOLD_DOOR:
        if (f->door.count == CGROUP_DOOR_MAX) return -1;
        f->door.fds[f->door.count++] = fd;
        return 0;
    case TOLD_BASE: return unpack_source(&f->base, t, fd);
    case TOLD_SOURCE: return unpack_source(&f->plan, t, fd);
    case TOLD_STDIO:
        if (t->index >= 3) return -1;
        f->stdio[t->index] = fd;
        return 0;
    }
    return -1;
}

static int receive(struct fence *f, char message, struct told *told, struct error *err) {
    int fds[TOLD_FDS];
    size_t count = TOLD_FDS;
    ssize_t n = pass_receive(f->control[1], told, sizeof *told, fds, &count, 0);
    if (n == 0) _exit(1); /* the launcher is gone */
    if (n < 0) return error_sys(err, errno, "control socket");
    if (n != sizeof *told || told->message != message)
        return error_set(err, ERROR_INTERNAL, "unexpected message %d", told->message);
    if (count != told->count)
        return error_set(err, ERROR_LIMIT, "the descriptors did not all arrive");
    for (size_t i = 0; i < count; i++)
        if (unpack(f, &told->fds[i], fds[i]) < 0)
            return error_set(err, ERROR_INTERNAL, "descriptor of kind %d", told->fds[i].kind);
    return 0;
}

/* Waits for the first message, so that the page is read after it was written. */
static int await(struct fence *f, struct error *err) {
    char byte;
    ssize_t n;
    do n = recv(f->control[1], &byte, 1, MSG_PEEK);
    while (n < 0 && errno == EINTR);
    if (n == 0) _exit(1); /* the launcher is gone */
    return n < 0 ? error_sys(err, errno, "control socket") : 0;
}

static int receive_all(struct fence *f, char message, struct error *err) {
    struct told told;
    do
        if (receive(f, message, &told, err) < 0) return -1;
    while (told.more);
    return 0;
}

int told_receive_groups(struct fence *f, struct error *err) {
    return receive_all(f, CONTROL_GROUPS, err);
}

int told_receive_host(struct fence *f, struct error *err) {
    if (await(f, err) < 0) return -1;
    order_take_host(f);
    return receive_all(f, CONTROL_HOST, err);
}

int told_receive(struct fence *f, struct error *err) {
    if (await(f, err) < 0) return -1;
    order_take(f);
    return receive_all(f, CONTROL_TOLD, err);
}

/* ---- the payload's side ---- */

int told_receive_stdio(struct fence *f, struct error *err) {
    char message = 0;
    int fds[4];
    size_t count = ARRAY_SIZE(fds);
    ssize_t n = pass_receive(f->release[1], &message, 1, fds, &count, 0);
    if (n == 0) _exit(1); /* the launcher is gone */
    if (n < 0) return error_sys(err, errno, "release socket");
    if (message != RELEASE_ORDER)
        return error_set(err, ERROR_INTERNAL, "unexpected message %d", message);
    order_take_host(f);
    order_take(f);
    bool gated = f->spec->clock.kind == CLOCK_GATED;
    if (count != (gated ? 4 : 3))
        return error_set(err, ERROR_INTERNAL, "%zu descriptors for the program", count);
    memcpy(f->stdio, fds, sizeof f->stdio);
    f->gate = gated ? fds[3] : -1;
    return 0;
}
