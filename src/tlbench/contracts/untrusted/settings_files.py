"""Reads JSON and TOML files of settings that may come from someone else; any fault of a file is a ValueError."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from tlbench.contracts.untrusted.regular_files import Links, read_regular_file, reason_of

MOST_BYTES = 2**26
"""Largest file of settings in bytes; the tokenizers of the largest vocabularies have some 40 MB."""
MOST_TOML_BYTES = 2**20
_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
# Reading a dotted key takes time that grows with the cube of its parts: one of 400 kB takes minutes.
_LONG_KEY = re.compile(rf"""(?<![\w."'-]){_PART}(?:[ \t]*\.[ \t]*{_PART}){{20}}""")


def parsed_json(content: bytes | str) -> Any:
    """Returns the value of a JSON text.

    Raises:
        ValueError: It is not JSON in UTF-8, is nested too deeply, or has a number of too many digits.
    """
    try:
        return json.loads(content)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error}") from None
    except ValueError:
        # Python refuses to read whole numbers of thousands of digits.
        raise ValueError("a number has too many digits") from None


def read_json(path: Path, max_bytes: int = MOST_BYTES, *, links: Links = "refused") -> Any:
    """Returns the value in a JSON file.

    Raises:
        ValueError: The file cannot be read, is too large, or is not JSON; the message begins with the path.
    """
    try:
        return parsed_json(read_regular_file(path, max_bytes, links=links))
    except (OSError, MemoryError) as error:
        raise ValueError(f"{path}: {reason_of(error)}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_json_object(path: Path, max_bytes: int = MOST_BYTES, *, links: Links = "refused") -> dict[str, Any]:
    """Returns the object in a JSON file; raises as `read_json`, and if there is another value in it."""
    value = read_json(path, max_bytes, links=links)
    if not isinstance(value, dict):
        raise ValueError(f"{path}: not a JSON object")
    return value


def read_toml(path: Path, *, links: Links = "refused") -> dict[str, Any]:
    """Returns the content of a TOML file.

    Raises:
        ValueError: The file is not TOML in UTF-8, has more than `MOST_TOML_BYTES`, is nested too deeply, or has a key
            of too many parts or a number of too many digits.
        OSError: The file cannot be read.
    """
    try:
        text = read_regular_file(path, MOST_TOML_BYTES, links=links).decode()
        if found := _LONG_KEY.search(text):
            line = text.count("\n", 0, found.start()) + 1
            raise ValueError(f"a key of more than 20 parts (line {line})")
        return tomllib.loads(text)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}") from None
    except RecursionError:
        # tomllib recurses for nested arrays, so a small file can exhaust the stack.
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise ValueError("a number has too many digits") from None
        raise
