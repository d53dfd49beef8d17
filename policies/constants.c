/* Constants of the kernel's interface, by name. */
#include "policies/policy_internal.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Younger than the headers of Debian 12. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC        0x0010U
#endif
/* Not in every C library's headers beside those of the kernel. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef TCGETS2
#define TCGETS2  0x802c542aU
#define TCSETS2  0x402c542bU
#define TCSETSW2 0x402c542cU
#define TCSETSF2 0x402c542dU
#endif
#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif

/* A name and its value. The cast drops what sign extension a constant of
 * type int had. */
#define C(name) \
    { #name, (uint32_t)(name) }

static const struct constant {
    const char *name;
    uint32_t value;
} constants[] = {
    /* sorted by name, for the binary search */
    C(ADDR_COMPAT_LAYOUT),
    C(ADDR_NO_RANDOMIZE),
    C(AF_ALG),
    C(AF_BLUETOOTH),
    C(AF_CAN),
    C(AF_INET),
    C(AF_INET6),
    C(AF_KEY),
    C(AF_NETLINK),
    C(AF_PACKET),
    C(AF_RDS),
    C(AF_SMC),
    C(AF_TIPC),
    C(AF_UNIX),
    C(AF_UNSPEC),
    C(AF_VSOCK),
    C(AF_XDP),
    C(CLONE_CHILD_CLEARTID),
    C(CLONE_CHILD_SETTID),
    C(CLONE_DETACHED),
    C(CLONE_FILES),
    C(CLONE_FS),
    C(CLONE_IO),
    C(CLONE_NEWCGROUP),
    C(CLONE_NEWIPC),
    C(CLONE_NEWNET),
    C(CLONE_NEWNS),
    C(CLONE_NEWPID),
    C(CLONE_NEWTIME),
    C(CLONE_NEWUSER),
    C(CLONE_NEWUTS),
    C(CLONE_PARENT),
    C(CLONE_PARENT_SETTID),
    C(CLONE_PIDFD),
    C(CLONE_PTRACE),
    C(CLONE_SETTLS),
    C(CLONE_SIGHAND),
    C(CLONE_SYSVSEM),
    C(CLONE_THREAD),
    C(CLONE_UNTRACED),
    C(CLONE_VFORK),
    C(CLONE_VM),
    C(FIOASYNC),
    C(FIOCLEX),
    C(FIONBIO),
    C(FIONCLEX),
    C(FIONREAD),
    C(FIOQSIZE),
    C(F_ADD_SEALS),
    C(F_DUPFD),
    C(F_DUPFD_CLOEXEC),
    C(F_GETFD),
    C(F_GETFL),
    C(F_GETLEASE),
    C(F_GETLK),
    C(F_GETOWN),
    C(F_GETOWN_EX),
    C(F_GETPIPE_SZ),
    C(F_GETSIG),
    C(F_GET_SEALS),
    C(F_NOTIFY),
    C(F_OFD_GETLK),
    C(F_OFD_SETLK),
    C(F_OFD_SETLKW),
    C(F_SETFD),
    C(F_SETFL),
    C(F_SETLEASE),
    C(F_SETLK),
    C(F_SETLKW),
    C(F_SETOWN),
    C(F_SETOWN_EX),
    C(F_SETPIPE_SZ),
    C(F_SETSIG),
    C(IPPROTO_ICMP),
    C(IPPROTO_ICMPV6),
    C(IPPROTO_IP),
    C(IPPROTO_IPV6),
    C(IPPROTO_MPTCP),
    C(IPPROTO_RAW),
    C(IPPROTO_SCTP),
    C(IPPROTO_TCP),
    C(IPPROTO_UDP),
    C(IPPROTO_UDPLITE),
    C(IPV6_RECVERR),
    C(IPV6_TCLASS),
    C(IPV6_UNICAST_HOPS),
    C(IPV6_V6ONLY),
    C(IP_ADD_MEMBERSHIP),
    C(IP_FREEBIND),
    C(IP_MTU_DISCOVER),
    C(IP_MULTICAST_LOOP),
    C(IP_MULTICAST_TTL),
    C(IP_PKTINFO),
    C(IP_RECVERR),
    C(IP_TOS),
    C(IP_TRANSPARENT),
    C(IP_TTL),
    C(MADV_COLD),
    C(MADV_DODUMP),
    C(MADV_DOFORK),
    C(MADV_DONTDUMP),
    C(MADV_DONTFORK),
    C(MADV_DONTNEED),
    C(MADV_FREE),
    C(MADV_HUGEPAGE),
    C(MADV_HWPOISON),
    C(MADV_KEEPONFORK),
    C(MADV_MERGEABLE),
    C(MADV_NOHUGEPAGE),
    C(MADV_NORMAL),
    C(MADV_PAGEOUT),
    C(MADV_POPULATE_READ),
    C(MADV_POPULATE_WRITE),
    C(MADV_RANDOM),
    C(MADV_REMOVE),
    C(MADV_SEQUENTIAL),
    C(MADV_UNMERGEABLE),
    C(MADV_WILLNEED),
    C(MADV_WIPEONFORK),
    C(MAP_HUGETLB),
    C(MFD_ALLOW_SEALING),
    C(MFD_CLOEXEC),
    C(MFD_EXEC),
    C(MFD_HUGETLB),
    C(MFD_NOEXEC_SEAL),
    C(NETLINK_AUDIT),
    C(NETLINK_CONNECTOR),
    C(NETLINK_GENERIC),
    C(NETLINK_KOBJECT_UEVENT),
    C(NETLINK_NETFILTER),
    C(NETLINK_ROUTE),
    C(NETLINK_SOCK_DIAG),
    C(NETLINK_XFRM),
    C(PER_LINUX),
    C(PER_LINUX32),
    C(POSIX_FADV_DONTNEED),
    C(POSIX_FADV_NOREUSE),
    C(POSIX_FADV_NORMAL),
    C(POSIX_FADV_RANDOM),
    C(POSIX_FADV_SEQUENTIAL),
    C(POSIX_FADV_WILLNEED),
    C(PR_CAPBSET_DROP),
    C(PR_CAPBSET_READ),
    C(PR_CAP_AMBIENT),
    C(PR_GET_AUXV),
    C(PR_GET_CHILD_SUBREAPER),
    C(PR_GET_DUMPABLE),
    C(PR_GET_KEEPCAPS),
    C(PR_GET_MDWE),
    C(PR_GET_NAME),
    C(PR_GET_NO_NEW_PRIVS),
    C(PR_GET_PDEATHSIG),
    C(PR_GET_SECCOMP),
    C(PR_GET_SECUREBITS),
    C(PR_GET_SPECULATION_CTRL),
    C(PR_GET_THP_DISABLE),
    C(PR_GET_TID_ADDRESS),
    C(PR_GET_TIMERSLACK),
    C(PR_GET_TSC),
    C(PR_MCE_KILL),
    C(PR_SCHED_CORE),
    C(PR_SET_CHILD_SUBREAPER),
    C(PR_SET_DUMPABLE),
    C(PR_SET_KEEPCAPS),
    C(PR_SET_MDWE),
    C(PR_SET_MM),
    C(PR_SET_NAME),
    C(PR_SET_NO_NEW_PRIVS),
    C(PR_SET_PDEATHSIG),
    C(PR_SET_PTRACER),
    C(PR_SET_SECCOMP),
    C(PR_SET_SECUREBITS),
    C(PR_SET_SPECULATION_CTRL),
    C(PR_SET_SYSCALL_USER_DISPATCH),
    C(PR_SET_TAGGED_ADDR_CTRL),
    C(PR_SET_THP_DISABLE),
    C(PR_SET_TIMERSLACK),
    C(PR_SET_TSC),
    C(PR_SET_VMA),
    C(PR_TASK_PERF_EVENTS_DISABLE),
    C(SECCOMP_GET_ACTION_AVAIL),
    C(SIGCHLD),
    C(SIOCATMARK),
    C(SIOCETHTOOL),
    C(SIOCGIFADDR),
    C(SIOCGIFBRDADDR),
    C(SIOCGIFCONF),
    C(SIOCGIFCOUNT),
    C(SIOCGIFFLAGS),
    C(SIOCGIFHWADDR),
    C(SIOCGIFINDEX),
    C(SIOCGIFMTU),
    C(SIOCGIFNAME),
    C(SIOCGIFNETMASK),
    C(SIOCGIFTXQLEN),
    C(SIOCSIFADDR),
    C(SIOCSIFFLAGS),
    C(SOCK_CLOEXEC),
    C(SOCK_DGRAM),
    C(SOCK_NONBLOCK),
    C(SOCK_PACKET),
    C(SOCK_RAW),
    C(SOCK_SEQPACKET),
    C(SOCK_STREAM),
    C(SOL_SOCKET),
    C(SO_ATTACH_BPF),
    C(SO_ATTACH_FILTER),
    C(SO_BINDTODEVICE),
    C(SO_BROADCAST),
    C(SO_BUSY_POLL),
    C(SO_DOMAIN),
    C(SO_ERROR),
    C(SO_INCOMING_CPU),
    C(SO_KEEPALIVE),
    C(SO_LINGER),
    C(SO_MARK),
    C(SO_OOBINLINE),
    C(SO_PASSCRED),
    C(SO_PEERCRED),
    C(SO_PRIORITY),
    C(SO_PROTOCOL),
    C(SO_RCVBUF),
    C(SO_RCVBUFFORCE),
    C(SO_RCVLOWAT),
    C(SO_RCVTIMEO),
    C(SO_REUSEADDR),
    C(SO_REUSEPORT),
    C(SO_SNDBUF),
    C(SO_SNDBUFFORCE),
    C(SO_SNDTIMEO),
    C(SO_TIMESTAMP),
    C(SO_TYPE),
    C(S_IFBLK),
    C(S_IFCHR),
    C(S_IFDIR),
    C(S_IFIFO),
    C(S_IFLNK),
    C(S_IFMT),
    C(S_IFREG),
    C(S_IFSOCK),
    C(TCFLSH),
    C(TCGETS),
    C(TCGETS2),
    C(TCP_CONGESTION),
    C(TCP_CORK),
    C(TCP_DEFER_ACCEPT),
    C(TCP_FASTOPEN),
    C(TCP_INFO),
    C(TCP_KEEPCNT),
    C(TCP_KEEPIDLE),
    C(TCP_KEEPINTVL),
    C(TCP_LINGER2),
    C(TCP_MAXSEG),
    C(TCP_MD5SIG),
    C(TCP_NODELAY),
    C(TCP_NOTSENT_LOWAT),
    C(TCP_QUICKACK),
    C(TCP_SYNCNT),
    C(TCP_ULP),
    C(TCP_USER_TIMEOUT),
    C(TCSBRK),
    C(TCSBRKP),
    C(TCSETS),
    C(TCSETS2),
    C(TCSETSF),
    C(TCSETSF2),
    C(TCSETSW),
    C(TCSETSW2),
    C(TCXONC),
    C(TIOCCONS),
    C(TIOCEXCL),
    C(TIOCGPGRP),
    C(TIOCGPTN),
    C(TIOCGPTPEER),
    C(TIOCGSID),
    C(TIOCGWINSZ),
    C(TIOCLINUX),
    C(TIOCMGET),
    C(TIOCNOTTY),
    C(TIOCNXCL),
    C(TIOCOUTQ),
    C(TIOCPKT),
    C(TIOCSCTTY),
    C(TIOCSETD),
    C(TIOCSPGRP),
    C(TIOCSPTLCK),
    C(TIOCSTI),
    C(TIOCSWINSZ),
};

bool policy_constant(const char *name, size_t len, uint64_t *value) {
    size_t low = 0;
    size_t high = sizeof constants / sizeof constants[0];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *known = constants[middle].name;
        int order = strncmp(name, known, len);
        if (order == 0) order = known[len] ? -1 : 0;
        if (order == 0) {
            *value = constants[middle].value;
            return true;
        }
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return false;
}

const char *policy_constant_at(size_t i) {
    return i < sizeof constants / sizeof constants[0] ? constants[i].name : NULL;
}
