"""What every strategy must keep to."""

from __future__ import annotations

import dataclasses
import keyword
import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Protocol
from tlbench.contracts.outputs import Predictions, Span, Text, TokenClasses
from tlbench.contracts.space import Choice, Float, Int, Value, narrow
from tlbench.contracts.strategy import Predictor, Strategy
from tlbench.contracts.task import Examples, SplitName, Task
from tlbench.planning.plan import space_about
from tlbench.testing.conformance.backbone import FP32_EPS
from tlbench.testing.conformance.imports import check_light, check_name
from tlbench.testing.jobs import Rehearsal, draw, make_job, middle, why_not
from tlbench.testing.toy_kinds import ToyLabelsTask, ToySpanTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask

if TYPE_CHECKING:
    import numpy as np

    from tlbench.running.fitting.fit import Fitted


REPEATED = 8 * FP32_EPS
"""How far answers of about 1 may be apart that are computed twice: eight roundings in fp32. The same sums in the same
order are bit-equal; a library's threads may divide the last of them among each other as it comes."""


class StrategyConformance:
    """Subclass it as `class TestX(StrategyConformance)` and name the strategy."""

    strategy: ClassVar[Strategy]
    backbone: ClassVar[Backbone] = ToyBackbone()
    tasks: ClassVar[tuple[Task, ...]] = (
        ToyTask(unlabeled=16),
        ToyScalarTask(),
        ToyLabelsTask(),
        ToyWordsTask(),
        ToySpanTask(unanswerable=True),
    )
    """What it is tried on, as far as its `supports` agrees; the first serves wherever one is enough."""
    protocol: ClassVar[Protocol] = Protocol(max_steps=6, precision="fp32")
    draws: ClassVar[int] = 3
    """Of how many settings each hyperparameter must have been read in at least one."""
    saves: ClassVar[bool] = True
    """Whether its predictors have a `save`; False for those that cannot, whose fits are made again after a kill."""
    fused_tolerance: ClassVar[float] = 0.15
    """How far a validation score or, on average, an answer may be from the same fit's alone when several are fitted in
    one pass; of numbers, in units of their deviation.

    0.15 is up to four of the 32 validation examples of the toys: whoever shares more than arithmetic between fits (a
    running mean, a stopping rule) may answer these otherwise. A strategy whose fits differ by rounding alone should
    ask for less: 0.001 is less than one example, and well above what rounding in fp32 makes of a few dozen steps.
    """

    @property
    def task(self) -> Task:
        """The first task that the strategy supports."""
        return self._supported()[0]

    def rehearsal(self, task: Task | None = None) -> Rehearsal:
        """Returns a new process's worth of the strategy on a task."""
        return Rehearsal(self.strategy, self.backbone, task or self.task, self.protocol)

    def test_name(self) -> None:
        """The name can stand in a suite."""
        check_name(self.strategy.name)
        assert isinstance(self.strategy.version, int)
        assert self.strategy.__doc__, "a strategy says what it does"

    def test_import_is_light(self) -> None:
        """Listing strategies must not load torch."""
        check_light(self.strategy)

    def test_space(self) -> None:
        """The space holds domains under names that a suite can write, and what is drawn from it fits it."""
        space = self.strategy.space(space_about(self.task, self.protocol, self.backbone))
        for name, domain in space.items():
            assert isinstance(domain, Float | Int | Choice), f"{name} is {domain!r}"
            assert name.isidentifier(), f"{name!r} is no name for a hyperparameter"
            assert not keyword.iskeyword(name)
        assert set(narrow(space, middle(space))) == set(space)

    def test_fits(self) -> None:
        """A fit on each kind of task ends well, and its predictor answers every example in order."""
        for task in self._supported():
            rehearsal = self.rehearsal(task)
            predictions = self._answers(rehearsal, self._fitted(rehearsal))
            assert predictions.ids == rehearsal.data().ids, task.name
            kinds = "O" if isinstance(task.output, TokenClasses | Span | Text) else "iuf"
            assert predictions.values.dtype.kind in kinds, task.name

    def test_same_seed_same_result(self) -> None:
        """A setting and a seed give the same answers, in a new process and in a warm one."""
        rehearsal, other = self.rehearsal(), self.rehearsal()
        first = self._answers(rehearsal, self._fitted(rehearsal))
        self._assert_same(first, self._answers(other, self._fitted(other)), "in a new process")
        self._fitted(rehearsal, seed=1)
        self._assert_same(first, self._answers(rehearsal, self._fitted(rehearsal)), "after another fit")

    def test_reads_what_its_space_offers(self) -> None:
        """Each hyperparameter is read in some fit, nothing else is, and the test split is never asked for."""
        rehearsal, generator = self.rehearsal(), random.Random(0)
        read: set[str] = set()
        asked: list[str] = []
        for _ in range(self.draws):
            job = make_job(self.strategy, self.backbone, self.task, draw(rehearsal.space, generator), self.protocol)

            def examples(split: SplitName, examples=job.examples) -> Examples | None:  # type: ignore[no-untyped-def]
                asked.append(split)
                found: Examples | None = examples(split)
                return found

            self.strategy.fit(dataclasses.replace(job, params=_Watched(job.params, read), examples=examples))
        assert read == set(rehearsal.space), f"read {sorted(read)}, the space has {sorted(rehearsal.space)}"
        assert "test" not in asked

    def test_leaves_the_encoder_as_a_fresh_load(self) -> None:
        """After a fit, the next one gets weights, buffers, gradients, modes, hooks and modules as freshly loaded."""
        import torch

        rehearsal = self.rehearsal()
        self._fitted(rehearsal)
        if rehearsal.encoder is None:
            pytest.skip("this strategy looks through no backbone")
        mine, fresh = rehearsal.encoder.fresh(), self.backbone.load()
        for (name, module), (_, other) in zip(mine.named_modules(), fresh.named_modules(), strict=True):
            assert type(module) is type(other), f"{name} is now a {type(module).__name__}"
            assert module.training == other.training, f"{name} is in another mode"
            assert len(module._forward_hooks) == len(other._forward_hooks), f"{name} kept a hook"
        for (name, parameter), (_, other_parameter) in zip(
            mine.named_parameters(), fresh.named_parameters(), strict=True
        ):
            assert parameter.requires_grad == other_parameter.requires_grad, name
            assert parameter.grad is None, f"{name} kept a gradient"
        for (name, value), (_, other_value) in zip(mine.state_dict().items(), fresh.state_dict().items(), strict=True):
            assert torch.equal(value, other_value), f"{name} is not restored"

    def test_predictor_outlives_the_next_fit(self) -> None:
        """A predictor whose encoder is put back as its fit left it answers as before, whatever was fitted since."""
        rehearsal = self.rehearsal()
        fitted = self._fitted(rehearsal)
        put_back = rehearsal.encoder.keep() if rehearsal.encoder else lambda: None
        before = self._answers(rehearsal, fitted)
        self._fitted(rehearsal, seed=1)
        put_back()
        self._assert_same(before, self._answers(rehearsal, fitted), "after the next fit")

    def test_a_saved_predictor_answers_as_before(self, tmp_path: Path) -> None:
        """What `save` wrote, `load` makes a predictor of, on a fresh encoder and head: with the same answers."""
        for number, task in enumerate(self._supported()):
            rehearsal = self.rehearsal(task)
            fitted, folder = self._saved(rehearsal, tmp_path / str(number))
            loaded = dataclasses.replace(fitted, predictor=self._loaded(fitted, task, folder))
            mine = self._answers(rehearsal, fitted)
            self._assert_same(mine, self._answers(rehearsal, loaded), "after it was saved and loaded")

    def test_what_was_not_saved_is_not_loaded(self, tmp_path: Path) -> None:
        """An empty folder, and one of whose files the end is missing, are refused and not answered from."""
        fitted, folder = self._saved(self.rehearsal(), tmp_path / "saved")
        empty = tmp_path / "empty"
        empty.mkdir()
        cut = []
        for number, path in enumerate(sorted(path for path in folder.rglob("*") if path.stat().st_size > 1)):
            copy = shutil.copytree(folder, tmp_path / str(number)) / path.relative_to(folder)
            if copy.is_file():
                copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
                cut.append(tmp_path / str(number))
        assert cut, "there is nothing in what was saved"
        for damaged in (empty, *cut):
            try:
                self._loaded(fitted, self.task, damaged)
            except Exception:
                continue
            raise AssertionError(f"a predictor was loaded from {damaged}, which holds none")

    def test_several_settings_at_once(self) -> None:
        """Each of several settings ends well, with about the score that it has alone."""
        rehearsal, generator = self.rehearsal(), random.Random(0)
        settings = [draw(rehearsal.space, generator) for _ in range(min(3, max(2, self.strategy.batch_size)))]
        together = rehearsal.fit_batch(settings)
        assert len(together) == len(settings)
        for params, fitted in zip(settings, together, strict=True):
            assert fitted.result.status == "ok", f"{fitted.result.reason}\n{fitted.result.traceback}"
            assert fitted.result.params == params
            if self.strategy.batch_size > 1:
                alone = self._fitted(rehearsal, params).result.validation
                assert fitted.result.validation == pytest.approx(alone, abs=self.fused_tolerance), params

    def test_several_seeds_at_once(self) -> None:
        """Of several seeds in one pass, each answers as it does alone: from its own training subset, first weights."""
        if self.strategy.batch_size == 1:
            pytest.skip("this strategy fits one job at a time")
        seeds = (0, 1, 2)
        for task in self._supported():
            limit = max(2, 3 * len(self.rehearsal(task).data("train")) // 4)
            protocol = msgspec.structs.replace(self.protocol, seeds=seeds, train_limit=limit)
            rehearsal, generator = Rehearsal(self.strategy, self.backbone, task, protocol), random.Random(0)
            settings = [draw(rehearsal.space, generator) for _ in seeds]
            together = rehearsal.fit_batch(settings, seeds)
            for fitted in together:
                assert fitted.result.status == "ok", f"{fitted.result.reason}\n{fitted.result.traceback}"
            answers = [self._answers(rehearsal, fitted) for fitted in together]
            for params, seed, fitted, mine in zip(settings, seeds, together, answers, strict=True):
                alone = self._fitted(rehearsal, params, seed)
                assert fitted.result.seed == seed
                assert fitted.result.examples_seen == alone.result.examples_seen, "other examples were counted"
                apart = _apart(mine, self._answers(rehearsal, alone))
                assert apart <= self.fused_tolerance, f"seed {seed} is {apart:.2g} away from what it is alone"

    def test_lets_itself_be_pruned(self) -> None:
        """Where it reports, the pruner's word ends the fit; it never reports what is not finite."""
        import math

        # No score reaches what is demanded of it from the first step on.
        fitted = self.rehearsal().fit(stop_below={0: math.inf})
        if not fitted.result.history:
            pytest.skip("this strategy reports nothing while it fits")
        assert fitted.result.status == "pruned", "the strategy went on after it was pruned"
        assert len(fitted.result.history) == 1

    def _supported(self) -> list[Task]:
        backbone = self.backbone if self.strategy.uses_backbone else None
        reasons = why_not(self.strategy, backbone, self.tasks)
        supported = [task for task, reason in zip(self.tasks, reasons, strict=True) if reason is None]
        assert supported, f"it supports none of the tasks to try it on: {'; '.join(map(str, reasons))}"
        return supported

    def _fitted(self, rehearsal: Rehearsal, params: Mapping[str, Value] | None = None, seed: int = 0) -> Fitted:
        fitted = rehearsal.fit(params, seed)
        assert fitted.result.status == "ok", f"{fitted.result.reason}\n{fitted.result.traceback}"
        return fitted

    def _saved(self, rehearsal: Rehearsal, folder: Path) -> tuple[Fitted, Path]:
        """Returns a fit and the folder that its predictor was saved to; skips where predictors are not saved."""
        if not self.saves:
            pytest.skip("predictors of this strategy are not saved")
        fitted = self._fitted(rehearsal)
        assert fitted.predictor is not None
        assert hasattr(fitted.predictor, "save"), "its predictor has no `save`; where it cannot, set `saves = False`"
        fitted.predictor.save(folder)
        return fitted, folder

    def _loaded(self, fitted: Fitted, task: Task, folder: Path) -> Predictor:
        job = make_job(self.strategy, self.backbone, task, fitted.result.params, self.protocol)
        return self.strategy.load(job, folder)

    def _answers(self, rehearsal: Rehearsal, fitted: Fitted) -> Predictions:
        from tlbench.running.fitting.timing import predict

        assert fitted.predictor is not None
        return predict(fitted.predictor, rehearsal.data())

    def _assert_same(self, first: Predictions, second: Predictions, when: str) -> None:
        pairs: list[tuple[np.ndarray | None, np.ndarray | None]] = [
            (first.values, second.values),
            (first.scores, second.scores),
        ]
        for mine, other in pairs:
            assert (mine is None) == (other is None)
            if mine is not None and other is not None:
                same = mine.tolist() == other.tolist() if mine.dtype.kind == "O" else _repeated(mine, other)
                assert same, f"other answers {when}"


def _apart(mine: Predictions, other: Predictions) -> float:
    """Returns the mean distance of two sets of answers: of probabilities, of numbers in deviations, or how many differ.

    Of words each counts, not the sentence.
    """
    if mine.scores is not None and other.scores is not None:
        return float(abs(mine.scores - other.scores).mean())
    if other.values.dtype.kind == "O":
        pairs = [pair for ours, theirs in zip(mine.values, other.values, strict=True) for pair in _parts(ours, theirs)]
        return float(sum(one != two for one, two in pairs) / max(1, len(pairs)))
    if other.values.dtype.kind != "f":
        return float((mine.values != other.values).mean())
    return float(abs(mine.values - other.values).mean() / max(float(other.values.std()), 1e-12))


def _repeated(mine: np.ndarray, other: np.ndarray) -> bool:
    return bool(abs(mine - other).max() <= REPEATED * max(1.0, float(abs(other).max())))


def _parts(mine: Any, other: Any) -> list[tuple[Any, Any]]:
    return list(zip(mine, other, strict=True)) if isinstance(mine, tuple) else [(mine, other)]


class _Watched(Mapping[str, Value]):
    """Hyperparameters that note which of them are read."""

    def __init__(self, params: Mapping[str, Value], read: set[str]) -> None:
        self._params, self._read = params, read

    def __getitem__(self, name: str) -> Value:
        self._read.add(name)
        return self._params[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)
