"""How the libraries of a worker are set up: quiet, on its share of the cores, imported before any clock starts."""

from __future__ import annotations

import logging
import os
import warnings

QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
ALLOCATOR = {
    # A training step frees and takes the same large blocks again and again; kept, they cost no page faults.
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(2**26),
    # Arrow's allocator would start a thread where it is imported, and a process with threads cannot be forked safely.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
PRELOADED = (
    "tlbench.running.fitting.process", "pyarrow.dataset", "pyarrow.parquet", "pandas", "tlbench.training",
    "torch._dynamo",
)  # fmt: skip
"""What every cell's orders need and what takes long to import; `torch._dynamo` is what torch's optimizers import."""
DISCOVERED = "tlbench.running.fitting.discovered"
"""Runs the plugins' hooks; imported after the plugins themselves, whose errors are then told by name."""


def prepare(threads: int) -> None:
    """Sets what must be set before torch and the model libraries are imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in THREADS:
        os.environ[name] = str(threads)
    hush()


def hush() -> None:
    """Keeps warnings of libraries from the screen."""
    warnings.simplefilter("ignore")
    logging.captureWarnings(True)
