"""Removes secrets from texts: passwords in addresses, tokens of known forms, and values of the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, TextIO

MARK = "***"
"""The text that replaces a secret."""
_SHORTEST = 8
"""Number of characters of the shortest value of an environment variable that is taken for a secret."""
_SECRET_NAMES = re.compile(
    r"TOKEN(?!IZ)|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|(?:^|_)KEY$|_PWD$|_DSN$|DATABASE_URL|_AUTH$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,30}://)[^\s/@'\"<>]{1,500}@", re.IGNORECASE)
_PARAMETER = re.compile(
    r"(?P<name>[?&#;](?:[a-z0-9_.-]{0,40}(?:token|secret|password|passwd|pwd|signature|api_?key|access_?key|credential)|"
    r"key|sig|auth|code))=[^\s&#'\"<>;]{1,2000}",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|sk-[\w-]{20,}|"
    r"xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|pypi-[\w-]{30,})|(?<=Bearer )[\w.~+/=-]{8,}"
)
_HINTS = ("://", "hf_", "gh", "glpat-", "sk-", "xox", "AKIA", "pypi-", "Bearer ", "?", "&")


def without_secrets(text: str) -> str:
    """Returns the text with `***` in place of every secret that is known or recognised.

    These are user names and passwords in addresses, values of parameters of addresses whose names say that they are
    secret, tokens of well-known forms, and the values of environment variables such as HF_TOKEN or DATABASE_URL.
    """
    for secret in secrets_in_environment():
        if secret in text:
            text = text.replace(secret, MARK)
    if any(hint in text for hint in _HINTS):
        text = _ADDRESS.sub(rf"\g<scheme>{MARK}@", text)
        text = _PARAMETER.sub(rf"\g<name>={MARK}", text)
        text = _TOKEN.sub(MARK, text)
    return text


class RedactedStream:
    """A text stream that removes secrets from what is written to it, and otherwise behaves like the stream it wraps."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes the text without secrets, and returns its own length."""
        self._stream.write(without_secrets(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@cache
def secrets_in_environment() -> tuple[str, ...]:
    """Returns the values of the environment variables that are named like secrets, longest first."""
    return secrets_among(os.environ)


def secrets_among(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the values of variables that are named like secrets, longest first, without short ones and paths."""
    values = {
        value
        for name, value in environment.items()
        if _SECRET_NAMES.search(name) and len(value) >= _SHORTEST and not value.startswith(("/", "./", "~"))
    }
    # The longest first, since one may contain another.
    return tuple(sorted(values, key=lambda value: (-len(value), value)))
