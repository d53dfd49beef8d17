#include "tests/bench/probes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif

enum { PORT = 47231, QUEUE = 0x50414444 };
#define ABSTRACT "paddock-probe"

/* ---- sockets and ipc ---- */

static int has_socket(int family, int type, int protocol) {
    return probe_result(socket(family, type, protocol));
}
static int p_inet(void) {
    return has_socket(AF_INET, SOCK_STREAM, 0);
}
static int p_unix(void) {
    return has_socket(AF_UNIX, SOCK_STREAM, 0);
}
static int p_netlink_route(void) {
    return has_socket(AF_NETLINK, SOCK_RAW, 0);
}
static int p_netlink_diag(void) {
    return has_socket(AF_NETLINK, SOCK_RAW, 4);
}
static int p_netlink_xfrm(void) {
    return has_socket(AF_NETLINK, SOCK_RAW, 6);
}
static int p_netlink_audit(void) {
    return has_socket(AF_NETLINK, SOCK_RAW, 9);
}
static int p_netlink_filter(void) {
    return has_socket(AF_NETLINK, SOCK_RAW, 12);
}
static int p_netlink_uevent(void) {
    return has_socket(AF_NETLINK, SOCK_RAW, 15);
}
static int p_packet(void) {
    return has_socket(AF_PACKET, SOCK_RAW, 0);
}
static int p_raw(void) {
    return has_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static int p_ping(void) {
    return has_socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}
static int p_vsock(void) {
    return has_socket(AF_VSOCK, SOCK_STREAM, 0);
}
static int p_alg(void) {
    return has_socket(38, SOCK_SEQPACKET, 0);
}
static int p_bluetooth(void) {
    return has_socket(31, SOCK_RAW, 1);
}
static int p_xdp(void) {
    return has_socket(44, SOCK_RAW, 0);
}
static int p_key_socket(void) {
    return has_socket(15, SOCK_RAW, 2);
}
static int p_sctp(void) {
    return has_socket(AF_INET, SOCK_STREAM, 132);
}
static int p_attach_filter(void) {
    struct sock_filter all = {BPF_RET | BPF_K, 0, 0, 0xffff};
    struct sock_fprog prog = {1, &all};
    int sv[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0) return errno;
    return probe_result(setsockopt(sv[0], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog));
}
static int p_loopback(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
    if (l < 0 || c < 0 || bind(l, (struct sockaddr *)&a, len) < 0 || listen(l, 1) < 0 ||
        getsockname(l, (struct sockaddr *)&a, &len) < 0)
        return errno;
    return probe_result(connect(c, (struct sockaddr *)&a, len));
}
static int p_host_port(void) {
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int c = socket(AF_INET, SOCK_STREAM, 0);
    return c < 0 ? errno : probe_result(connect(c, (struct sockaddr *)&a, sizeof a));
}
static struct sockaddr_un abstract_address(socklen_t *len) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path + 1, ABSTRACT, sizeof ABSTRACT - 1);
    *len = offsetof(struct sockaddr_un, sun_path) + sizeof ABSTRACT;
    return a;
}
static int p_host_abstract(void) {
    socklen_t len;
    struct sockaddr_un a = abstract_address(&len);
    int c = socket(AF_UNIX, SOCK_STREAM, 0);
    return c < 0 ? errno : probe_result(connect(c, (struct sockaddr *)&a, len));
}
static int p_host_queue(void) {
    return probe_result(msgget(QUEUE, 0));
}
static int p_msgget(void) {
    int q = msgget(IPC_PRIVATE, 0600);
    int r = probe_result(q);
    if (q >= 0) msgctl(q, IPC_RMID, NULL);
    return r;
}
static int p_shmget(void) {
    int s = shmget(IPC_PRIVATE, 4096, 0600);
    int r = probe_result(s);
    if (s >= 0) shmctl(s, IPC_RMID, NULL);
    return r;
}
static int p_mq_open(void) {
    long q = syscall(SYS_mq_open, "probe", O_CREAT | O_RDWR, 0600, NULL);
    int r = probe_result(q);
    syscall(SYS_mq_unlink, "probe");
    return r;
}
static int p_memfd_huge(void) {
    int fd = (int)syscall(SYS_memfd_create, "x", 4U);
    if (fd < 0 || ftruncate(fd, 1 << 21) < 0) return errno;
    void *p = mmap(NULL, 1 << 21, PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? errno : 0;
}

/* ---- heavy: how much one may take ---- */

static int fill(int fd, long mib) {
    static char block[1 << 20];
    memset(block, 1, sizeof block);
    for (long i = 0; i < mib; i++)
        if (write(fd, block, sizeof block) != sizeof block) return errno ? errno : ENOSPC;
    return 0;
}
static int h_tmp_bytes(void) {
    return fill(open("/tmp", O_TMPFILE | O_RDWR, 0600), 200);
}
static int h_shm_bytes(void) {
    return fill(open("/dev/shm", O_TMPFILE | O_RDWR, 0600), 200);
}
static int h_memfd_bytes(void) {
    return fill((int)syscall(SYS_memfd_create, "x", 0), 600);
}
static int h_tmp_files(void) {
    if (mkdir("/tmp/probe-many", 0700) < 0 || chdir("/tmp/probe-many") < 0) return errno;
    char name[16];
    int r = 0, made = 0;
    for (; !r && made < 100000; made++) {
        snprintf(name, sizeof name, "%d", made);
        r = probe_result(mknod(name, S_IFREG | 0600, 0));
    }
    while (made-- > 0) { /* bare and shared folders are left clean */
        snprintf(name, sizeof name, "%d", made);
        unlink(name);
    }
    rmdir("/tmp/probe-many");
    return r;
}
static int h_forks(void) {
    int r = 0, n = 0;
    pid_t pids[1500];
    while (!r && n < 1500) {
        pids[n] = fork();
        if (pids[n] == 0)
            for (;;) pause();
        if (pids[n] < 0) r = errno;
        else n++;
    }
    while (n > 0) kill(pids[--n], SIGKILL);
    while (wait(NULL) > 0) {
    }
    return r;
}
static int h_cpu(void) {
    struct timespec t;
    do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    while (t.tv_sec < 4);
    return 0;
}

int probes_stand_host(void) {
    socklen_t len;
    struct sockaddr_un a = abstract_address(&len);
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int u = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_INET, SOCK_STREAM, 0);
    int queue = msgget(QUEUE, IPC_CREAT | 0666);
    if (bind(u, (struct sockaddr *)&a, len) < 0 || listen(u, 100) < 0 ||
        bind(t, (struct sockaddr *)&in, sizeof in) < 0 || listen(t, 100) < 0 || queue < 0)
        return perror("bench_probes: host"), 1;
    printf("ready\n");
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    msgctl(queue, IPC_RMID, NULL);
    return 0;
}

#define P(f) \
    { #f, p_##f }
const struct probe probes_net[] = {
    P(inet),
    P(unix),
    P(netlink_route),
    P(netlink_diag),
    P(netlink_xfrm),
    P(netlink_audit),
    P(netlink_filter),
    P(netlink_uevent),
    P(packet),
    P(raw),
    P(ping),
    P(vsock),
    P(alg),
    P(bluetooth),
    P(xdp),
    P(key_socket),
    P(sctp),
    P(attach_filter),
    P(loopback),
    P(host_port),
    P(host_abstract),
    P(host_queue),
    P(msgget),
    P(shmget),
    P(mq_open),
    P(memfd_huge),
    {NULL, NULL},
};
#undef P

#define H(f) \
    { #f, h_##f }
const struct probe probes_heavy[] = {
    H(tmp_bytes), H(shm_bytes), H(memfd_bytes), H(tmp_files), H(forks), H(cpu), {NULL, NULL},
};
#undef H
