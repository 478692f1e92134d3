"""Names what a record lacks that tlbench always writes: leaving a part out would hide what it says."""

from __future__ import annotations

from collections.abc import Iterator, Set

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import TlbenchError
from tlbench.contracts.record import Record
from tlbench.contracts.space import is_fixed
from tlbench.running.cells.hyperparameters import settings_of
from tlbench.running.search.grid import grid
from tlbench.running.search.repeats import number_of_settings
from tlbench.system.integrity.sealed_json import unsealed

_SPLITS = ("train", "validation", "test")
_OF_SECOND_FORM = frozenset(
    {
        "floor", "no_validation_predictions", "seen_datasets", "test_groups", "trials_planned", "truncated",
        "validation_predictions",
    }
)  # fmt: skip
"""Fields that records have since 2026-11-29. They came one after the other, but in no record that was published."""
_OF_THIRD_FORM = frozenset({"digests"})
"""Fields that records have since 2026-11-30, together with the digest with which their files begin."""
_ADDED_LATER = frozenset({"drivers"})
"""Fields that a record with digests may lack, since they were added after these."""


def missing_parts(record: Record, content: bytes, catalog: Catalog) -> Iterator[str]:
    """Yields what a record with scores lacks that a real one of its form has, a line each.

    Args:
        record: The record, of status `ok`.
        content: Its file.
        catalog: The installed plugins, which say whether a floor and an early end of a search are missing rightly.
    """
    keys = frozenset(msgspec.json.decode(unsealed(content), type=dict[str, msgspec.Raw]))
    is_sealed = content.startswith(b'{"digest":"')
    yield from _missing_fields(keys, is_sealed)
    for split in _SPLITS[:2]:
        if split not in record.overlap:
            yield f"it lacks its overlap with {split}"
    for split in _SPLITS:
        if split not in record.provenance.data:
            yield f"it does not say on which {split} data it was made"
    provenance = record.provenance
    for what, given in (
        ("version of tlbench", provenance.distributions.get("tlbench")),
        ("device", provenance.device),
        ("precision", provenance.precision),
    ):
        if not given:
            yield f"it does not say with which {what} it was made"
    if "digests" in keys:
        for file in (record.predictions, record.validation_predictions):
            if file is not None and file not in record.digests:
                yield f"it lacks the digest of {file}"
    if "floor" in keys and record.floor is None and not _is_floor(record, catalog):
        yield "it lacks floor, the comparison with a constant answer"
    yield from _missing_trials(record, catalog)


def _missing_fields(keys: Set[str], is_sealed: bool) -> Iterator[str]:
    if is_sealed or keys & _OF_THIRD_FORM:
        required = frozenset(Record.__struct_fields__) - _ADDED_LATER
        if not is_sealed:
            yield "it lacks the digest with which the file of a record begins"
    elif keys & _OF_SECOND_FORM:
        required = frozenset(Record.__struct_fields__) - _ADDED_LATER - _OF_THIRD_FORM
    else:
        required = frozenset(Record.__struct_fields__) - _ADDED_LATER - _OF_THIRD_FORM - _OF_SECOND_FORM
    for name in sorted(required - keys):
        yield f"it lacks {name}, which records of its form have"


def _is_floor(record: Record, catalog: Catalog) -> bool:
    """Returns whether the strategy is a floor without a backbone; True if it is not installed and has no backbone."""
    if record.cell.backbone is not None:
        return False
    try:
        strategy = catalog.strategy(record.cell.strategy.name).item
    except TlbenchError:
        return True
    return strategy.knows_nothing and not strategy.uses_backbone


def _missing_trials(record: Record, catalog: Catalog) -> Iterator[str]:
    protocol, numbers = record.cell.protocol, sorted({trial.trial for trial in record.trials})
    if numbers != list(range(len(numbers))):
        lacking = next(number for number in range(len(numbers)) if number not in numbers)
        yield f"it lacks trial {lacking} of its search"
        return
    if record.trials_planned is not None and protocol.max_seconds is None:
        yield "it says that a time limit ended its search, and its protocol has none"
        return
    if not protocol.is_searched or record.trials_planned is not None or len(numbers) >= protocol.trials:
        return
    whole = _settings_of_space(record, catalog)
    if whole is not None and len({record.cell.fit_id(trial.params, 0) for trial in record.trials}) < whole:
        yield f"it has {len(numbers)} of its {protocol.trials} trials, and neither a time limit nor its space ended it"


def _settings_of_space(record: Record, catalog: Catalog) -> int | None:
    """Returns the number of settings after which a search ends early: 0 if none are free, None if not known here."""
    protocol = record.cell.protocol
    try:
        space = settings_of(catalog, record.cell).space
    except TlbenchError:
        return None
    free = {name: domain for name, domain in space.items() if not is_fixed(domain)}
    if not free:
        return 0
    if protocol.sampler == "grid":
        return len(grid(free, protocol.trials))
    # With a real number among the hyperparameters there is no last setting, and a search ends with its last trial.
    return number_of_settings(free) or protocol.trials
