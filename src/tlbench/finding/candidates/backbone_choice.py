"""The backbones of a search: all on this machine or those of some names, as far as the filters let them pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import NamedTuple

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.backbone import Card
from tlbench.contracts.errors import UsageError
from tlbench.contracts.resources import count_text
from tlbench.contracts.task import Modality
from tlbench.finding.request import FindRequest

NONE: Mapping[str, str] = MappingProxyType({})
_WILD = frozenset("*?")


class Excluded(NamedTuple):
    """What a search leaves out, with the reason in one line."""

    title: str
    reason: str


class BackboneChoice(NamedTuple):
    """The names of the backbones of a search, and those that filters exclude."""

    names: tuple[str, ...]
    excluded: tuple[Excluded, ...]


def choose_backbones(
    request: FindRequest, modality: Modality, catalog: Catalog, refused: Mapping[str, str] = NONE
) -> BackboneChoice:
    """Returns the backbones of a modality that are on this machine and pass the filters of a request.

    Args:
        request: What was asked.
        modality: The modality of the task.
        catalog: The installed plugins.
        refused: Reasons against backbones that were found since, such as their latency, by canonical name.

    Raises:
        UsageError: A name is unknown, a pattern matches nothing, or no backbone is left; the message says why.
    """
    names: list[str] = []
    excluded: list[Excluded] = []
    for name in dict.fromkeys(_named(request.backbones, catalog)):
        backbone = catalog.backbone(name).item
        # Those that read something else are only worth a word if somebody asked for them.
        if backbone.modality != modality:
            if name in request.backbones:
                excluded.append(Excluded(name, f"it reads {backbone.modality} and the task is {modality}"))
            continue
        reason = (
            _why_not(backbone.card(), request) or backbone.missing() or refused.get(catalog.backbone(name).ref.name)
        )
        if reason:
            excluded.append(Excluded(name, reason))
        else:
            names.append(name)
    if not names:
        why = "; ".join(f"{one.title}: {one.reason}" for one in excluded[:3])
        more = f" and {len(excluded) - 3} more" if len(excluded) > 3 else ""
        raise UsageError(f"no backbone for {modality} is left to try ({why or 'none is installed'}{more})")
    return BackboneChoice(tuple(names), tuple(excluded))


def _named(wanted: Sequence[str], catalog: Catalog) -> Iterator[str]:
    """Yields the names that patterns match; without any, those of all backbones on this machine."""
    entries = catalog.entries("backbone")
    if not wanted:
        for entry in entries:
            # An ambiguous name or a broken card must not end a search that did not ask for this backbone.
            with suppress(Exception):
                if catalog.backbone(entry.name).item.missing() is None:
                    yield entry.name
    for name in wanted:
        if not _WILD & set(name.partition("[")[0]):
            yield name
            continue
        matches = [one.name for one in entries if fnmatchcase(one.name, name) or fnmatchcase(_full(one), name)]
        if not matches:
            raise UsageError(
                f"--backbone {name}: no installed backbone matches; `tlbench list backbones` shows them, and one of a"
                " hub is named in full"
            )
        yield from matches


def _full(entry: object) -> str:
    return f"{getattr(entry, 'distribution', '')}/{getattr(entry, 'name', '')}"


def _why_not(card: Card, request: FindRequest) -> str | None:
    if request.max_parameters is not None:
        if card.parameters is None:
            return "its number of parameters is unknown"
        if card.parameters > request.max_parameters:
            return f"{count_text(card.parameters)} parameters, more than {count_text(request.max_parameters)}"
    licence = card.licence.casefold()
    if request.licences and not any(fnmatchcase(licence, one.casefold()) for one in request.licences):
        return f"its licence is {card.licence or 'unknown'}"
    return None
