"""The results of fits and cells, as they are stored.

Every class here is a file format: it is frozen, refuses unknown fields, and is equal after a round trip through JSON.
A new field needs a default that is correct for older records; any other change requires a new `FORMAT`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tlbench.contracts.cell import Cell, FitPurpose
from tlbench.contracts.fits.class_scores import ClassReport
from tlbench.contracts.space import Value

FORMAT = 1
"""Version of the results folder; increased only when older records can no longer be read."""

Status = Literal["ok", "diverged", "oom", "timeout", "failed", "crashed"]
"""How a cell ended: `failed` if a plugin raised, `crashed` if its worker died in every attempt."""


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The validation score and the training loss that a fit reported at one step."""

    step: int
    score: float | None = None
    """The primary metric on the validation split."""
    loss: float | None = None


class FitResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The scores, times and counts of one fit. Times are wall-clock seconds."""

    params: dict[str, Value]
    seed: int
    purpose: FitPurpose
    trial: int
    status: Literal["ok", "pruned", "diverged", "oom", "failed"]
    reason: str = ""
    """Why the fit ended without a predictor, in one line; empty if the status is `ok`."""
    traceback: str = ""
    validation: float | None = None
    """The primary metric on the validation split, or of the predictions of all folds together; None for a final fit
    that trains on the validation split too."""
    fit_seconds: float = 0.0
    """Time spent on training, without encoding, set-up and scoring. If one pass fits several trials, its time
    is divided equally among them. With folds, this time and those below are sums over the folds."""
    validate_seconds: float = 0.0
    setup_seconds: float = 0.0
    """Time spent on computing the objects that this fit read from `Job.once`, even if another fit computed them."""
    setup_paid_seconds: float = 0.0
    """The part of `setup_seconds` that this fit itself spent."""
    encode_seconds: float = 0.0
    """Time spent on computing the activations that this fit read, even if they came from a cache."""
    encode_paid_seconds: float = 0.0
    """Time that this fit itself spent on computing activations, or on reading them from disk."""
    predict_seconds: float = 0.0
    """Time spent on predicting the test split; 0 for a fit of the search."""
    examples_seen: int = 0
    """Number of training examples served to the fit, repetitions included."""
    train_examples: int = 0
    """Number of different training examples that the fit was given (of the last fold); 0 in older results."""
    validation_examples: int = 0
    """Number of examples on which `validation` was computed, of all folds; 0 without a split and in older results."""
    truncated: dict[str, float] = {}
    """By split, the share of examples whose inputs the backbone cut because they are too long. A split is left out if
    the backbone does not report this for it; a fit of the search has no test split."""
    parameters: int = 0
    trainable_parameters: int = 0
    notes: dict[str, float] = {}
    """Numbers that the strategy stored in `Job.notes`; with folds, their means over the folds."""
    history: tuple[Point, ...] = ()
    """Learning curve in order of steps: validation scores, if the strategy reports any, and means of the
    training loss, which records keep of final fits alone; empty with folds."""
    predictions: str | None = None
    """Name of the file of test predictions within the cell's work folder; None for a fit without test predictions."""
    # Known as reuse in messages; the name is part of the file format.
    taken_over: bool = False
    """Whether the result was reused from another cell that has the same fit."""
    repeats: int | None = None
    """Number of the earlier trial of this search with the same params, whose result this is; None if the trial was
    fitted itself. A repeated trial has no costs of its own: its times and `examples_seen` are 0."""
    stop_part: int | None = None
    """The part of a whole fit after which this one is `pruned` (`Fit.stop_part`), unless it never reports a score."""
    digests: dict[str, str] = {}
    """The digests of the files of predictions that the fit wrote, by name; empty in a record, whose own field has those
    of its files."""
    batch_parts: int = 1
    """Number of parts in which each batch was trained, because memory ran out with a whole one. The gradients of the
    parts are added up, so that a step is the same up to rounding."""


PAID = ("fit_seconds", "setup_paid_seconds", "encode_paid_seconds", "validate_seconds")
"""Fields of `FitResult` whose sum is the time that the fit really took."""


class TestScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The score of one metric for one seed, on the test split or on one slice of it."""

    __test__ = False  # pytest collects classes whose names begin with "Test"

    metric: str
    seed: int
    value: float
    low: float
    """Lower end of the 95% bootstrap interval over examples."""
    high: float
    """Upper end of the interval."""
    n: int
    """Number of examples."""
    slice: str | None = None
    """The slice as "column=value"; None for the whole test split."""


class TestGroups(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The groups of test examples that intervals and tests resample as wholes."""

    __test__ = False

    count: int
    """Number of groups; an example without a group counts as a group of its own."""
    kind: str = ""
    """What kind of thing a group is, such as "document", or the name of a column; may be empty."""


