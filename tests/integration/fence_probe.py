"""Tries to cross the fence from inside; prints one line a probe that succeeded.

Every line printed is a hole, except those that begin with "info".
"""
import ctypes
import os
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)


def hole(text):
    print("hole:", text)


def attempt(name, f):
    """The probe must raise OSError; anything else is a hole."""
    try:
        got = f()
    except OSError:
        return
    except Exception as e:  # pylint: disable=broad-except
        print("info:", name, "could not be tried:", e)
        return
    hole("%s: %r" % (name, got))


def syscall(name, number, *args):
    """In a child: another filter may kill for it, which is as good as refusing."""
    pid = os.fork()
    if pid == 0:
        os._exit(1 if libc.syscall(number, *args) >= 0 else 0)
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        hole("system call %s" % name)


def write_to(path):
    def go():
        with open(path, "r+b", buffering=0) as f:
            f.write(b"1")
        return "written"

    return go


def create(path):
    def go():
        with open(path, "xb"):
            return "created"

    return go


NEWUSER, NEWNS, NEWNET = 0x10000000, 0x00020000, 0x40000000

# Kernel surface.
for flags in (NEWUSER, NEWNS, NEWNET):
    syscall("unshare %x" % flags, 272, flags)
syscall("mount", 165, b"none", b"/tmp", b"tmpfs", 0, 0)
syscall("umount2", 166, b"/proc", 2)
syscall("pivot_root", 155, b".", b".")
syscall("chroot", 161, b"/tmp")
syscall("fsopen", 430, b"tmpfs", 0)
syscall("open_tree", 428, -100, b"/", 1)
syscall("bpf", 321, 0, 0, 0)
syscall("perf_event_open", 298, 0, 0, -1, -1, 0)
syscall("userfaultfd", 323, 0)
syscall("io_uring_setup", 425, 8, 0)
syscall("add_key", 248, b"user", b"x", b"y", 1, -3)
syscall("keyctl", 250, 0, -3, 1)
syscall("open_by_handle_at", 304, -100, 0, 0)
syscall("ptrace pid 1", 101, 16, 1, 0, 0)
syscall("sethostname", 170, b"x", 1)
syscall("settimeofday", 164, 0, 0)
syscall("kill pid 1", 62, 1, 9)
if "open" in sys.argv:  # else they end the whole run (policy.sh)
    syscall("init_module", 175, 0, 0, b"")
    syscall("reboot", 169, 0)
attempt("setuid 0", lambda: os.setuid(0))
attempt("setgroups", lambda: os.setgroups([0]))
attempt("mknod", lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(254, 0)))
attempt("nice", lambda: os.setpriority(os.PRIO_PROCESS, 0, -10))

# Files.
for p in ("/usr/bin/env", "/etc/passwd", "/etc/ld.so.cache", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern",
          "/proc/sys/vm/drop_caches", "/proc/1/mem", "/proc/1/oom_score_adj"):
    attempt("write " + p, write_to(p))
for p in ("/x", "/usr/x", "/etc/x", "/dev/x", "/proc/x", "/proc/sys/x", "/bin/x"):
    attempt("create " + p, create(p))
attempt("chmod /", lambda: os.chmod("/", 0o777))
attempt("chmod /dev", lambda: os.chmod("/dev", 0o777))
for p in ("/dev/null", "/dev/urandom"):  # the machine's own nodes: a neighbour would see it
    attempt("touch " + p, lambda: os.utime(p))
attempt("rename /etc", lambda: os.rename("/etc/passwd", "/etc/p"))
for p in ("/proc/1/environ", "/proc/1/maps", "/proc/1/exe", "/proc/1/root", "/proc/1/cwd"):
    attempt("look at " + p, (lambda q: lambda: os.readlink(q) if q[8:] in ("exe", "root", "cwd") else open(q, "rb").read())(p))
for p in ("/proc/keys", "/proc/kallsyms", "/proc/timer_list", "/proc/slabinfo", "/proc/kcore", "/proc/acpi",
          "/proc/cmdline", "/proc/interrupts"):
    try:
        got = os.listdir(p) if os.path.isdir(p) else open(p, "rb").read(16)
        if got:
            hole("%s shows %r" % (p, got))
    except OSError:
        pass
for p in ("/sys", "/root", "/home", "/var", "/boot", "/etc/shadow"):
    if os.path.exists(p):
        hole(p + " exists")
if os.listdir("/run"):
    hole("/run holds %r" % os.listdir("/run"))
if sorted(os.listdir("/dev")) != ["fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero"]:
    hole("/dev holds %r" % sorted(os.listdir("/dev")))
pids = [p for p in os.listdir("/proc") if p.isdigit()]
if pids != [str(os.getpid())]:
    hole("/proc shows processes %r" % pids)

# Identity.
if (os.getresuid(), os.getresgid()) != ((1000, 1000, 1000), (1000, 1000, 1000)):
    hole("ids %r %r" % (os.getresuid(), os.getresgid()))
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
for cap in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
    if int(status[cap], 16):
        hole("%s is %s" % (cap, status[cap]))
if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
    hole("no_new_privs %s seccomp %s" % (status["NoNewPrivs"], status["Seccomp"]))
if os.getsid(0) != os.getpid():
    hole("session of somebody else")
attempt("controlling terminal", lambda: os.open("/dev/tty", os.O_RDWR))
fds = sorted(int(f) for f in os.listdir("/proc/self/fd"))
if [f for f in fds if f > 3]:  # 3 is this listing's own
    hole("descriptors %r" % fds)
if sorted(os.environ) not in (["HOME", "PATH"], ["HOME", "LC_CTYPE", "PATH"]):
    hole("environment %r" % sorted(os.environ))
if int(open("/proc/uptime").read().split(".")[0]) > 60:
    hole("uptime shows")
if os.uname().nodename != "paddock":
    hole("host name " + os.uname().nodename)

# Network and neighbours.
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK, socket.AF_PACKET, 40):
    try:
        s = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        continue
    for address in (("127.0.0.1", 22), ("169.254.169.254", 80), ("8.8.8.8", 53)):
        if family == socket.AF_INET:
            s.settimeout(1)
            attempt("connect %r" % (address,), lambda: s.connect(address))
for line in open("/proc/net/dev").read().splitlines()[2:]:
    if not line.strip().startswith("lo:"):
        hole("interface " + line)

# What must work.
for p in ("/work/mine", "/tmp/mine", "/dev/shm/mine", "/tmp/home/mine"):
    open(p, "w").write("x")
open("/dev/null", "w").write("x")
assert len(open("/dev/urandom", "rb").read(8)) == 8
os.symlink("mine", "/work/link")
os.rename("/work/mine", "/work/yours")
print("done")
