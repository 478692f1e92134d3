"""The wire format: frames of bytes with a kind and a length, over a stream socket."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from socket import socket

BEGIN, REQUEST, ANSWER, RAISED, FORKED, REFUSED = b"B", b"Q", b"A", b"X", b"F", b"N"
"""Kinds of frames. To a worker: settings, a request. From it: an answer, an error. From the server: a pid, an error."""

_HEADER = struct.Struct("!4scQ")
# A target may write to the socket by mistake; such bytes must not be taken for a length.
_MAGIC = b"\xf1\x00fk"
_CHUNK, _SMALL = 2**20, 2**15


class FrameError(Exception):
    """Bytes that are not a frame."""


def header(kind: bytes, length: int) -> bytes:
    """Returns the header of a frame."""
    return _HEADER.pack(_MAGIC, kind, length)


def write(sock: socket, kind: bytes, content: bytes | bytearray | memoryview) -> None:
    """Writes a frame to a blocking socket."""
    length = memoryview(content).nbytes
    if length < _SMALL:
        # In one call, so that a process that is killed has written either all of it or nothing.
        sock.sendall(header(kind, length) + content)
    else:
        sock.sendall(header(kind, length))
        sock.sendall(content)


def read(sock: socket) -> tuple[bytes, bytes] | None:
    """Reads one frame from a blocking socket and nothing after it.

    Returns the frame's kind and content, or None at the end of the stream.

    Raises:
        FrameError: The bytes are not a frame, or the stream ends within one.
    """
    first = _exactly(sock, _HEADER.size)
    if not first:
        return None
    kind, length = _kind_and_length(first)
    content = _exactly(sock, length)
    if len(content) < length:
        raise FrameError("a frame ends in the middle")
    return kind, content


class Reader:
    """Assembles frames from the pieces that a non-blocking socket delivers."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, piece: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Adds a piece, and yields kind and content of each frame that is complete now.

        Raises:
            FrameError: The bytes are not a frame.
        """
        self._data += piece
        while len(self._data) >= _HEADER.size:
            kind, length = _kind_and_length(self._data)
            end = _HEADER.size + length
            if len(self._data) < end:
                return
            # The view must be released before the buffer can shrink.
            with memoryview(self._data) as view:
                content = bytes(view[_HEADER.size : end])
            del self._data[:end]
            yield kind, content


def _kind_and_length(data: bytes | bytearray) -> tuple[bytes, int]:
    if len(data) < _HEADER.size:
        raise FrameError("a frame ends in the middle")
    magic, kind, length = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise FrameError("bytes that are no frame")
    return kind, length


def _exactly(sock: socket, length: int) -> bytes:
    """Reads `length` bytes from the socket; returns fewer if the stream ends first."""
    data = bytearray()
    while len(data) < length:
        piece = sock.recv(min(_CHUNK, length - len(data)))
        if not piece:
            break
        data += piece
    return bytes(data)