class Floor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the final fits compare with a constant answer on the test split."""

    score: float | None = None
    """The test score, in the primary metric, of the constant answer that scores best on the training examples of the
    first seed; None if there is no constant answer, it cannot be scored, or all test examples have one target."""
    one_answer: tuple[int, ...] = ()
    """Seeds whose fit gives the same answer to all test examples."""
    at_floor: tuple[int, ...] = ()
    """Seeds whose fit cannot be told from a constant answer: those of `one_answer`, and those whose 95% interval
    reaches `score`."""
    pretrained: bool = True
    """False if the strategy is a floor (`Strategy.knows_nothing`): a fit from random weights may need more steps."""


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Memory of a cell and its workers, in bytes; None if it could not be measured."""

    host_baseline_bytes: int | None = None
    """Resident memory of the worker when it started; in older records and in the calling process, when work began."""
    host_peak_bytes: int | None = None
    """Peak of the worker's resident memory during the cell, or of the whole process on kernels that cannot reset it."""
    device_allocated_bytes: int | None = None
    """Peak of the GPU memory used by tensors."""
    device_reserved_bytes: int | None = None
    """Peak of the GPU memory reserved by torch's allocator, including free blocks."""
    host_own_bytes: int | None = None
    """Peak of the main memory that a fit of the cell held, beyond what its worker had when it was forked or started.

    It includes weights, gradients, optimiser state, activations, data and child processes; activations that were read
    from the cache count as if the fit had computed them. It excludes mapped files, imported libraries, memory that
    other trials left in use, and scoring. None if the process served several cells, as when cells run in the calling
    process or on a GPU, and in records made before this was measured."""


