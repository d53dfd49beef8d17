#!/usr/bin/env python3
"""Writes the seeds that are binary (corpus/archive, lockstep, collect, ldcache) anew: they are
the product of this program, so that nobody has to read a hex dump."""
import bz2
import gzip
import io
import lzma
import pathlib
import struct
import subprocess
import tarfile

corpus = pathlib.Path(__file__).parent / "corpus"


def put(target, name, data):
    folder = corpus / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def tar(entries, form):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, bufsize=512) as t:
        for name, kind, extra in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.mode = 0o6755
            data = b""
            if kind == tarfile.REGTYPE:
                data = extra
                info.size = len(data)
            elif kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = extra
            t.addfile(info, io.BytesIO(data))
    # What tarfile pads to 10 KiB, a reader takes in 1 KiB.
    raw = out.getvalue().rstrip(b"\0")
    return raw + b"\0" * (-len(raw) % 512) + b"\0" * 1024


F, D, S, H = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
plain = [("./", D, None), ("src", D, None), ("src/a.c", F, b"int a;\n"), ("run", F, b"#!\n"),
         ("l", S, "src/a.c"), ("h", H, "run")]
hostile = [("a", S, "../../outside"), ("a/b", F, b"x"), ("../c", F, b"x"), ("/d", F, b"x")]
special = [("f", tarfile.FIFOTYPE, None), ("c", tarfile.CHRTYPE, None), ("usr/x", F, b"x")]
long = [("d/" * 40 + "f", F, b"deep"), ("n" * 200, F, b"long"), ("l", S, "t" * 150)]


def archives():
    ustar = tar(plain, tarfile.USTAR_FORMAT)
    put("archive", "ustar", b"\0" + ustar)
    put("archive", "ustar-image", b"\1" + ustar)
    put("archive", "ustar-tiny", b"\2" + ustar)
    put("archive", "gnu-long", b"\0" + tar(long, tarfile.GNU_FORMAT))
    put("archive", "pax-long", b"\0" + tar(long + [("\u00fc" * 9, F, b"u")], tarfile.PAX_FORMAT))
    put("archive", "hostile", b"\0" + tar(hostile, tarfile.USTAR_FORMAT))
    put("archive", "hostile-image", b"\1" + tar(hostile, tarfile.USTAR_FORMAT))
    put("archive", "special", b"\1" + tar(special, tarfile.GNU_FORMAT))
    put("archive", "gzip", b"\0" + gzip.compress(ustar, mtime=0))
    put("archive", "bzip2", b"\0" + bz2.compress(ustar))
    put("archive", "xz", b"\0" + lzma.compress(ustar))
    zstd = subprocess.run(["zstd", "-q", "-c"], input=ustar, capture_output=True, check=True)
    put("archive", "zstd", b"\0" + zstd.stdout)
    sparse = tarfile.TarInfo("s")
    sparse.size = 512
    sparse.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (1024, 512)
    header[482:495] = b"\0" + b"%011o\0" % 1536
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    put("archive", "sparse", b"\0" + bytes(header) + b"x" * 512 + b"\0" * 1024)


def dialogues():
    hello = struct.pack("<II", 0x534C4450, 1)

    def answer(streams, tokens, rounds, vocabulary, tail=b""):
        head = bytes([0, streams - 1, tokens - 1, rounds - 1, vocabulary - 4, 7])
        scores = [0.25 * (i % vocabulary) for i in range(streams * tokens * (rounds + 1) * vocabulary)]
        return head + hello + struct.pack(f"<{len(scores)}f", *scores) + tail

    put("lockstep", "complete", answer(1, 1, 1, 4))
    put("lockstep", "complete-larger", answer(3, 4, 2, 8))
    put("lockstep", "extra", answer(1, 2, 1, 4, b"x"))
    put("lockstep", "short", answer(2, 2, 1, 4)[:-5])
    put("lockstep", "nan", answer(1, 1, 1, 4)[:-4] + struct.pack("<f", float("nan")))
    put("lockstep", "huge", answer(1, 1, 1, 4)[:-4] + struct.pack("<f", 3e38))
    put("lockstep", "bad-hello", bytes([0, 0, 0, 0, 0, 0]) + b"HTTP/1.1")
    put("lockstep", "metric", b'\x80{"metric": 1.25}\n')
    put("lockstep", "invalid", b'\x80{"invalid": "the table is wrong"}')
    put("lockstep", "two-lines", b'\x80{"metric": 1}\n{"metric": 2}\n')


