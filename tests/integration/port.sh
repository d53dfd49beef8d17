#!/usr/bin/env bash
# The port: the one server outside that a program in the fence can reach, where policy,
# spec and launcher's caller all want it; and nothing else.
# What fence_lib.bash sets is not seen by shellcheck.
# shellcheck disable=SC2154,SC2016,SC2329
set -uo pipefail
self=$(readlink -f "$0")
here=$(dirname "$self")
# shellcheck source=tests/integration/fence_lib.bash disable=SC1091
. "$here/fence_lib.bash"
fan_out "$self"
make_work

coder=".policy = \"$policy_dir/coder.json\" | .network = \"loopback\" | .listen = 4100"
# outside ARGV_JSON [JQ_FILTER]: as launch, with somebody who answers the port.
outside() {
    prepare "$1" "$coder${2:+ | $2}"
    said=$(/usr/bin/python3 "$here/port_outside.py" "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>"$run/errors")
}

talk='import socket
s = socket.create_connection(("127.0.0.1", 4100), 5)
s.sendall(b"hello\n"); print(s.recv(99).decode().strip())'
outside "$(python_argv "$talk")"
is "a program talks with who answers the port" "exit 0 HELLO" "$(field '"\(.ended) \(.exit_code)"') $(cat "$run/stdout")"
is "… who is outside" "port 127.0.0.1 hello" "$(tr '\n' ' ' <<<"$said" | sed 's/ $//')"
check "the report says so" grep -q 'of which port 4100 is answered from outside' <<<"$(field '.fence[] | select(.name == "network-namespace").detail')"
is "… and nothing is left" "" "$(leftovers)"

# ---- nothing else ----

# A server of the host, on its loopback, under an abstract name and by a path.
host_place=$(mktemp -d /tmp/paddock-port-XXXXXX)
chmod 755 "$host_place"
/usr/bin/python3 -c '
import socket, sys, threading
def listen(family, address):
    s = socket.socket(family); s.bind(address); s.listen()
    threading.Thread(target=lambda: [s.accept()[0].sendall(b"host") for _ in iter(int, 1)], daemon=True).start()
    return s
tcp = listen(socket.AF_INET, ("127.0.0.1", 0))
listen(socket.AF_UNIX, "\0paddock-port-" + sys.argv[2]); listen(socket.AF_UNIX, sys.argv[1] + "/socket")
print(tcp.getsockname()[1], flush=True)
sys.stdin.read()' "$host_place" "$$" < <(sleep 60) >"$host_place/port" &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$work" "$host_place"' EXIT
until [ -s "$host_place/port" ]; do sleep 0.02; done
try='import errno, socket, sys
def attempt(name, f):
    try: print(name, "REACHED", f())
    except OSError as e: print(name, errno.errorcode.get(e.errno, type(e).__name__))
def tcp(host, port, family=socket.AF_INET):
    s = socket.socket(family); s.settimeout(3); s.connect((host, port)); return s.recv(4)
def unix(name):
    s = socket.socket(socket.AF_UNIX); s.settimeout(3); s.connect(name); return s.recv(4)
def udp(host, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x", (host, port)); return "sent"
host = int(sys.argv[1])
attempt("host-loopback", lambda: tcp("127.0.0.1", host))
attempt("other-port", lambda: tcp("127.0.0.1", 4101))
attempt("other-loopback", lambda: tcp("127.0.0.2", 4100))
attempt("loopback-6", lambda: tcp("::1", 4100, socket.AF_INET6))
attempt("world", lambda: tcp("192.0.2.1", 443))
attempt("world-6", lambda: tcp("2001:db8::1", 443, socket.AF_INET6))
attempt("metadata", lambda: tcp("169.254.169.254", 80))
attempt("abstract", lambda: unix("\0paddock-port-" + sys.argv[2]))
attempt("path", lambda: unix(sys.argv[3] + "/socket"))
attempt("udp", lambda: udp("127.0.0.1", 53))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
attempt("dns", lambda: socket.getaddrinfo("example.com", 443))
attempt("bind-again", lambda: socket.socket().bind(("127.0.0.1", 4100)))'
outside "$(jq -cn --arg s "$try" --arg port "$(cat "$host_place/port")" --arg name $$ --arg place "$host_place" '["python3", "-c", $s, $port, $name, $place]')"
wanted='host-loopback ECONNREFUSED
other-port ECONNREFUSED
other-loopback ECONNREFUSED
loopback-6 ECONNREFUSED
world ENETUNREACH
world-6 ENETUNREACH
metadata ENETUNREACH
abstract ECONNREFUSED
path ENOENT
udp EAFNOSUPPORT
raw EAFNOSUPPORT
packet EAFNOSUPPORT
vsock EAFNOSUPPORT
dns gaierror
bind-again EADDRINUSE'
while read -r name answer; do
    got=$(sed -n "s/^$name //p" "$run/stdout")
    # Landlock answers EPERM before the namespace is asked.
    [ "$name" = abstract ] && [ "$got" = EPERM ] && got=ECONNREFUSED
    is "nothing else is reached: $name" "$answer" "$got"
done <<<"$wanted"
is "… and the host's server is there" "host" "$(/usr/bin/python3 -c 'import socket, sys; print(socket.create_connection(("127.0.0.1", int(sys.argv[1]))).recv(4).decode())' "$(cat "$host_place/port")")"

# ---- only where all three want it ----

for policy in strict train build compile; do
    prepare '["true"]' "$coder | .policy = \"$policy_dir/$policy.json\""
    said=$(/usr/bin/python3 "$here/port_outside.py" "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>"$run/errors")
    is "the policy $policy refuses a port" "setup-error none" "$(field .ended) $said"
done
jq '.name = "mine" | .listen = false' "$policy_dir/coder.json" >"$work/mine.json"
prepare '["true"]' "$coder | .policy = \"$work/mine.json\""
said=$(/usr/bin/python3 "$here/port_outside.py" "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>"$run/errors")
is "it is the policy's \"listen\" that says so" "setup-error listen: the policy mine does not allow it" "$(field '"\(.ended) \(.error)"')"
launch '["true"]' "$coder"
is "a spec cannot have one by itself" "true" "$(field '.ended == "setup-error" and (.error | contains("nobody answers the port"))')"
outside '["true"]' 'del(.listen)'
is "nor a caller without a spec" "setup-error none" "$(field .ended) $said"
prepare '["true"]' "$coder | .network = \"none\""
check "a port needs a loopback" bash -c '! "$1" run "$2" --dir "$3" 2>"$3/errors" && grep -q "needs the network" "$3/errors"' - "$bin/paddock-sandbox" "$run/spec.json" "$run"
for n in 2 x 9999; do
    check "--listen-fd $n is none" bash -c '! "$1" run "$2" --dir "$3" --listen-fd "$4" 2>/dev/null' - "$bin/paddock-sandbox" "$run/spec.json" "$run" "$n"
done
prepare "$(python_argv "$talk")" "del(.listen) | .network = \"loopback\" | .policy = \"$policy_dir/coder.json\""
"$bin/paddock-sandbox" run "$run/spec.json" --dir "$run" 2>"$run/errors"
check "without it the policy's loopback is empty" grep -q 'Connection refused' "$run/stderr"
# What answers is gone, and its socket with it: the program is told.
prepare "$(shell_argv 'until [ -e gone ]; do sleep 0.02; done')" "$coder | .limits.wall_ms = 1000"
said=$(/usr/bin/python3 -c '
import os, socket, subprocess, sys
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
ours.close()
sys.exit(subprocess.run(sys.argv[1:] + ["--listen-fd", str(theirs.fileno())], pass_fds=[theirs.fileno()]).returncode)' "$bin/paddock-sandbox" run "$run/spec.json" --dir "$run")
is "a caller that is gone ends the run before it begins" "setup-error" "$(field .ended)"
exit "$failed"
