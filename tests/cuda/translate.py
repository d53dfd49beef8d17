#!/usr/bin/env python3
"""Turns CUDA C++ into C++ for the emulation in include/: translate.py FILE [NAME=VALUE ...]

A launch becomes CUDA_LAUNCH, and behind each __shared__ array comes CUDA_SHARED, which
fills it with NaN. NAME=VALUE gives a constant of the program ("constexpr int NAME = ...;")
another value; one that is not there is an error. The result goes to stdout.
"""
import re
import sys

LAUNCH = re.compile(r"([A-Za-z_]\w*(?:<[^<>;{}]*>)?)<<<")


def closing(text, at, opens, closes):
    """The index of the bracket that closes the one before `at`."""
    depth = 1
    while at < len(text):
        depth += (text[at] in opens) - (text[at] in closes)
        if depth == 0:
            return at
        at += 1
    raise SystemExit("translate.py: a bracket is not closed")


def arguments(text):
    """The parts between commas that are in no bracket."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "([{") - (c in ")]}")
        if c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return parts + [text[start:].strip()]


def launches(text):
    out, at = [], 0
    for match in LAUNCH.finditer(text):
        if match.start() < at:
            continue
        end = text.index(">>>", match.end())
        shape = arguments(text[match.end():end])
        first = text.index("(", end) + 1
        last = closing(text, first, "(", ")")
        out.append(text[at:match.start()])
        out.append(f"CUDA_LAUNCH(({shape[0]}), ({shape[1]}), "
                   f"{match.group(1)}({text[first:last]}))")
        at = last + 1
    return "".join(out) + text[at:]


def shared(match):
    names = [re.match(r"\w+", part.strip()).group(0) for part in arguments(match.group(2))]
    return match.group(0) + "".join(f" CUDA_SHARED({name});" for name in names)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    for setting in sys.argv[2:]:
        name, value = setting.split("=")
        pattern = rf"(\bconstexpr \w+ (?:\w+ = [^,;]*, )*{name} = )[^,;]*"
        text, found = re.subn(pattern, rf"\g<1>{value}", text)
        if found != 1:
            raise SystemExit(f"translate.py: {name} is defined {found} times in {sys.argv[1]}")
    text = re.sub(r"__shared__ ((?:__align__\(\d+\) )?\w+) ([^;]*);", shared, text)
    sys.stdout.write(launches(text))


if __name__ == "__main__":
    main()