def trees():
    # byte by byte as fuzz_tree.c reads them: what is collected, caps, then steps
    put("collect", "files", bytes([0, 0, 12, 0, 2, 1, 12, 1, 4, 3, 1, 2, 12, 0, 3, 1]))
    put("collect", "whole", bytes([0, 0xFC, 12, 0, 2, 1, 1, 2, 12, 1, 5, 3, 0, 5, 0, 2]))
    put("collect", "links", bytes([0, 0, 5, 0, 2, 6, 1, 4, 12, 2, 2, 1, 7, 3, 2, 5, 5, 7]))
    put("collect", "special", bytes([0, 0, 4, 0, 8, 1, 9, 3, 10, 12, 4, 2, 1, 12, 23, 2, 1]))
    put("collect", "deep", bytes([0, 0, 11, 79, 12, 0, 2, 1, 0, 11, 70, 12, 1, 2, 1]))
    put("collect", "sparse", bytes([0, 0, 12, 0, 7, 3, 12, 1, 6, 3, 12, 3, 6, 0]))
    put("collect", "caps", bytes([1, 3, 1, 2, 12, 0, 3, 1, 12, 1, 3, 1, 12, 3, 3, 1]))
    put("collect", "named", bytes([0, 0, 12, 20]) + b"file.bin\0" + bytes([3, 1, 1, 21]) +
        b"folder\0" + bytes([12, 20]) + b"\xc3\xbc\0" + bytes([2, 1]))


def caches():
    # libraries of x86-64 (0x0303, 1 without a libc), of 32 bits (0x0803), of aarch64
    entries = [(0x0303, "libcuda.so.1", "/usr/lib/libcuda.so.1"), (0x0301, "libx.so", "/lib/libx.so"),
               (0x0803, "libcuda.so.1", "/usr/lib32/libcuda.so.1"), (0x0A03, "libc.so.6", "/lib/libc.so.6")]

    def strings(start):
        data, places = b"", []
        for _, name, path in entries:
            places.append((start + len(data), start + len(data) + len(name) + 1))
            data += name.encode() + b"\0" + path.encode() + b"\0"
        return data, places

    def old(start):
        rows = b"".join(struct.pack("<iII", flags, *at) for (flags, _, _), at in zip(entries, strings(start)[1]))
        return b"ld.so-1.7.0\0" + struct.pack("<I", len(entries)) + rows

    def new(order=2, extra=0, count=len(entries)):
        data, places = strings(48 + 24 * len(entries))
        rows = b"".join(struct.pack("<iIIIQ", flags, a + extra, b, 0, 0) for (flags, _, _), (a, b) in zip(entries, places))
        return b"glibc-ld.so.cache1.1" + struct.pack("<IIB3xI12x", count, len(data), order, 0) + rows + data

    both = old(48 + 24 * len(entries))
    put("ldcache", "new", new())
    put("ldcache", "new-unsaid", new(order=0))
    put("ldcache", "old", old(0) + strings(0)[0])
    put("ldcache", "both", both + b"\0" * (-len(both) % 8) + new())
    put("ldcache", "big-endian", new(order=3))
    put("ldcache", "outside", new(extra=4000))
    put("ldcache", "many", new(count=0xFFFFFFFF))
    put("ldcache", "cut", new()[:-1])


for made in ("archive", "lockstep", "collect", "ldcache"):
    for old in (corpus / made).glob("*"):
        if old.is_file():  # found/ is what long runs brought
            old.unlink()
archives()
dialogues()
trees()
caches()
