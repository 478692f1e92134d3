"""The strategy contract: a method of adapting a backbone to a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import FitEnded
from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.fits.task_info import SpaceContext
from tlbench.contracts.resources import ROWS, Resources, Trainable, estimated
from tlbench.contracts.space import Space, Value
from tlbench.contracts.task import Task


class Strategy:
    """A method of adapting a backbone, such as fine-tuning: subclass it as a frozen dataclass with options as fields.

    Only `name` and `fit` are required. A strategy owns its fit: `tlbench.training` offers a training loop, but any code
    that returns a `Predictor` will do. Options are set in the strategy's name (`partial-finetune[stages=2]`), whereas
    params are searched in `space`.

    Guarantees: a fit is given no test split, starts from freshly loaded parameters, and gets the same training subset,
    seeds and number of trials as every other strategy. A final fit may have no validation split (`Job.held_out`). The
    runner measures time, memory and rows, but only the strategy can keep to the protocol's `max_steps` or `epochs`, as
    `tlbench.training.train` does.

    Example:
        from dataclasses import dataclass

        from tlbench import Float, Strategy

        @dataclass(frozen=True)
        class LayerwiseDecay(Strategy):
            name = "layerwise-decay"
            paper = "Howard & Ruder 2018, arXiv:1801.06146"

            def space(self, about):
                return {"lr": Float(1e-5, 1e-3, log=True), "decay": Float(0.6, 0.99)}

            def fit(self, job):
                from tlbench.training import Model, layer_decayed, train

                model = Model(job.encoder, job.head)
                groups = layer_decayed(model, job.params["lr"], job.params["decay"])
                return train(model, job.train, job, groups)
    """

    name: ClassVar[str]
    """Name of the strategy in suites, records and tables, in kebab-case."""
    version: ClassVar[int] = 1
    """Part of a cell's identity: increase it when the results change, so that old records are not reused."""
    paper: ClassVar[str] = ""
    """The reference of the method."""
    family: ClassVar[str] = ""
    """What it has in common with others in listings, such as "frozen features" (`catalog/strategy_families.py`)."""
    uses_backbone: ClassVar[bool] = True
    """False for baselines without a backbone, such as the majority class, which run once per task."""
    is_baseline: ClassVar[bool] = False
    """Whether a run without a suite adds this strategy to the tasks that it supports, to show which score is trivial.
    It must use no backbone."""
    knows_nothing: ClassVar[bool] = False
    """Whether this strategy is a floor: it uses no pretrained weights, and gains of others are measured over it."""
    batch_size: ClassVar[int] = 1
    """The maximum number of fits passed to `fit_batch`; override `fit_batch` if it is above 1."""
    needs_validation: ClassVar[bool] = False
    """Whether every fit reads the validation split, so that a plan skips cells whose winner is fitted on train and
    validation together. One that only reports scores, or notes what it chose, can do without (`Job.held_out`)."""
    needs_unlabeled: ClassVar[bool] = False
    """Whether every fit reads unlabelled examples; a plan skips cells without an unlabelled split or limited train."""

    @property
    def reports_scores(self) -> bool:
        """Whether a fit reports validation scores (`Job.report`), so that a search by rungs can cut it short."""
        return True

    @property
    def why_whole(self) -> str | None:
        """Why a search by rungs cannot cut the fits of this strategy short, or None if it can."""
        if self.batch_size > 1:
            return "it fits several settings in one pass"
        return None if self.reports_scores else "it reports no scores during a fit"

    @property
    def why_one_device(self) -> str | None:
        """Why a fit of this strategy runs on one device, however many it is given, or None if it divides its batches.

        `tlbench.training.train` divides them, so a strategy whose fits are that function's can return None: all of its
        fits then run in several processes at once, each with the same job, and must do the same in all of them.
        """
        return "several of its fits share one pass" if self.batch_size > 1 else "its fit is its own"

    strategy_options: ClassVar[tuple[str, ...]] = ()
    """Names of the options, each a text, that name other strategies, which `join` is given; "" names none."""

    def join(self, strategies: Mapping[str, Strategy]) -> Strategy:
        """Returns this strategy with those that its `strategy_options` name, by option.

        The catalog calls it after it has set the options, which then have canonical names.

        Raises:
            UsageError: They cannot be joined.
        """
        return self

    def version_for(self, backbone: Backbone | None, task: Task) -> int:
        """Returns the version for a cell's id; override it if a change of results concerns only some cells."""
        return self.version

    def space(self, about: SpaceContext) -> Space:
        """Returns the search space of the params; empty if there are none. `When` makes params depend on others."""
        return {}

    def defaults(self, about: SpaceContext) -> Mapping[str, Value]:
        """Returns the params of the first, perhaps the only, trial; the sampler chooses those that are left out."""
        return {}

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor adapted to `job.train` with `job.params`.

        Raises:
            Pruned: The pruner stopped the trial (raised by `job.report`).
            Diverged: A loss, a parameter or a prediction is not finite.
        """
        raise NotImplementedError

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor that was saved by `save(folder)`, on this job's fresh encoder and head.

        The job has the params and seed of the saved fit. Required only if predictors have a `save`.

        Raises:
            UsageError: The files are damaged or belong to another strategy or another kind of job. They may come from
                an untrusted source, so validate them.
        """
        raise NotImplementedError(f"{self.name} has no load(); define it, or remove save() from its predictor")

    def fit_batch(self, jobs: Sequence[Job]) -> list[Predictor | FitEnded]:
        """Returns each job's predictor, or the exception that ended its fit; override it to train jobs in one pass.

        The jobs are fits of one cell: several params at one seed during a search, the best params at several seeds
        afterwards. They share encoder, activations, validation and protocol. Each has its own params, trial and seed,
        and therefore its own training subset and head.

        Each result must equal that of `fit` on the job alone, up to rounding. The failure of one job must not affect
        the others, so return its `FitEnded` instead of raising it. Each job's data counts the rows it serves.
        """
        # The default has no shared pass, so that a strategy without `fit_batch` works with any number of jobs.
        results: list[Predictor | FitEnded] = []
        for job in jobs:
            try:
                results.append(self.fit(job))
            # Only expected ends of a fit are kept per job; any other exception is a bug and fails the whole batch.
            except FitEnded as ended:
                results.append(ended)
        return results

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why the strategy cannot adapt this backbone to this task, or None if it can."""
        return None

    def needs(self) -> tuple[str, ...]:
        """Returns the other inputs of a fit: "backbone:x" (for `Job.backbone`, a teacher), "task:x" (for `Job.other`).

        They are part of the cell's identity and are downloaded by `tlbench fetch`. The plan skips a cell if one of them
        is missing or is the cell's own task.
        """
        return ()

    def accepts(self, need: str, item: Backbone | Task, task: Task) -> str | None:
        """Returns why a needed backbone or task cannot serve a fit on `task`, or None if it can.

        Args:
            need: The need, as `needs` names it.
            item: The backbone or task of this name.
            task: The task that is fitted.
        """
        return None

    def resources_of_need(self, need: str, item: Backbone, task: Task) -> Resources:
        """Returns the devices and memory of what a fit does with a needed backbone, its own left out.

        Nothing of it counts by default. It comes before the training: the larger of both is what a fit needs.
        """
        return Resources()

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns how much of the backbone is trained: a number of top stages, or of parameters anywhere in it.

        It determines the memory estimate and the order in which cells run. By default all of the backbone is trained,
        or none of it if several fits share one pass. Override it in a strategy that trains only a part of the backbone;
        otherwise its cells are skipped on machines that have enough memory for them.
        """
        # Fits that share a pass share the encoder, so none of them can train it.
        return Trainable(0) if self.batch_size > 1 else Trainable()

    def resources(self, backbone: Backbone | None, task: Task) -> Resources:
        """Returns the devices and memory that one fit requires, by default estimated from the backbone's card.

        The plan skips fits that exceed the machine's memory. The estimate reads the batch size from the strategy's
        field `train_batch_size`, if there is one.
        """
        if backbone is None:
            return Resources()
        rows: int = getattr(self, "train_batch_size", ROWS)
        # The head of a task that generates text is a whole decoder, trained with its own gradients and moments.
        writes = task.output.reads == "prompt"
        card = backbone.card()
        head, examples = task.output.head_size(card), sum(task.sizes.values())
        return estimated(card, self.trainable(backbone), rows, writes=writes, head=head, examples=examples)
