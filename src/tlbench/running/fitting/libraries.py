"""The set-up of a worker's libraries: less output, limited threads, and imports before anything is timed."""

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
    # A training step frees and allocates the same large blocks again and again. If malloc keeps them instead of
    # returning them to the system, they cost no page faults.
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(2**26),
    # Arrow's allocator would start a thread when it is imported, and a process with threads cannot be forked safely.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
PRELOADED = (
    "tlbench.running.fitting.process", "pyarrow.dataset", "pyarrow.parquet", "pandas", "tlbench.training.library",
    "torch._dynamo",
)  # fmt: skip
"""Modules that every order needs and that take long to import; torch's optimizers import `torch._dynamo`."""
DISCOVERED = "tlbench.running.executors.preloaded_plugins"
"""The module that runs the plugins' hooks. It is imported after the plugins' modules, so that an error in one of these
is reported under the plugin's own name."""


def configure_libraries(threads: int) -> None:
    """Sets the environment variables that torch and the model libraries read when they are imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in THREADS:
        os.environ[name] = str(threads)
    silence_warnings()


def silence_warnings() -> None:
    """Turns off warnings, which would be printed into the live view."""
    warnings.simplefilter("ignore")
    logging.captureWarnings(True)
