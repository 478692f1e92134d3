"""Renders the tables of README.md from the files of results, between marks: `python -m benchmarks.speed.table`."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.speed.corpora import GENERATED
from benchmarks.speed.ledger import Ledger, Measurement
from benchmarks.speed.rows import BERT_BASE, ROWS, Row
from benchmarks.speed.summary import Spread, Summary, summarise

FOLDER = Path(__file__).parent
CPU_RESULTS, GPU_RESULTS = "results.json", "results-gpu.json"
ENCODER_FLOPS = 6 * 12 * 12 * 768**2
"""Of a training step of BERT-base, for each token: 6 for each weight of its 12 blocks; attention itself is left out."""
PEAKS = {
    "H100": 989e12, "H100 PCIe": 756e12, "H100 NVL": 835e12, "H200": 989e12, "H200 NVL": 835e12, "A100": 312e12,
    "L40": 181e12, "L40S": 362e12, "L4": 121e12,
}  # fmt: skip
"""Dense bf16 operations a second, as the maker states them; a device is the longest of these that its name holds."""

_TIME_HEAD = (
    "| work | against | target | times as fast: whole process | times as fast: work alone | seconds, whole"
    " | seconds, work | validation | test | p | rounds |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)
_MEMORY_HEAD = (
    "| work | against | peak, MiB | peer / tlbench | growth | target |\n| --- | --- | --- | --- | --- | --- |"
)
_GPU_HEAD = "| work | against | model FLOPs utilisation, tlbench | peer |\n| --- | --- | --- | --- |"
_MEMORY_TARGETS = {"probe": "1 or more, flat", "full": "1 or more, flat"}


def render(ledger: Ledger) -> str:
    """Returns the tables as Markdown; a row that was not measured says so."""
    shown = [_as_measured(row, ledger.rows.get(row.name)) for row in ROWS if not row.gpu or row.name in ledger.rows]
    found = {row.name: summarise(ledger.rows[row.name]) for row in shown if row.name in ledger.rows}
    lines = [*_machines(ledger), _TIME_HEAD]
    lines += [_time_line(row, found.get(row.name)) for row in shown]
    lines += ["", _help_line(ledger), "", _MEMORY_HEAD]
    lines += [
        _memory_line(row, found.get(row.name)) for row in shown if row.name in found or row.name in _MEMORY_TARGETS
    ]
    utilised = [_gpu_line(row, ledger.rows[row.name]) for row in shown if row.gpu and _is_base(ledger.rows[row.name])]
    return "\n".join([*lines, *(["", _GPU_HEAD, *utilised] if utilised else [])])


def refresh(folder: Path = FOLDER) -> None:
    """Writes the tables of the results that are there into README.md."""
    page = folder / "README.md"
    text = page.read_text(encoding="utf-8")
    for name in (CPU_RESULTS, GPU_RESULTS):
        if (folder / name).exists():
            text = rewritten(text, name, render(Ledger.read(folder / name)))
    page.write_text(text, encoding="utf-8")


def rewritten(text: str, name: str, tables: str) -> str:
    """Returns a page with the tables between the marks of a file of results.

    Raises:
        ValueError: The page lacks the marks.
    """
    marks = [f"<!-- {name}: {which} -->" for which in ("begin", "end")]
    before, begin, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"no {marks[0]} and {marks[1]} to write between")
    return f"{before}{begin}\n\n{tables}\n\n{end}{after}"


def _machines(ledger: Ledger) -> list[str]:
    """Returns a line for each machine; where there are several, it says which rows are of it."""
    rows: dict[str, list[str]] = {}
    for name, row in ledger.rows.items():
        line = f"{_machine(row.settings['machine'])}; precision {row.settings['precision']}."
        rows.setdefault(line, []).append(name)
    if ledger.start is not None:
        machine = _machine(ledger.start.settings)
        line = next((line for line in rows if line.startswith(f"{machine};")), f"{machine}.")
        rows.setdefault(line, []).append("help")
    lines = []
    for line, names in rows.items():
        whose = f" of {', '.join(names)}" if len(rows) > 1 else ""
        lines += [f"Machine{whose}: {line}", ""]
    return lines


def _machine(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    device = "" if machine["device"] == "cpu" else f"{machine['device']}, "
    return (
        f"{device}{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB,"
        f" {machine['system']}, Python {machine['python']}, {versions}"
    )


def _as_measured(row: Row, found: Measurement | None) -> Row:
    made_up = found is not None and found.settings["work"]["corpus"] == GENERATED
    return replace(row, title=f"{row.title}, made-up sentences") if made_up else row


def _time_line(row: Row, found: Summary | None) -> str:
    if found is None:
        cells = [row.title, row.against, row.target or "-", "not measured yet", *["-"] * 7]
        return f"| {' | '.join(cells)} |"
    scores = found.scores
    cells = [
        row.title,
        row.against,
        row.target or "-",
        _spread(found.whole),
        _spread(found.work) if found.work else "-",
        _two(found.seconds, ".1f"),
        _two(found.work_seconds, ".1f") if found.work_seconds else "-",
        _two(scores.validation, ".3f"),
        _two(scores.test, ".3f"),
        _p(scores.p),
        str(found.rounds),
    ]
    return f"| {' | '.join(cells)} |"


def _memory_line(row: Row, found: Summary | None) -> str:
    target = _MEMORY_TARGETS.get(row.name, "-")
    if found is None:
        return f"| {row.title} | {row.against} | not measured yet | - | - | {target} |"
    memory = found.memory
    if memory is None:
        return f"| {row.title} | {row.against} | - | - | - | {target} |"
    peaks = (memory.peaks[0] / 2**20, memory.peaks[1] / 2**20)
    cells = [row.title, row.against, _two(peaks, ".0f"), _spread(memory.ratio), _two(memory.growth, ".2f"), target]
    return f"| {' | '.join(cells)} |"


def _help_line(ledger: Ledger) -> str:
    if ledger.start is None or not ledger.start.help_seconds:
        return "`tlbench --help` takes longer than `python -c pass` by: not measured yet (target: 0.25 s at most)."
    start = ledger.start
    more = Spread.of([a - b for a, b in zip(start.help_seconds, start.pass_seconds, strict=True)])
    return (
        f"`tlbench --help` takes longer than `python -c pass` by {more.median:.3f} s ({more.low:.3f} to"
        f" {more.high:.3f}, {len(start.help_seconds)} times; target: 0.25 s at most)."
    )


def _is_base(found: Measurement) -> bool:
    return bool(found.settings["work"]["model"] == BERT_BASE)


def _gpu_line(row: Row, found: Measurement) -> str:
    device = found.settings["machine"]["device"]
    peak = PEAKS.get(max((name for name in PEAKS if name in device), key=len, default=""))
    epochs, trials = found.settings["work"]["epochs"], found.settings["work"]["trials"]
    shares = []
    for side in ("tlbench", "peer"):
        used = [
            ENCODER_FLOPS * pair.peer.tokens * epochs * trials / (seconds * peak)
            for pair in found.pairs
            if peak and (seconds := getattr(pair, side).train_seconds)
        ]
        shares.append(f"{statistics.median(used):.1%}" if used else "-")
    return f"| {row.title} | {row.against} | {' | '.join(shares)} |"


def _spread(spread: Spread) -> str:
    digits = ".2f" if spread.median < 10 else ".1f"
    return f"**{spread.median:{digits}}** ({spread.low:{digits}} to {spread.high:{digits}})"


def _two(figures: tuple[float, float], form: str) -> str:
    return f"{figures[0]:{form}} / {figures[1]:{form}}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


if __name__ == "__main__":
    refresh()
