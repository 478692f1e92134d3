"""The rows of the benchmark: each has a piece of work, a peer and an expected ratio."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

SWEEP = ("linear-probe", "partial-finetune[stages=2]", "full-finetune", "lp-ft", "layerwise-lr-decay")
MINILM, BERT_BASE, TINY = "minilm-l6", "bert-base-random", "tiny-random"


@dataclass(frozen=True)
class Work:
    """The work of both sides."""

    strategies: tuple[str, ...] = ("full-finetune",)
    trials: int = 1
    seeds: int = 1
    """The winner of each search is fitted with so many seeds; the search's own fit counts as the first."""
    corpus: str = "sst2"
    train: int = 1000
    held_out: int = 872
    """Rows of the dev file, half for validation and half for test."""
    epochs: int = 3
    batch_size: int = 16
    model: str = MINILM
    grid: bool = False
    """Whether the settings are an even grid instead of Optuna's."""


@dataclass(frozen=True)
class Row:
    """One comparison."""

    name: str
    title: str
    peer: str
    """The program of `sides` that does it, or `tlbench` with other strategies."""
    work: Work
    against: str
    """The peer, for people."""
    target: str = ""
    """Expected ratio of the median pair."""
    tuned: bool = True
    """False: the peer as its example script sets it."""
    gpu: bool = False
    """Whether it is meaningful on a GPU only."""
    peer_strategies: tuple[str, ...] = field(default=())
    """For the peer `tlbench`: what it runs instead."""


_TUNED = "Trainer search, tuned"

ROWS = (
    Row("probe", "linear probe, 20 trials", "trainer", Work(("linear-probe",), 20), _TUNED, "80 or more"),
    Row("top2", "top 2 of 6 stages, 8 trials", "trainer", Work((SWEEP[1],), 8), _TUNED, "3 or more"),
    Row("full", "full fine-tuning, 4 trials", "trainer", Work(trials=4), _TUNED, "1.3 or more"),
    Row("defaults", "full fine-tuning, 4 trials", "trainer", Work(trials=4), "Trainer search, as run_glue has it",
        "5 or more", tuned=False),
    Row("bare", "full fine-tuning, one trial", "loop", Work(), "bare torch loop", "0.97 or more"),
    Row("sklearn", "linear probe, 20 penalties", "logistic", Work(("linear-probe",), 20, grid=True),
        "scikit-learn on embeddings"),
    Row("setfit", "32 sentences, one setting", "fewshot", Work(("lp-ft",), train=32), "SetFit"),
    Row("lp-ft", "linear probe, then full fine-tuning, 4 trials", "trainer", Work(("lp-ft",), 4), _TUNED),
    Row("probe-rte", "linear probe, 4 trials, RTE", "trainer",
        Work(("linear-probe",), 4, corpus="rte", held_out=277), _TUNED),
    Row("probe-mrpc", "linear probe, 4 trials, MRPC", "trainer",
        Work(("linear-probe",), 4, corpus="mrpc", held_out=408), _TUNED),
    Row("full-rte", "full fine-tuning, 2 trials, RTE", "trainer", Work(trials=2, corpus="rte", held_out=277), _TUNED),
    Row("full-mrpc", "full fine-tuning, 2 trials, MRPC", "trainer",
        Work(trials=2, corpus="mrpc", held_out=408), _TUNED),
    Row("sweep", "5 strategies x 8 trials x 3 seeds", "trainer", Work(SWEEP, 8, 3), "tuned Trainer in a loop",
        "8 or more"),
    Row("bert-full", "BERT-base, random weights, full fine-tuning, 2 trials", "trainer",
        Work(trials=2, model=BERT_BASE), _TUNED, gpu=True),
    Row("bert-bare", "BERT-base, random weights, one trial", "loop", Work(model=BERT_BASE), "bare torch loop",
        "0.97 or more", gpu=True),
    Row("fused", "linear probe, 64 trials in one pass", "tlbench", Work(("linear-probe",), 64),
        "tlbench, one trial after another", gpu=True, peer_strategies=("linear-probe-one-by-one",)),
)  # fmt: skip
HELP = "help"
"""The row that has no work: `tlbench --help` beside `python -c pass`."""


def chosen(names: str, gpu: bool) -> list[Row]:
    """Returns the rows of these names, separated by commas; "all" is all that the device can measure.

    Raises:
        ValueError: No such row.
    """
    if names == "all":
        return [row for row in ROWS if gpu or not row.gpu]
    known = {row.name: row for row in ROWS}
    wanted = [name for name in names.split(",") if name and name != HELP]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"no row {unknown[0]!r}; there is {', '.join([*known, HELP])}")
    return [known[name] for name in wanted]


def quick(row: Row, corpus: str, model: str) -> Row:
    """Returns the row at a size that says whether both sides work, not how fast they are."""
    work = replace(
        row.work,
        train=min(60, row.work.train),
        held_out=40,
        trials=min(2, row.work.trials),
        seeds=min(2, row.work.seeds),
        epochs=1,
        corpus=corpus,
        model=model,
    )
    return replace(row, work=work)
