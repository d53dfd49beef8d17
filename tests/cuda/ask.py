#!/usr/bin/env python3
"""What an examiner says to `gpt predict`, and a look at what is answered.

ask.py write STREAMS TOKENS FILE     a session: TOKENS steps, RESET, the first few again
ask.py compare STREAMS A B MOST      the scores of two sessions, which may differ by MOST
"""
import struct
import sys

MAGIC, VOCAB, AGAIN = 0x534C4450, 256, 4


def token(stream, step):
    """Letters and spaces, never the same for two streams."""
    return (97 + (stream * 7 + step * step * 3 + step) % 26) if (step + stream) % 5 else 32


def write(streams, tokens, path):
    with open(path, "wb") as file:
        file.write(struct.pack("<5I", MAGIC, 1, streams, VOCAB, tokens))
        for steps in (tokens, AGAIN):
            file.write(struct.pack("<I", 1))
            for step in range(steps):
                row = [token(stream, step) for stream in range(streams)]
                file.write(struct.pack(f"<I{streams}I", 2, *row))
        file.write(struct.pack("<I", 0))


def scores(path):
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != struct.pack("<2I", MAGIC, 1):
        raise SystemExit(f"{path}: no greeting")
    return struct.unpack(f"<{(len(data) - 8) // 4}f", data[8:])


def compare(streams, first, second, most):
    a, b = scores(first), scores(second)
    if len(a) != len(b) or not a:
        raise SystemExit(f"{len(a)} scores and {len(b)}")
    size = streams * VOCAB * AGAIN
    if a[:size] != a[-size:]:
        raise SystemExit("after RESET the same tokens are answered otherwise")
    apart = max(abs(x - y) if abs(x - y) >= 0 else float("inf") for x, y in zip(a, b))
    print(f"{len(a)} scores, {apart:.6f} apart at most")
    if not apart <= most:
        raise SystemExit(1)


if sys.argv[1] == "write":
    write(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
else:
    compare(int(sys.argv[2]), sys.argv[3], sys.argv[4], float(sys.argv[5]))
