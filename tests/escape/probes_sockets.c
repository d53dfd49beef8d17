/* Sockets, and who could be reached with them. */
#include "tests/escape/tables.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET(name, family, type, protocol)                                          \
    static int name(void) {                                                           \
        return answered(syscall(SYS_socket, (long)(family), (long)(type), protocol)); \
    }

SOCKET(vsock, AF_VSOCK, SOCK_STREAM, 0)
SOCKET(crypto, AF_ALG, SOCK_SEQPACKET, 0)
SOCKET(packet, AF_PACKET, SOCK_RAW, 0x0300)
SOCKET(packet_datagram, AF_PACKET, SOCK_DGRAM, 0)
SOCKET(xdp, AF_XDP, SOCK_RAW, 0)
SOCKET(bluetooth, AF_BLUETOOTH, SOCK_RAW, 1)
SOCKET(can, AF_CAN, SOCK_RAW, 1)
SOCKET(tipc, AF_TIPC, SOCK_STREAM, 0)
SOCKET(rds, AF_RDS, SOCK_SEQPACKET, 0)
SOCKET(key_family, AF_KEY, SOCK_RAW, 2)
SOCKET(pppox, AF_PPPOX, SOCK_STREAM, 0)
SOCKET(smc, AF_SMC, SOCK_STREAM, 0)
SOCKET(raw_ip, AF_INET, SOCK_RAW, IPPROTO_ICMP)
SOCKET(raw_ip6, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)
SOCKET(ping, AF_INET, SOCK_DGRAM, IPPROTO_ICMP)
SOCKET(sctp, AF_INET, SOCK_STREAM, IPPROTO_SCTP)
SOCKET(mptcp, AF_INET, SOCK_STREAM, 262)
SOCKET(netfilter, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)
SOCKET(audit, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT)
SOCKET(uevents, AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)
SOCKET(xfrm, AF_NETLINK, SOCK_RAW, NETLINK_XFRM)
SOCKET(generic, AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
SOCKET(family_high, 0x100000000UL | AF_VSOCK, SOCK_STREAM, 0)
SOCKET(type_high, AF_INET, 0x100000000UL | SOCK_RAW, IPPROTO_ICMP)
SOCKET(any_internet, AF_INET, SOCK_STREAM, 0)
SOCKET(any_unix, AF_UNIX, SOCK_STREAM, 0)

static int pair_internet(void) {
    int pair[2];
    return answered(syscall(SYS_socketpair, AF_TIPC, SOCK_STREAM, 0, pair));
}

static int connect_to(const char *address, int port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, address, &in.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    return answered(connect(fd, (struct sockaddr *)&in, sizeof in));
}

static int connect_host(void) {
    return connect_to("127.0.0.1", (int)fact_number("PORT"));
}

/* Connecting a datagram socket asks for a route and sends nothing. */
static int route_to(const char *address, int port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, address, &in.sin_addr);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    return answered(connect(fd, (struct sockaddr *)&in, sizeof in));
}

static int route_to_metadata(void) {
    return route_to("169.254.169.254", 80);
}

static int route_to_world(void) {
    return route_to("192.0.2.1", 443);
}

static int route_to_private_net(void) {
    return route_to("10.0.0.1", 22);
}

static int route_to_multicast(void) {
    return route_to("224.0.0.251", 5353);
}

static int route_to_world6(void) {
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    inet_pton(AF_INET6, "2001:db8::1", &in.sin6_addr);
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    return answered(connect(fd, (struct sockaddr *)&in, sizeof in));
}

static int connect_unix(const char *path, int abstract) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path + abstract, sizeof un.sun_path - (size_t)abstract, "%s", path);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract +
                                strlen(path) + !abstract);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    return answered(connect(fd, (struct sockaddr *)&un, len));
}

static int connect_abstract(void) {
    return connect_unix(fact("ABSTRACT"), 1);
}

static int connect_docker(void) {
    return connect_unix("/run/docker.sock", 0);
}

static int connect_dbus(void) {
    return connect_unix("/run/dbus/system_bus_socket", 0);
}

static int connect_paddockd(void) {
    return connect_unix("/run/paddock/paddockd.sock", 0);
}

/* The runner listens on a socket in the folder that /data shows. */
static int connect_in_mount(void) {
    int result = connect_unix("/data/socket", 0);
    return result;
}

static int bind_low_port(void) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    return answered(bind(fd, (struct sockaddr *)&in, sizeof in));
}

/* rtnetlink may be asked (getifaddrs); changing takes a capability. */
static int raise_interface(void) {
    struct {
        struct nlmsghdr header;
        struct ifinfomsg info;
    } request = {{sizeof request, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0},
                 {AF_UNSPEC, 0, 0, 1, 1 /* IFF_UP */, 1}};
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[512];
    } reply = {0};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return errno;
    if (send(fd, &request, sizeof request, 0) < 0) return errno;
    if (recv(fd, &reply, sizeof reply, 0) < 0) return errno;
    return reply.error.error ? -reply.error.error : THROUGH;
}

static int option(int level, int name) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    return answered(setsockopt(fd, level, name, (char[64]){0}, 64));
}

