"""`run:<cell>`: the encoder that a cell's winner adapted, as a backbone for other tasks.

The encoder is written once, beside the cell's models, in the form of its library: `Backbone.save` says how, and returns
the name under which the plugin loads it again. Nothing but these files is read afterwards.

models/<cell>.<attempt>/encoder-<seed>/        the files
models/<cell>.<attempt>/encoder-<seed>.json    the name, and a digest of the files
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import secrets
from pathlib import Path

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import StoreError, UsageError
from tlbench.contracts.record import Record
from tlbench.contracts.untrusted.regular_files import read_regular_file
from tlbench.modeling.encoder import Encoder
from tlbench.results.models.kept_models import best_fit, model_path
from tlbench.results.models.model_folder import digest_of_files, remove_folder
from tlbench.results.reading.default_folder import searched_folder
from tlbench.running.winners.chosen_cell import finished_record
from tlbench.running.winners.kept_winner import KeptWinner, kept_winner
from tlbench.system.durable import write_durably

_FOLDER = "{folder}"
"""Placeholder in a stored name for the path of the files, so that a results folder can be moved."""
_OWN_NAME = re.compile(r"(?!run:)[\w-]+:\{folder\}(/[\w-][\w.-]*)*(@\w+)?(\[[^\[\]{}]*\])?")
"""The names that are accepted from the note beside the weights: a plugin's scheme and a path inside this folder. The
note may come from somebody else, so it must not name other files."""
_log = logging.getLogger(__name__)


class _WrittenEncoder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    """The name of the backbone, with `_FOLDER` in place of the folder."""
    digest: str


def adapted_backbone(text: str) -> Backbone:
    """Returns the backbone that a cell's winner adapted; the first time, this rebuilds the winner.

    Args:
        text: The cell, or a results folder, a slash and the cell; perhaps with @ and the digest of the weights.

    Raises:
        UsageError: There is no such cell, its strategy adapts no encoder or changes its modules, the backbone's plugin
            cannot write such backbones, or the weights are not those of the digest.
    """
    place, _, pinned = text.partition("@")
    path = Path(place).expanduser()
    out = (path.parent if "/" in place else searched_folder()).resolve()
    catalog = Catalog.discover()
    record = finished_record(path.name, out)
    name = f"run:{out / record.cell.id}"
    _check_trains(record, catalog, name)
    seed = best_fit(record.fits, catalog.metric(record.metrics[0]).greater_is_better).seed
    folder = model_path(out, record.cell.id, record.attempt, seed).with_name(f"encoder-{seed}")
    note = folder.with_name(f"{folder.name}.json")
    written = _read(note, folder)
    if written is None:
        written = _write(_rebuilt_winner(record, out, catalog, name), folder, note, name)
    if pinned and pinned != written.digest:
        raise UsageError(f"{name}: its weights have changed: they are {written.digest} now, and not {pinned}")
    found = catalog.backbone(written.name.replace(_FOLDER, str(folder))).item
    if not dataclasses.is_dataclass(found) or "name" not in {field.name for field in dataclasses.fields(found)}:
        raise UsageError(f"{name}: {type(found).__name__} cannot be given another name")
    return dataclasses.replace(found, name=f"{name}@{written.digest}")


def _rebuilt_winner(record: Record, out: Path, catalog: Catalog, name: str) -> KeptWinner:
    """Returns the rebuilt winner, and logs what the user should know of it."""
    _log.warning("%s: the winner is rebuilt, once", name)
    winner = kept_winner(record.cell.id, out, catalog)
    for text in winner.notes:
        _log.warning("%s: %s", name, text)
    return winner


def _check_trains(record: Record, catalog: Catalog, name: str) -> None:
    """Refuses a cell without a backbone, and one whose strategy trains nothing of it.

    Raises:
        UsageError: The cell is such a cell.
    """
    cell = record.cell
    if cell.backbone is None:
        raise UsageError(f"{name}: {cell.strategy.name} uses no backbone, so there is none to use")
    trainable = catalog.strategy(cell.strategy.name).item.trainable(catalog.backbone(cell.backbone.name).item)
    if trainable.stages == 0:
        raise _unchanged(record, name)


def _write(winner: KeptWinner, folder: Path, note: Path, name: str) -> _WrittenEncoder:
    strategy, encoder = winner.record.cell.strategy.name, winner.context.encoder
    assert encoder is not None
    assert winner.context.backbone is not None
    changed = encoder.changed()
    if changed == "nothing":
        raise _unchanged(winner.record, name)
    adapted = winner.job.encoder.underlying if changed == "weights" else _merged(winner, f"{name}: {strategy}")
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.tmp")
    try:
        temporary.mkdir(parents=True)
        saved = winner.context.backbone.item.save(adapted, temporary)
        _note_datasets(winner, temporary)
        written = _WrittenEncoder(saved.replace(str(temporary), _FOLDER), digest_of_files(temporary))
        remove_folder(folder)
        temporary.rename(folder)
        write_durably(note, msgspec.json.encode(written))
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written: {error.strerror or error}") from None
    finally:
        remove_folder(temporary)
    return written


def _merged(winner: KeptWinner, title: str) -> Encoder:
    """Returns the encoder with an adapter merged into its weights, as an export has it; the winner is used up.

    Raises:
        UsageError: The strategy adds modules to the encoder that cannot be merged into it.
    """
    describe = getattr(winner.predictor, "exportable", None)
    try:
        encoder = getattr(describe(), "encoder", None) if describe else None
    except UsageError as error:
        raise UsageError(f"{title} changes more than weights of the encoder: {error}") from None
    # Merged completely if it has the same tensors as the backbone: nothing else of a module is written.
    if not isinstance(encoder, Encoder) or _shapes(encoder) != _shapes(winner.context.load()):
        raise UsageError(f"{title} adds modules to the encoder, which then is no backbone of its plugin")
    return encoder


def _shapes(encoder: Encoder) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in encoder.native.state_dict().items()}


def _note_datasets(winner: KeptWinner, folder: Path) -> None:
    """Writes a model card that names the data sets that the weights have seen, unless there is a card."""
    backbone, task, card = winner.context.backbone, winner.context.task.item, folder / "README.md"
    assert backbone is not None
    seen = dict.fromkeys((*backbone.item.card().trained_on, *task.datasets))
    if seen and not card.exists():
        names = "".join(f"- {json.dumps(name)}\n" for name in seen)
        card.write_text(f"---\ndatasets:\n{names}---\n", encoding="utf-8")


def _read(note: Path, folder: Path) -> _WrittenEncoder | None:
    """Returns what was written before, or None.

    Raises:
        StoreError: The files have changed since, or there is a link among them.
    """
    if not note.exists():
        return None
    try:
        written = msgspec.json.decode(read_regular_file(note, 2**16), type=_WrittenEncoder)
        digest = digest_of_files(folder)
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{note}: cannot be read: {error}: remove it, and {folder.name}") from None
    if digest != written.digest or not _OWN_NAME.fullmatch(written.name):
        raise StoreError(f"{folder}: it has changed since it was written: remove it, and {note.name}")
    return written


def _unchanged(record: Record, name: str) -> UsageError:
    backbone = record.cell.backbone.name if record.cell.backbone else ""
    return UsageError(f"{name}: {record.cell.strategy.name} leaves the encoder as it is: use {backbone} itself")
