"""Conformance checks for strategies."""

from __future__ import annotations

import dataclasses
import keyword
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec
import pytest

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import UsageError
from tlbench.contracts.fits.predictor import ExportablePredictor, Predictor
from tlbench.contracts.outputs import Predictions, Span, Text, TokenClasses
from tlbench.contracts.space import checked, narrow
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Examples, SplitName, Task
from tlbench.planning.space_context import space_about
from tlbench.testing.conformance.every_plugin import check_light, check_name
from tlbench.testing.exports.exported_predictions import exported
from tlbench.testing.jobs import Rehearsal, draw, make_job, middle, why_not
from tlbench.testing.predictions import WatchedParams, are_repeated, distance
from tlbench.testing.toy_kinds import ToyLabelsTask, ToySpanTask, ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask

if TYPE_CHECKING:
    from tlbench.running.fitting.fit import Fitted


class StrategyConformance:
    """Checks a strategy's fits, predictors, saved files and search space.

    Guarantees: fits are deterministic; exactly the hyperparameters of the space are read; the test split is not read;
    the encoder is restored after a fit; a predictor survives later fits, saving and loading; fits in one batch equal
    fits alone; a pruned fit ends.

        class TestMyStrategy(StrategyConformance):
            strategy = MyStrategy()
            tasks = (ToyTask(),)  # default: a toy task of each kind of output but texts
            saves = False  # only if predictors cannot be saved
    """

    strategy: ClassVar[Strategy]
    backbone: ClassVar[Backbone] = ToyBackbone()
    tasks: ClassVar[tuple[Task, ...]] = (
        ToyTask(unlabeled=16),
        ToyScalarTask(),
        ToyLabelsTask(),
        ToyWordsTask(),
        ToySpanTask(unanswerable=True),
    )
    """Tasks to fit, except those that the strategy does not support; most tests use the first supported task."""
    protocol: ClassVar[Protocol] = Protocol(max_steps=6, precision="fp32")
    draws: ClassVar[int] = 3
    """Number of sampled settings to fit; each hyperparameter must be read by at least one of these fits."""
    saves: ClassVar[bool] = True
    """Whether predictors can be saved; if not, a run that was killed repeats its finished fits."""
    fused_tolerance: ClassVar[float] = 0.15
    """Largest difference between a fit in a batch and the same fit alone, in validation score and in mean prediction.

    Differences of real numbers are in standard deviations. The default allows a difference on four of the 32 validation
    examples of the toys, for strategies that share more than arithmetic between fits, such as a running mean or a
    stopping rule. If fits differ by rounding only, set it to 0.001, which is less than one example and well above the
    effect of fp32 rounding over a few dozen steps.
    """

    @property
    def task(self) -> Task:
        """The first task that the strategy supports."""
        return self._supported()[0]

    def rehearsal(self, task: Task | None = None) -> Rehearsal:
        """Returns the strategy on a task (default: the first supported one) with a newly loaded encoder."""
        return Rehearsal(self.strategy, self.backbone, task or self.task, self.protocol)

    def test_name(self) -> None:
        """The name is valid in suites and on the command line, and the class has a docstring."""
        check_name(self.strategy.name)
        assert isinstance(self.strategy.version, int)
        assert self.strategy.__doc__, "add a docstring to the strategy: what does it train?"

    def test_import_is_light(self) -> None:
        """Importing the strategy's module does not import heavy libraries such as torch."""
        check_light(self.strategy)

    def test_space(self) -> None:
        """Hyperparameters have names that suites can write and domains that tlbench can search."""
        space = checked(self.strategy.space(space_about(self.task, self.protocol, self.backbone)))
        for name in space:
            assert name.isidentifier(), f"the hyperparameter {name!r} is not an identifier"
            assert not keyword.iskeyword(name), f"the hyperparameter {name!r} is a keyword of Python"
        assert set(narrow(space, middle(space))) == set(middle(space))

    def test_fits(self) -> None:
        """A fit on each supported task succeeds, and its predictor predicts every example, in order."""
        for task in self._supported():
            rehearsal = self.rehearsal(task)
            predictions = self._predict(rehearsal, rehearsal.fit_ok())
            assert predictions.ids == rehearsal.data().ids, task.name
            # Tags and texts have any length, so they are arrays of objects; other predictions are numeric arrays.
            kinds = "O" if isinstance(task.output, TokenClasses | Span | Text) else "iuf"
            assert predictions.values.dtype.kind in kinds, task.name

    def test_same_seed_same_result(self) -> None:
        """Fits of one setting and seed give equal predictions, with a new encoder and after other fits."""
        rehearsal, other = self.rehearsal(), self.rehearsal()
        first = self._predict(rehearsal, rehearsal.fit_ok())
        self._assert_same(first, self._predict(other, other.fit_ok()), "with a newly loaded encoder")
        # Another fit, whose traces in the shared encoder or in globals would change the repetition.
        rehearsal.fit_ok(seed=1)
        self._assert_same(first, self._predict(rehearsal, rehearsal.fit_ok()), "after another fit")

    def test_reads_what_its_space_offers(self) -> None:
        """Fits read exactly the hyperparameters of the space, and do not read the test split."""
        rehearsal, generator = self.rehearsal(), random.Random(0)
        read: set[str] = set()
        splits: list[str] = []
        settings = [draw(rehearsal.space, generator) for _ in range(self.draws)]
        # A hyperparameter with conditions may exist in none of them.
        settings += [draw(rehearsal.space, generator, name) for name, one in rehearsal.space.items() if one.when]
        for params in settings:
            job = make_job(self.strategy, self.backbone, self.task, params, self.protocol)

            # The default argument binds this iteration's function.
            def examples(split: SplitName, examples=job.examples) -> Examples | None:  # type: ignore[no-untyped-def]
                splits.append(split)
                result: Examples | None = examples(split)
                return result

            self.strategy.fit(dataclasses.replace(job, params=WatchedParams(job.params, read), examples=examples))
        assert read == set(rehearsal.space), f"fits read {sorted(read)}, but the space has {sorted(rehearsal.space)}"
        assert "test" not in splits, "the strategy reads the test split"

    def test_leaves_the_encoder_as_a_fresh_load(self) -> None:
        """After a fit, the encoder's weights, buffers, gradients, modes, hooks and modules are as freshly loaded."""
        import torch

        rehearsal = self.rehearsal()
        rehearsal.fit_ok()
        if rehearsal.encoder is None:
            pytest.skip("this strategy uses no backbone")
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
        """A predictor gives equal predictions after another fit, once its encoder's state is restored."""
        rehearsal = self.rehearsal()
        fitted = rehearsal.fit_ok()
        # Fits share one encoder, so a run restores its state before it predicts with an earlier predictor.
        restore = rehearsal.encoder.keep().put_back if rehearsal.encoder else lambda: True
        before = self._predict(rehearsal, fitted)
        rehearsal.fit_ok(seed=1)
        restore()
        self._assert_same(before, self._predict(rehearsal, fitted), "after the next fit")

    def test_a_saved_predictor_answers_as_before(self, tmp_path: Path) -> None:
        """Loading a saved predictor, with a new encoder and head, gives equal predictions, and so does its export."""
        for number, task in enumerate(self._supported()):
            rehearsal = self.rehearsal(task)
            fitted, folder = self._saved(rehearsal, tmp_path / str(number))
            loaded = dataclasses.replace(fitted, predictor=self._loaded(fitted, task, folder))
            mine = self._predict(rehearsal, fitted)
            self._assert_same(mine, self._predict(rehearsal, loaded), "after it was saved and loaded")
            self._check_export(loaded.predictor, rehearsal, task, tmp_path / f"exported-{number}")

    def _check_export(self, predictor: Predictor | None, rehearsal: Rehearsal, task: Task, folder: Path) -> None:
        """Checks that the exported folder predicts the same; what cannot be exported raises a `UsageError`."""
        if not isinstance(predictor, ExportablePredictor):
            return
        backbone = self.backbone if self.strategy.uses_backbone else None
        try:
            written = exported(predictor, backbone, task, rehearsal.data(), folder)
        except UsageError:  # its message is what the user reads
            return
        problem = written.problem(written.predictions())
        assert not problem, f"the exported folder predicts otherwise: {problem}"

    def test_what_was_not_saved_is_not_loaded(self, tmp_path: Path) -> None:
        """Loading from an empty folder, or from one with a truncated file, raises an exception."""
        fitted, folder = self._saved(self.rehearsal(), tmp_path / "saved")
        empty = tmp_path / "empty"
        empty.mkdir()
        # Copies of the folder in each of which one file lacks its second half, as after a crash during writing.
        truncated = []
        for number, path in enumerate(sorted(path for path in folder.rglob("*") if path.stat().st_size > 1)):
            copy = shutil.copytree(folder, tmp_path / str(number)) / path.relative_to(folder)
            if copy.is_file():
                copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
                truncated.append(tmp_path / str(number))
        assert truncated, "`save` wrote no file"
        for damaged in (empty, *truncated):
            try:
                self._loaded(fitted, self.task, damaged)
            except Exception:
                continue
            raise AssertionError(f"a predictor was loaded from {damaged}, which holds none")

    def test_several_settings_at_once(self) -> None:
        """Each setting in a batch succeeds, with the validation score that it has alone, up to `fused_tolerance`."""
        rehearsal, generator = self.rehearsal(), random.Random(0)
        settings = [draw(rehearsal.space, generator) for _ in range(min(3, max(2, self.strategy.batch_size)))]
        together = rehearsal.fit_batch(settings)
        assert len(together) == len(settings)
        for params, fitted in zip(settings, together, strict=True):
            assert fitted.result.status == "ok", f"{fitted.result.reason}\n{fitted.result.traceback}"
            assert fitted.result.params == params
            # Without batches, the runner fits one setting after another, and the scores are equal by construction.
            if self.strategy.batch_size > 1:
                alone = rehearsal.fit_ok(params).result.validation
                assert fitted.result.validation == pytest.approx(alone, abs=self.fused_tolerance), params

    def test_several_seeds_at_once(self) -> None:
        """Each seed in a batch gives the predictions that it gives alone, up to `fused_tolerance`."""
        if self.strategy.batch_size == 1:
            pytest.skip("this strategy fits one job at a time (batch_size)")
        seeds = (0, 1, 2)
        for task in self._supported():
            # With a limit, each seed has its own training subset, which a batch must not mix up.
            limit = max(2, 3 * len(self.rehearsal(task).data("train")) // 4)
            protocol = msgspec.structs.replace(self.protocol, seeds=seeds, train_limit=limit)
            rehearsal, generator = Rehearsal(self.strategy, self.backbone, task, protocol), random.Random(0)
            settings = [draw(rehearsal.space, generator) for _ in seeds]
            together = rehearsal.fit_batch(settings, seeds)
            for fitted in together:
                assert fitted.result.status == "ok", f"{fitted.result.reason}\n{fitted.result.traceback}"
            batched = [self._predict(rehearsal, fitted) for fitted in together]
            for params, seed, fitted, mine in zip(settings, seeds, together, batched, strict=True):
                alone = rehearsal.fit_ok(params, seed)
                assert fitted.result.seed == seed
                assert fitted.result.examples_seen == alone.result.examples_seen, "examples are miscounted"
                apart = distance(mine, self._predict(rehearsal, alone))
                assert apart <= self.fused_tolerance, f"seed {seed} is {apart:.2g} away from its fit alone"

    def test_a_final_fit_needs_no_validation_split(self) -> None:
        """The winner can be fitted on train and validation together, unless the strategy sets `needs_validation`."""
        if self.strategy.needs_validation:
            pytest.skip("this strategy reads the validation split in every fit (needs_validation)")
        protocol = msgspec.structs.replace(self.protocol, final="train+validation", train_limit=None)
        fitted = Rehearsal(self.strategy, self.backbone, self.task, protocol).fit_final()
        assert fitted.result.status == "ok", (
            f"{fitted.result.reason}\nA final fit may have no validation split: see `Job.held_out`, or set "
            f"needs_validation.\n{fitted.result.traceback}"
        )
        assert fitted.result.validation is None

    def test_pruning_ends_the_fit(self) -> None:
        """A fit that reports validation scores ends at the report at which it is pruned."""
        import math

        # No score reaches infinity, so the first report must end the fit.
        fitted = self.rehearsal().fit(stop_below={0: math.inf})
        scores = [point for point in fitted.result.history if point.score is not None]
        if not scores:
            pytest.skip("this strategy reports no validation scores during a fit")
        assert fitted.result.status == "pruned", "the strategy went on after it was pruned"
        assert len(scores) == 1

    def _supported(self) -> list[Task]:
        backbone = self.backbone if self.strategy.uses_backbone else None
        reasons = why_not(self.strategy, backbone, self.tasks)
        supported = [task for task, reason in zip(self.tasks, reasons, strict=True) if reason is None]
        assert supported, f"the strategy supports none of `tasks`: {'; '.join(map(str, reasons))}"
        return supported

    def _saved(self, rehearsal: Rehearsal, folder: Path) -> tuple[Fitted, Path]:
        """Returns a fit and the folder with its saved predictor; skips if predictors cannot be saved."""
        if not self.saves:
            pytest.skip("predictors of this strategy cannot be saved (saves)")
        fitted = rehearsal.fit_ok()
        assert fitted.predictor is not None
        assert hasattr(fitted.predictor, "save"), "the predictor has no `save`: add it, or set `saves = False`"
        fitted.predictor.save(folder)
        return fitted, folder

    def _loaded(self, fitted: Fitted, task: Task, folder: Path) -> Predictor:
        job = make_job(self.strategy, self.backbone, task, fitted.result.params, self.protocol)
        return self.strategy.load(job, folder)

    def _predict(self, rehearsal: Rehearsal, fitted: Fitted) -> Predictions:
        from tlbench.running.fitting.measuring.timing import predict

        assert fitted.predictor is not None
        return predict(fitted.predictor, rehearsal.data())

    def _assert_same(self, first: Predictions, second: Predictions, when: str) -> None:
        assert are_repeated(first, second), f"other predictions {when}: fits must depend on the seed alone"
