"""What a command writes on its way to an agent, as docs/agent-api.md has it: written and read a second time, from the
document alone."""

import hashlib

FIRST = b"granary1"


def frame(data):
    return b"D" + len(data).to_bytes(3, "big") + data


def trailer(data, status=0, words=b""):
    facts = (status & 0xffff).to_bytes(2, "big") + len(data).to_bytes(8, "big")
    body = facts + hashlib.sha256(data + facts + words).digest() + words
    return b"s" + len(body).to_bytes(3, "big") + body


def write(data, status=0, words=b"", size=32 << 10):
    frames = [frame(data[at:at + size]) for at in range(0, len(data), size)]
    return FIRST + b"".join(frames) + trailer(data, status, words)


def read(received):
    """(data so far, (exit status, words) of the trailer or None)."""
    assert FIRST.startswith(received[:8]), received[:8]
    data, rest = [], received[8:]
    while len(rest) >= 4 and len(rest) >= 4 + int.from_bytes(rest[1:4], "big"):
        length = int.from_bytes(rest[1:4], "big")
        kind, body, rest = rest[:1], rest[4:4 + length], rest[4 + length:]
        if kind == b"D":
            data.append(body)
            continue
        assert kind == b"s" and not rest, (kind, rest)
        whole, words = b"".join(data), body[42:]
        assert int.from_bytes(body[2:10], "big") == len(whole)
        assert body[10:42] == hashlib.sha256(whole + body[:10] + words).digest()
        return whole, (int.from_bytes(body[:2], "big", signed=True), words)
    return b"".join(data), None
