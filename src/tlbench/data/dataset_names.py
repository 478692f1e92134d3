"""Compares the data sets that a backbone was trained on with those that a task's examples come from.

Data sets have several names ("multi_nli", "nyu-mll/multi_nli", "MNLI"), and some contain others (AllNLI holds SNLI and
MultiNLI). A match says that a backbone was trained on data of the task. It does not say that it saw the test examples:
which split it was trained on is mostly unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_ALIASES = {
    "multinli": "mnli",
    "qqptriplets": "qqp",
    "quora": "qqp",
    "quoraduplicates": "qqp",
    "quoraduplicatequestions": "qqp",
    "quoraquestionpairs": "qqp",
    "quoraquestiontriplets": "qqp",
    "sst": "sst2",
    "stanfordsentimenttreebank": "sst2",
    "stsbenchmark": "stsb",
    "stsbenchmarksts": "stsb",
    "squadv11": "squad",
    "squad11": "squad",
    "squad20": "squadv2",
    "squad2": "squadv2",
    "imagenet": "imagenet1k",
    "ilsvrc2012": "imagenet1k",
    "wnut2017": "wnut17",
}
"""Other names of a data set, without case, punctuation and the name of the organisation that published it."""
_PARTS = {
    "allnli": ("snli", "mnli"),
    "glue": ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli"),
    # The sentences of QNLI come from SQuAD, and SQuAD 2.0 has all questions of SQuAD 1.1.
    "qnli": ("squad",),
    "squadv2": ("squad",),
    "imagenet12k": ("imagenet1k",),
    "imagenet21k": ("imagenet1k",),
    "imagenet22k": ("imagenet1k",),
}
"""For each data set, the other data sets of which it has all or most examples."""


def shared_datasets(trained_on: Iterable[str], datasets: Iterable[str]) -> tuple[str, ...]:
    """Returns the names, from `trained_on`, of the data sets that share examples with `datasets`, those of a task."""
    wanted = set().union(*(_contents(name) for name in datasets))
    return tuple(name for name in dict.fromkeys(trained_on) if wanted & _contents(name))


def _contents(name: str) -> set[str]:
    """Returns the canonical names of a data set and of all data sets that it contains."""
    plain = re.sub(r"[^a-z0-9]", "", name.rpartition("/")[2].lower())
    plain = _ALIASES.get(plain, plain)
    found = {plain} - {""}
    for part in _PARTS.get(plain, ()):
        found |= _contents(part)
    return found