static int attach_filter(void) {
    return option(SOL_SOCKET, 26 /* SO_ATTACH_FILTER */);
}

static int iptables(void) {
    return option(IPPROTO_IP, 64 /* IPT_SO_SET_REPLACE */);
}

static int upper_protocol(void) {
    return option(IPPROTO_TCP, 31 /* TCP_ULP */);
}

static int force_buffer(void) {
    return option(SOL_SOCKET, 33 /* SO_RCVBUFFORCE */);
}

#define NOWHERE "ENETUNREACH|EADDRNOTAVAIL"
static const struct attempt attempts[] = {
    TRY("af-vsock", "seccomp", "EAFNOSUPPORT", vsock),
    TRY("af-alg", "seccomp", "EAFNOSUPPORT", crypto),
    TRY("af-packet", "seccomp", "EAFNOSUPPORT", packet),
    TRY("af-packet-dgram", "seccomp", "EAFNOSUPPORT", packet_datagram),
    TRY("af-xdp", "seccomp", "EAFNOSUPPORT", xdp),
    TRY("af-bluetooth", "seccomp", "EAFNOSUPPORT", bluetooth),
    TRY("af-can", "seccomp", "EAFNOSUPPORT", can),
    TRY("af-tipc", "seccomp", "EAFNOSUPPORT", tipc),
    TRY("af-rds", "seccomp", "EAFNOSUPPORT", rds),
    TRY("af-key", "seccomp", "EAFNOSUPPORT", key_family),
    TRY("af-pppox", "seccomp", "EAFNOSUPPORT", pppox),
    TRY("af-smc", "seccomp", "EAFNOSUPPORT", smc),
    TRY("raw-icmp", "seccomp", "EAFNOSUPPORT", raw_ip),
    TRY("raw-icmp6", "seccomp", "EAFNOSUPPORT", raw_ip6),
    TRY("ping-socket", "seccomp", "EAFNOSUPPORT", ping),
    TRY("sctp", "seccomp", "EAFNOSUPPORT", sctp),
    TRY("mptcp", "seccomp", "EAFNOSUPPORT", mptcp),
    TRY("netlink-netfilter", "seccomp", "EAFNOSUPPORT", netfilter),
    TRY("netlink-audit", "seccomp", "EAFNOSUPPORT", audit),
    TRY("netlink-uevent", "seccomp", "EAFNOSUPPORT", uevents),
    TRY("netlink-xfrm", "seccomp", "EAFNOSUPPORT", xfrm),
    TRY("netlink-generic", "seccomp", "EAFNOSUPPORT", generic),
    TRY("family-high-bits", "seccomp", "EAFNOSUPPORT", family_high),
    TRY("type-high-bits", "seccomp", "EAFNOSUPPORT", type_high),
    TRY("socketpair-tipc", "seccomp", "EAFNOSUPPORT", pair_internet),
    TRY("internet-strict", "seccomp", "EAFNOSUPPORT", any_internet, .policy = "strict"),
    TRY("unix-strict", "seccomp", "EAFNOSUPPORT", any_unix, .policy = "strict"),
    TRY("internet-build", "seccomp", "EAFNOSUPPORT", any_internet, .policy = "build"),
    TRY("connect-host-port", "network-namespace", NOWHERE, connect_host),
    TRY("connect-host-port-loopback", "network-namespace", "ECONNREFUSED", connect_host,
        .flags = LOOPBACK),
    TRY("route-metadata", "network-namespace", NOWHERE, route_to_metadata),
    TRY("route-world", "network-namespace", NOWHERE, route_to_world),
    TRY("route-world-loopback", "network-namespace", NOWHERE, route_to_world, .flags = LOOPBACK),
    TRY("route-private-net", "network-namespace", NOWHERE, route_to_private_net),
    TRY("route-multicast", "network-namespace", NOWHERE, route_to_multicast),
    TRY("route-world-ipv6", "network-namespace", NOWHERE "|EAFNOSUPPORT", route_to_world6),
    TRY("connect-abstract", "network-namespace", "ECONNREFUSED|EPERM", connect_abstract),
    TRY("connect-docker", "mount-namespace", "ENOENT", connect_docker),
    TRY("connect-dbus", "mount-namespace", "ENOENT", connect_dbus),
    TRY("connect-paddockd", "mount-namespace", "ENOENT", connect_paddockd),
    TRY("connect-socket-in-mount", "user-namespace", "EACCES", connect_in_mount, .flags = OWN_IDS),
    TRY("bind-low-port", "capabilities", "EACCES", bind_low_port),
    TRY("raise-interface", "capabilities", "EPERM", raise_interface),
    TRY("so-attach-filter", "seccomp", "ENOPROTOOPT", attach_filter),
    TRY("iptables-replace", "seccomp", "ENOPROTOOPT", iptables),
    TRY("tcp-ulp", "seccomp", "ENOPROTOOPT", upper_protocol),
    TRY("so-rcvbufforce", "seccomp", "ENOPROTOOPT", force_buffer),
};
ATTEMPTS(socket_attempts, "sockets");
