"""An SFTP server (version 3, draft-ietf-secsh-filexfer-02) that misbehaves in the way it is told: `hostile_sftp.py WAY`."""

import os
import struct
import sys

way = sys.argv[1]
INIT, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, OPENDIR, READDIR, REMOVE, STAT, RENAME = (
    1, 3, 4, 5, 6, 7, 8, 11, 12, 13, 17, 18)
VERSION, STATUS, HANDLE, DATA, NAME, ATTRS = 2, 101, 102, 103, 104, 105
SIZE = 100_000
FILE, DIRECTORY = 0o100644, 0o40755
written = 0
listed = 0


def take(count):
    got = b""
    while len(got) < count:
        more = os.read(0, count - len(got))
        if not more:
            sys.exit()
        got += more
    return got


def put(bytes_):
    while bytes_:
        bytes_ = bytes_[os.write(1, bytes_):]


def packet(kind, body):
    put(struct.pack(">IB", len(body) + 1, kind) + body)


def string(text):
    return struct.pack(">I", len(text)) + text


def attrs(size=SIZE, mode=FILE):
    # Size, permissions, times.
    return struct.pack(">IQIII", 0x1 | 0x4 | 0x8, size, mode, 1_700_000_000, 1_700_000_000)


def status(id_, code):
    packet(STATUS, id_ + struct.pack(">I", code) + string(b"so it is") + string(b"en"))


def names(id_, entries):
    body = b"".join(string(name) + string(b"") + attrs for name, attrs in entries)
    packet(NAME, id_ + struct.pack(">I", len(entries)) + body)


def list_on(id_):
    global listed
    listed += 1
    if way == "endless":
        names(id_, [(b"file-%d-%d" % (listed, n), attrs()) for n in range(100)])
    elif way == "dots":
        names(id_, [(b".", attrs(mode=DIRECTORY)), (b"..", attrs(mode=DIRECTORY))] * 50)
    elif way == "long-name":
        names(id_, [(b"n" * 5_000, attrs())])
    elif way == "count":
        packet(NAME, id_ + struct.pack(">I", 0x7FFFFFFF) + string(b"one") + string(b"") + attrs())
    elif listed > 1:
        status(id_, 1)
    elif way == "names":
        odd = [b"../../etc/passwd", b"/abs", b"line\nend", b"\x1b[31mred", b"\xff\xfe", b"n" * 300, b"a\0b", b"-rf"]
        bare = [(b"bare", struct.pack(">I", 0)), (b"pipe", attrs(mode=0o10644)), (b"good", attrs())]
        names(id_, [(name, attrs()) for name in odd] + bare)
    else:
        names(id_, [(b"file", attrs())])


def read_on(id_, offset, count):
    if way == "longer":
        packet(DATA, id_ + string(b"x" * count))
    elif way == "fat":
        packet(DATA, id_ + string(b"x" * (count + 1)))
    elif way == "read-error":
        status(id_, 4)
    elif offset >= SIZE:
        status(id_, 1)
    else:
        packet(DATA, id_ + string(b"x" * min(count, SIZE - offset)))


def answer(kind, id_, body):
    global written
    if way == "silent":
        return
    if way == "garbage":
        put(os.urandom(4096))
    elif way == "huge-packet":
        put(struct.pack(">IB", 0xFFFFFFF0, STATUS) + id_)
    elif way == "flood":
        # Answers to nothing that was asked, without an end.
        while True:
            packet(DATA, struct.pack(">I", 0x7000_0000) + string(b"x" * 32_000))
    elif kind in (OPEN, OPENDIR):
        packet(HANDLE, id_ + string(b"h"))
    elif kind == READDIR:
        list_on(id_)
    elif kind == READ:
        handle = struct.unpack(">I", body[:4])[0]
        read_on(id_, *struct.unpack(">QI", body[4 + handle:16 + handle]))
    elif kind == WRITE:
        handle = struct.unpack(">I", body[:4])[0]
        written += struct.unpack(">I", body[12 + handle:16 + handle])[0]
        told = way.removeprefix("write-")
        status(id_, int(told) if told != way and written > SIZE // 2 else 0)
    elif kind in (LSTAT, STAT, FSTAT):
        if way == "grown" and kind == FSTAT:
            packet(ATTRS, id_ + attrs(SIZE + 1))
        elif way == "not-all" and written:
            packet(ATTRS, id_ + attrs(written - 1))
        elif written and body.endswith(b".part"):
            packet(ATTRS, id_ + attrs(written))
        elif kind == LSTAT and body.endswith(b"sent"):
            status(id_, 2)
        else:
            packet(ATTRS, id_ + attrs())
    elif kind == CLOSE and way == "close-error" and written:
        status(id_, 4)
    elif kind == RENAME and way == "no-rename":
        status(id_, 8)
    else:
        status(id_, 0)


while True:
    length = struct.unpack(">I", take(4))[0]
    asked = take(length)
    if asked[0] == INIT:
        packet(VERSION, struct.pack(">I", 3))
    else:
        answer(asked[0], asked[1:5], asked[5:])
