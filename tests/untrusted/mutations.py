"""Damages small files at random, as transfers, editors and hostile people do."""

from __future__ import annotations

import random
from collections.abc import Callable

ODD = (
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\x7f" * 8, b"\xff" * 8),
    *(b"9" * 5000, b"-1", b"1e999", b"NaN", b"0.5", b"null", b"true", b"{}", b"99999999999999999999"),
    *(b"[" * 3000, b'{"a":' * 3000, b"a." * 2000, b"../", b"/dev/zero", b"=1+1", b"\x1b[2J"),
    *(b'"', b"'", b"\r", b"\n", b"\n\n", b",", b";", b"\t"),
)
"""What is put into files: ends and beginnings of the structures that formats are made of, and odd values."""


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Returns the content after one to three changes."""
    for _ in range(draw.randint(1, 3)):
        content = draw.choice(_CHANGES)(bytearray(content), draw)
    return content


def _place(content: bytearray, draw: random.Random) -> int:
    # Half of the changes are near one of the ends, where headers and footers are.
    return draw.randrange(len(content) + 1) if draw.random() < 0.5 else draw.choice(
        (min(len(content), draw.randrange(40)), max(0, len(content) - draw.randrange(200)))
    )  # fmt: skip


def _flip(content: bytearray, draw: random.Random) -> bytes:
    if content:
        content[min(_place(content, draw), len(content) - 1)] ^= 1 << draw.randrange(8)
    return bytes(content)


def _cut(content: bytearray, draw: random.Random) -> bytes:
    return bytes(content[: _place(content, draw)])


def _drop(content: bytearray, draw: random.Random) -> bytes:
    start = _place(content, draw)
    return bytes(content[:start] + content[start + draw.randint(1, 30) :])


def _repeat(content: bytearray, draw: random.Random) -> bytes:
    start = _place(content, draw)
    return bytes(content[:start] + content[start : start + draw.randint(1, 200)] * draw.randint(2, 5) + content[start:])


def _insert(content: bytearray, draw: random.Random) -> bytes:
    start = _place(content, draw)
    return bytes(content[:start] + draw.choice(ODD) + content[start:])


def _replace(content: bytearray, draw: random.Random) -> bytes:
    start, odd = _place(content, draw), draw.choice(ODD)
    return bytes(content[:start] + odd + content[start + draw.randint(1, len(odd) + 1) :])


def _replace_number(content: bytearray, draw: random.Random) -> bytes:
    digits = [at for at, byte in enumerate(content) if 48 <= byte <= 57]
    if digits:
        at = draw.choice(digits)
        content[at : at + 1] = draw.choice((b"-7", b"999999999999", b"0.5", b'"a"', b"null", b"[]", b"true", b"1e308"))
    return bytes(content)


_CHANGES: tuple[Callable[[bytearray, random.Random], bytes], ...] = (
    _flip, _flip, _cut, _drop, _repeat, _insert, _replace, _replace_number,
)  # fmt: skip
