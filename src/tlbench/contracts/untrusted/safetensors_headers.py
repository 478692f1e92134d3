"""Reads the headers of safetensors files that may come from someone else: names, types and shapes of tensors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from tlbench.contracts.untrusted.regular_files import Links, open_regular, reason_of
from tlbench.contracts.untrusted.settings_files import parsed_json

LARGEST_HEADER = 2**26
"""Size in bytes of the largest header that is read; those of models of thousands of tensors have a few MB."""
_MOST_AXES = 32


class HeaderTensor(NamedTuple):
    """Type and shape of a tensor."""

    dtype: str
    """Name of the type in the safetensors format, such as F32, BF16, I64 or BOOL."""
    shape: tuple[int, ...]


def read_header(path: Path, *, links: Links = "refused") -> tuple[dict[str, HeaderTensor], dict[str, str]]:
    """Returns the tensors of a safetensors file by name, and the metadata in its header.

    Raises:
        ValueError: The file cannot be read, or is no safetensors file; the message begins with the path.
    """
    try:
        with open_regular(path, links=links) as file:
            # 8 bytes of header length, then the header in JSON, then the tensors.
            size = int.from_bytes(file.read(8), "little")
            if size > os.fstat(file.fileno()).st_size - 8:
                raise ValueError("not a safetensors file, or cut short")
            if size > LARGEST_HEADER:
                raise ValueError(f"its header has more than {LARGEST_HEADER:,} bytes")
            header = parsed_json(file.read(size))
        return _tensors(header), _metadata(header)
    except (OSError, MemoryError) as error:
        raise ValueError(f"{path}: {reason_of(error)}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _tensors(header: object) -> dict[str, HeaderTensor]:
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")
    found: dict[str, HeaderTensor] = {}
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        dtype, shape = (tensor.get("dtype"), tensor.get("shape")) if isinstance(tensor, dict) else (None, None)
        is_shape = isinstance(shape, list) and len(shape) <= _MOST_AXES and all(map(_is_size, shape))
        if not isinstance(dtype, str) or shape is None or not is_shape:
            raise ValueError(f"its header has no type and shape of the tensor {name[:100]!r}")
        found[name] = HeaderTensor(dtype, tuple(shape))
    return found


def _metadata(header: dict[str, object]) -> dict[str, str]:
    metadata = header.get("__metadata__")
    return {name: str(value) for name, value in metadata.items()} if isinstance(metadata, dict) else {}


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**48