class Seconds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Wall-clock seconds of a cell by stage."""

    setup: float = 0.0
    """Time spent on computing the objects that a final fit read from `Job.once`, even if another fit computed them;
    averaged over seeds."""
    encode: float = 0.0
    """Time spent on computing the activations that a final fit read, even if they came from a cache; averaged over
    seeds. Leaderboards compare this value and not `encode_paid`."""
    encode_paid: float = 0.0
    """Time that the cell itself spent on computing activations or reading them from disk, including the test split."""
    fit: float = 0.0
    """Time spent on training in one final fit, averaged over seeds."""
    search: float = 0.0
    """Total time of all fits of the search, including validation."""
    predict: float = 0.0
    """Time spent on predicting the test split once, averaged over seeds."""
    total: float = 0.0
    """Time from the start of the cell to its record, summed over interrupted runs."""


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The versions, hardware and data that produced a result; a leaderboard marks rows in which they differ."""

    distributions: dict[str, str] = {}
    """Versions by name of the distribution: tlbench, the plugins involved, torch and other loaded libraries."""
    python: str = ""
    platform: str = ""
    device: str = ""
    precision: str = ""
    """Precision of the fit: `fp32`, `bf16-autocast` or `bf16-weights`, never `auto`."""
    threads: int = 0
    data: dict[str, str] = {}
    """Fingerprint of the examples of each split, by name of the split."""
    started: str = ""
    """Start of the fit in UTC, ISO 8601."""
    code: dict[str, str] = {}
    """Fingerprint of the strategy's source, by its name; empty unless its plugin is in development (named in
    `TLBENCH_PLUGINS`, or an editable installation), since the version of such a plugin says nothing about its code."""

    def aspects(self) -> dict[str, str]:
        """Returns the recorded facts that scores may depend on: device, precision, threads, versions, data and code."""
        # Python and platform are left out: they are kept for bug reports, and change without changing a score.
        values = {
            "device": self.device,
            "precision": self.precision,
            "threads": str(self.threads) if self.threads else "",
            **self.distributions,
            **{f"{split} data": digest for split, digest in self.data.items()},
            **{f"code of {name}": digest for name, digest in self.code.items()},
        }
        return {aspect: value for aspect, value in values.items() if value}

    def differing(self, other: Provenance) -> dict[str, str]:
        """Returns the aspects that both have with different values, each with its value in `other`."""
        mine = self.aspects()
        return {aspect: value for aspect, value in other.aspects().items() if mine.get(aspect, value) != value}


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The result of one cell; stored once and never changed."""

    cell: Cell
    """The whole cell and not its id alone: a leaderboard needs no plugin and no suite to read a record."""
    status: Status
    format: int = FORMAT
    attempt: int = 1
    """Number of the attempt, one higher after each `--fresh`; leaderboards show only the newest attempt of a cell."""
    reason: str = ""
    """One line that says why the cell ended without scores or, if the status is `ok`, what is missing (trials that a
    time limit left out, scores that could not be computed) and why; empty if nothing is missing."""
    traceback: str = ""
    metrics: tuple[str, ...] = ()
    """Names of the task's metrics; the first is the primary metric."""
    positive: int = 1
    """Index of the task's positive class, for binary F1. It is stored because a leaderboard scores bootstrap samples
    without loading the task's plugin."""
    best_params: dict[str, Value] = {}
    trials: tuple[FitResult, ...] = ()
    """All fits of the search, under a pruner by rungs the shortest of a trial first; empty if nothing was searched."""
    trials_planned: int | None = None
    """Number of trials of the whole search; None unless the time limit stopped it before the last one."""
    fits: tuple[FitResult, ...] = ()
    """The final fits, in which the winner is fitted once per seed."""
    validation: float | None = None
    """The winner's validation score at `seeds[0]`."""
    scores: tuple[TestScore, ...] = ()
    report: ClassReport = ClassReport()
    floor: Floor | None = None
    """None for a floor without a backbone, such as `majority`, for a cell without scores, and in older records."""
    test_groups: TestGroups | None = None
    """The groups of the test examples; None if each counts as independent, or in a record older than this field."""
    overlap: dict[str, int] = {}
    """Number of test examples whose inputs also occur in another split, by split: "train", "validation" (without those
    that also occur in train), and "task:x" for the training examples of another task that the strategy reads."""
    seen_datasets: tuple[str, ...] = ()
    """Data sets, by their names in its card, that the backbone was trained on and the task's examples come from."""
    predictions: str | None = None
    """Name of the Parquet file of test predictions beside the record, with the columns seed, id, target, value, scores
    and one per slice; None if there are no predictions."""
    validation_predictions: str | None = None
    """Name of the Parquet file of the final fits' predictions of the validation split, with the same columns; None if
    there is no such file. Ensembles, temperatures and thresholds are chosen on them; no score here depends on them."""
    no_validation_predictions: str = ""
    """Why there are no validation predictions, in one line; empty if there are some, and in older records."""
    digests: dict[str, str] = {}
    """The digests of the files of predictions, by name; empty in older records, whose files are not checked."""
    seconds: Seconds = Seconds()
    memory: Memory = Memory()
    energy_joules: float | None = None
    parameters: int = 0
    trainable_parameters: int = 0
    examples_seen: int = 0
    """Training examples served to the final fits, averaged over seeds."""
    truncated: dict[str, float] = {}
    """By split, the share of examples whose inputs were cut to the backbone's maximum length, averaged over the final
    fits; empty if the backbone does not report it, or in a record that is older than this field."""
    test_reads: int = 0
    """How often the test split was opened (by final fits and scoring), always after the winner was frozen."""
    provenance: Provenance = Provenance()
    drivers: dict[str, int] = {}
    """Fits of the search by driver, where several drivers shared it (`--storage`) in order of arrival; else empty."""
    also_made_with: tuple[Provenance, ...] = ()
    """Provenances that differ from `provenance`: those of fits that were reused from another cell or finished before an
    interruption."""

    @property
    def predictions_digest(self) -> str:
        """The digest of the file of test predictions; empty if it is not known."""
        return self.digests.get(self.predictions or "", "")

    @property
    def validation_digest(self) -> str:
        """The digest of the file of validation predictions; empty if it is not known."""
        return self.digests.get(self.validation_predictions or "", "")

    @property
    def train_examples(self) -> int | None:
        """Number of training examples of the final fits, averaged over seeds; None if one of them does not say."""
        sizes = [fit.train_examples for fit in self.fits]
        return round(sum(sizes) / len(sizes)) if sizes and all(sizes) else None

    @property
    def longest_trials(self) -> tuple[FitResult, ...]:
        """One fit of each trial: the longest."""
        return tuple({trial.trial: trial for trial in self.trials}.values())

    @property
    def distinct_settings(self) -> int:
        """Number of different settings of the hyperparameters among the trials."""
        return len({self.cell.fit_id(trial.params, trial.seed) for trial in self.trials})

    @property
    def ended_early(self) -> bool:
        """Whether the search ended before the last trial, because every setting had been tried."""
        is_whole = self.status == "ok" and self.trials_planned is None
        return is_whole and 0 < len(self.longest_trials) < self.cell.protocol.trials
