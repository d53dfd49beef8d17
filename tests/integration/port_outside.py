"""Answers the port of a sandbox from outside: starts the launcher with a socket, takes
what it sends over it, and echoes each line of each connection.

    port_outside.py LAUNCHER [ARGUMENTS...]

Prints "port" when the socket came, "none" when it did not, and each line it read.
"""
import array
import socket
import subprocess
import sys
import threading

ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
run = subprocess.Popen(sys.argv[1:] + ["--listen-fd", str(theirs.fileno())], pass_fds=[theirs.fileno()],
                       stdout=subprocess.DEVNULL)
theirs.close()
message, ancillary, _, _ = ours.recvmsg(16, socket.CMSG_SPACE(4))
fds = array.array("i")
for level, kind, data in ancillary:
    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        fds.frombytes(data)
# The end of the socket: the launcher keeps no copy, or is gone.
rest = ours.recv(16)
print(("port" if message == b"p" and len(fds) == 1 else "none") + ("" if rest == b"" else " and more"), flush=True)


def serve():
    listening = socket.socket(fileno=fds[0])
    while True:
        connection, address = listening.accept()
        with connection:
            for line in connection.makefile("rb"):
                print(address[0], line.decode().strip(), flush=True)
                connection.sendall(line.upper())


if fds:
    threading.Thread(target=serve, daemon=True).start()
sys.exit(run.wait())
