"""A coding agent for outside.sh: does what its first argument says, in its sandbox."""
import http.client
import json
import os
import socket
import sys
import time

PORT = 4100
PROTOCOL = os.environ.get("PADDOCK_PROTOCOL", "openai")


def post(path, body, headers=None, method="POST"):
    c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    raw = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    c.request(method, path, raw, {"Content-Type": "application/json", "Authorization": "Bearer none", "x-api-key": "none",
                                  **(headers or {})})
    r = c.getresponse()
    return r.status, r.read().decode()


def request(prompt, stream=False, **more):
    """Path and body as this protocol's clients have them; the model's name is a wrong one."""
    if PROTOCOL == "openai":
        return "/v1/chat/completions", {"model": "another", "messages": [{"role": "user", "content": prompt}],
                                        "stream": stream, **more}
    if PROTOCOL == "anthropic":
        return "/v1/messages?beta=true", {"model": "another", "max_tokens": 500, "stream": stream,
                                          "messages": [{"role": "user", "content": prompt}], **more}
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/v1beta/models/another:{verb}", {"contents": [{"role": "user", "parts": [{"text": prompt}]}], **more}


def text_of(document):
    if PROTOCOL == "openai":
        choice = (document.get("choices") or [{}])[0]
        return (choice.get("message") or choice.get("delta") or {}).get("content") or ""
    if PROTOCOL == "anthropic":
        if "content" in document:
            return "".join(b.get("text", "") for b in document["content"])
        return (document.get("delta") or {}).get("text", "")
    return "".join(p.get("text", "") for c in document.get("candidates", []) for p in c["content"]["parts"])


def ask(prompt, stream=False, **more):
    path, body = request(prompt, stream, **more)
    status, raw = post(path, body)
    if status != 200:
        return status, raw
    if not stream:
        return status, text_of(json.loads(raw))
    events = [line[6:] for line in raw.splitlines() if line.startswith("data: ") and line != "data: [DONE]"]
    return status, "".join(text_of(json.loads(e)) for e in events)


def edit(old="sleep 0.6", new="sleep 0.2"):
    text = open("train.sh").read().replace(old, new)
    open("train.sh", "w").write(text)


def talk(calls, stream):
    for i in range(int(calls)):
        status, said = ask(f"question {i}", stream == "stream")
        print(status, said)
    edit()
    print("SUMMARY: it sleeps as it was told")


def snoop():
    """Everything that can be read in here, for the beginning of a key."""
    wanted, found = ("sk-" + "test-").encode(), []
    open("/tmp/planted", "wb").write(wanted)  # what looks must be able to find
    places = [os.environb.get(k) for k in os.environb]
    for root in ("/proc", "/work", "/tmp", "/paddock", "/etc", "/dev/shm", os.path.dirname(os.path.abspath(__file__))):
        for folder, folders, files in os.walk(root):
            if folder.startswith("/proc") and folder.count("/") > 3:
                folders[:] = []
            for name in files:
                path = os.path.join(folder, name)
                if name in ("kmsg", "kpagecount", "kcore"):
                    continue
                try:
                    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                    data = os.read(fd, 1 << 20)
                    os.close(fd)
                    if wanted in data:
                        found.append(path)
                except OSError:
                    pass
    if any(wanted in p for p in places if p):
        found.append("environment")
    print("key:", sorted(found), "prompt:", "yes" if "Sleep less" in open(os.environ["PADDOCK_PROMPT_FILE"]).read() else "no",
          "stdin:", "yes" if "Sleep less" in sys.stdin.read() else "no")
    print("reply:", ask("say the key")[1])
    print("error:", ask("fail with the key"))
    edit()


def net(port, path, name):
    def attempt(what, f):
        try:
            print(what, "REACHED", f())
        except OSError:
            print(what, "no")

    def tcp(address, family=socket.AF_INET):
        s = socket.socket(family)
        s.settimeout(3)
        s.connect(address)
        return "connected"
    attempt("mock", lambda: tcp(("127.0.0.1", int(port))))
    attempt("daemon", lambda: tcp(path, socket.AF_UNIX))
    attempt("abstract", lambda: tcp("\0" + name, socket.AF_UNIX))
    attempt("near", lambda: tcp(("127.0.0.1", PORT + 1)))
    attempt("beside", lambda: tcp(("127.0.0.2", PORT)))
    attempt("six", lambda: tcp(("::1", PORT), socket.AF_INET6))
    attempt("world", lambda: tcp(("192.0.2.1", 443)))
    attempt("names", lambda: socket.getaddrinfo("example.com", 443))
    attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    attempt("connect", lambda: "proxied" if post("example.com:443", None, method="CONNECT")[0] == 200 else tcp(("127.0.0.1", 1)))
    edit()


def refused():
    cases = {"n": {"n": 2}, "search": {"web_search_options": {}, "tools": [{"type": "web_search"}]},
             "url": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}]}]}}
    for name, more in cases.items():
        print(name, post(*[*request("x", **more)])[0])
    print("model", json.loads(post("/v1/models", None, method="GET")[1])["data"][0]["id"])
    print("protocol", post("/v1/messages", {"messages": []})[0])
    print("responses", post("/v1/responses", {"input": "x"})[0])
    print("json", post("/v1/chat/completions", b"{")[0])
    print("large", post("/v1/chat/completions", b'{"x": "' + b"x" * (9 << 20) + b'"}')[0])
    print("unknown", ask("question", plugins=[{"id": "web"}], models=["other"], service_tier="priority"))
    edit()


def budget():
    answers = []
    for i in range(30):
        answers.append(ask(f"question {i}")[0])
        if answers[-1] != 200:
            break
    print("answers", answers[-1], ask("once more")[0])
    edit()


def main():
    verb, rest = sys.argv[1], sys.argv[2:]
    if verb in ("talk", "snoop", "net", "refused", "budget"):
        globals()[verb](*rest)
    elif verb == "fill":
        with open("notes.bin", "wb") as f:
            while True:
                f.write(b"x" * (1 << 20))
    elif verb == "fork":
        while True:
            if os.fork() == 0:
                time.sleep(60)
    elif verb == "hang":
        edit()
        ask("question")
        time.sleep(600)
    elif verb == "elsewhere":
        os.makedirs("notes", exist_ok=True)
        open("notes/plan", "w").write("a plan\n")
        open("notes/raw", "wb").write(bytes(range(256)))
        open("secret.txt", "w").write("not mine to write")
        open("task.json", "w").write("{}")
        edit()
    elif verb == "link":
        os.unlink("train.sh")
        os.symlink("/etc/passwd", "train.sh")
    elif verb == "links":
        os.symlink("/etc/passwd", "notes-link")
        os.mkfifo("pipe")
        edit()
    elif verb == "delete":
        os.unlink("train.sh")
        open("other.sh", "w").write("true\n")
    elif verb == "many":
        for i in range(70):
            open(f"file{i}.sh", "w").write("x")
    elif verb == "large":
        open("large.sh", "w").write("x" * (2 << 20))
    elif verb == "quiet":
        edit()
        sys.exit(3)


main()
