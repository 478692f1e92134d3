"""`tlbench show <cell>`: the record of one cell, given its id."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tlbench.catalog.catalog import Catalog
from tlbench.cli.checking.cut_texts import cut_text
from tlbench.cli.kept_model_texts import model_text
from tlbench.cli.plan import protocol_text
from tlbench.cli.recorded.selection_facts import record_json, selection_facts
from tlbench.cli.text_tables import console, print_facts
from tlbench.contracts.errors import StoreError, UnknownName
from tlbench.contracts.executor import RUNG_PRUNERS
from tlbench.contracts.record import Record
from tlbench.contracts.resources import Resources
from tlbench.modeling.disk.cache_settings import size_text
from tlbench.planning.capacity import fit_bytes, needed_bytes, resources_of
from tlbench.results.notes.floor_notes import floor_note
from tlbench.results.notes.provenance_notes import mixed_provenance
from tlbench.results.notes.row_notes import seen_note
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable
from tlbench.running.staleness import has_other_code


def print_record(catalog: Catalog, cell_id: str, out: Path, as_json: bool = False) -> None:
    """Prints a cell's newest readable record and, on stderr, why a newer record (if there is one) is not readable.

    Args:
        catalog: The installed plugins, for the estimate of memory.
        cell_id: The id of the cell.
        out: Folder of results.
        as_json: Whether to print only the scores, optimism and expected best score, as a JSON object.

    Raises:
        UnknownName: The cell has no record.
        StoreError: The cell has records, but none of them is readable.
    """
    record = _newest_readable(Store.open(out), cell_id)
    if as_json:
        print(record_json(record, catalog.metrics))
        return
    rows = [("cell", record.cell.id), ("title", record.cell.title), ("protocol", protocol_text(record.cell.protocol))]
    rows += [("status", record.status)] if record.status != "ok" else []
    rows += [("reason" if record.status != "ok" else "note", record.reason)]
    rows += [("best params", ", ".join(f"{k}={v}" for k, v in record.best_params.items()) or "-")]
    folds = record.cell.protocol.folds
    how = f" (predictions of {folds} folds together)" if folds else ""
    rows += [("validation", "-" if record.validation is None else f"{record.validation:.4f}{how}")]
    rows.append(("validation predictions", _kept_text(record)))
    rows.append(("model", model_text(record, out)))
    for score in record.scores:
        where = f" on {score.slice}" if score.slice else ""
        rows.append((f"{score.metric}{where}", f"{score.value:.4f} [{score.low:.4f}, {score.high:.4f}]"
                     f"  n={score.n}  seed {score.seed}"))  # fmt: skip
    rows.append(("learned", floor_note(record)))
    rows += selection_facts(record, catalog.metrics)
    provenance = record.provenance
    reused = sum(fit.taken_over for fit in (*record.trials, *record.fits))
    without = f"{sum(t.status != 'ok' for t in record.trials)} without a score"
    rows.append(("trials", f"{search_text(record) or len(record.trials)}; {without}"))
    rows.append(("lengths", lengths_text(record)))
    rows.append(("reused", f"{reused} fits of other cells" if reused else ""))
    rows.append(("parameters", f"{record.parameters:,}, {record.trainable_parameters:,} of them trained"))
    rows.append(("memory", memory_text(record, _resources(catalog, record))))
    rows.append(("test reads", str(record.test_reads)))
    overlap = ", ".join(f"{count} are also in {split}" for split, count in record.overlap.items() if count)
    rows.append(("test examples", overlap))
    if groups := record.test_groups:
        rows.append(("test groups", f"{groups.count:,}{f' ({groups.kind})' if groups.kind else ''}"))
    rows.append(("seen before", seen_note(record.seen_datasets)))
    rows.append(("cut texts", cut_text(record, catalog)))
    rows.append(("versions", ", ".join(f"{k} {v}" for k, v in provenance.distributions.items())))
    rows.append(("device", f"{provenance.device}, {provenance.threads} threads, {provenance.precision}"))
    rows.append(("some fits", mixed_provenance(record)))
    changed = has_other_code(record, catalog)
    rows.append(("code", f"the source of {record.cell.strategy.name} has changed since" if changed else ""))
    rows.append(("data", ", ".join(f"{k} {v}" for k, v in provenance.data.items())))
    print_facts(rows)
    if record.report.classes:
        from tlbench.results.render.class_table import report

        console().print("", report(record))
    if record.traceback:
        # Line by line, since `printable` gives one line; and untrusted, since records can be copied from elsewhere.
        print("\n".join(printable(line, 2000) for line in record.traceback.splitlines()))


def _newest_readable(store: Store, cell_id: str) -> Record:
    newest, record = store.newest(cell_id), store.record(cell_id)
    if isinstance(newest, Unreadable):
        if record is None:
            raise StoreError(f"{store.root}: {newest.message}; {newest.remedy}")
        print(printable(f"tlbench: {newest.message}; this is attempt {record.attempt}"), file=sys.stderr)
    if record is None:
        raise UnknownName(
            f"{store.root}: no record of the cell {cell_id}; `tlbench leaderboard --all` shows the ids there are"
        )
    return record


def _kept_text(record: Record) -> str:
    """Returns whether validation predictions are kept and, if not, why; empty if an older record does not say."""
    if record.validation_predictions:
        return "kept"
    return f"not kept: {record.no_validation_predictions}" if record.no_validation_predictions else ""


def search_text(record: Record) -> str:
    """Returns how many trials had distinct settings, such as "14 trials, 6 distinct"; empty if all had.

    A search that ended because every setting had been tried always has a text, which says so.
    """
    count, distinct = len(record.longest_trials), record.distinct_settings
    if count == distinct and not record.ended_early:
        return ""
    text = f"{count} trials, {distinct} distinct"
    if record.ended_early:
        text += f", which are all settings of the {'grid' if record.cell.protocol.sampler == 'grid' else 'space'}"
    return text


def lengths_text(record: Record) -> str:
    """Returns how many fits of a search by rungs had each length; empty for other searches."""
    fits = [trial for trial in record.trials if trial.repeats is None]
    if record.cell.protocol.pruner not in RUNG_PRUNERS or not fits:
        return ""
    if all(trial.stop_part is None for trial in fits):
        return f"{len(fits)} fits: all whole; too few trials for rungs, or a strategy that fits several in one pass"
    counts = Counter(0 if trial.status == "ok" else trial.stop_part or 0 for trial in fits)
    text = ", ".join(
        f"{counts[part]} of 1/{part}" if part else f"{counts[part]} whole" for part in sorted(counts)[::-1]
    )
    if any(trial.status == "ok" and trial.stop_part is not None for trial in fits):
        # Nothing is wrong with the result, but it cost as much as a search without rungs.
        text += "; the strategy reports no scores during a fit, so a fit cannot be stopped early"
    return f"{len(fits)} fits: {text}"


def memory_text(record: Record, resources: Resources | None) -> str:
    """Returns the measured peak of memory and the estimate for it; empty if nothing was measured."""
    memory = record.memory
    own = memory.host_own_bytes
    if own is not None and memory.device_allocated_bytes is None:
        text = f"{size_text(own)} at its peak"
        if memory.host_baseline_bytes is not None:
            text += f", beyond {size_text(memory.host_baseline_bytes)} of a new worker"
        needed = fit_bytes(resources, host=True) if resources else None
        return text if needed is None else f"{text}; estimated {size_text(needed)}"
    # A fit on a GPU is limited by the GPU's memory; the machine's is measured too, but is not what runs out.
    on_device = memory.device_allocated_bytes is not None
    peak = memory.device_allocated_bytes if on_device else memory.host_peak_bytes
    if peak is None:
        return ""
    text = f"{size_text(peak)} at its peak" + (" on the device" if on_device else "")
    if not on_device and memory.host_baseline_bytes is not None:
        text += f", {size_text(memory.host_baseline_bytes)} when the cell began"
    needed = needed_bytes(resources, host=not on_device) if resources else None
    return text if needed is None else f"{text}; estimated {size_text(needed)}"


def _resources(catalog: Catalog, record: Record) -> Resources | None:
    cell = record.cell
    try:
        backbone = catalog.backbone(cell.backbone.name).item if cell.backbone else None
        task, strategy = catalog.task(cell.task.name).item, catalog.strategy(cell.strategy.name).item
        return resources_of(backbone, task, strategy, catalog)
    except Exception:
        # The plugin may not be installed any more, and then there is no estimate.
        return None
