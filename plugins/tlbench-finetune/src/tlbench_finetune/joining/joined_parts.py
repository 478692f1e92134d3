"""The strategy `recipe`, which joins parts of other strategies by their names. Imports no torch."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tlbench import Backbone, Job, Predictor, Resources, Space, SpaceContext, Strategy, Task, Trainable, Value
from tlbench.contracts.resources import estimated, larger
from tlbench.training import PARTS, GradientStrategy, Objective, Trains, both_hooks
from tlbench_finetune.joining.joined_spaces import joined_space, joined_values, own_view
from tlbench_finetune.joining.part_choice import ORDER, SHARED, chosen_parts, distinct

if TYPE_CHECKING:
    from tlbench.training import AfterStep, Group, Loss, Model, ModelPredictor, Training


@dataclass(frozen=True)
class JoinedParts(GradientStrategy):
    """Joins parts of other strategies, each named by the one that brings it; the rest is full fine-tuning.

    With one part named, a fit equals that of the strategy to the bit. Options of training are the whole recipe's.
    """

    name: ClassVar[str] = "recipe"
    family: ClassVar[str] = "joined"
    strategy_options: ClassVar[tuple[str, ...]] = tuple(PARTS)
    start: str = ""
    """The strategy whose starting weights are taken, such as `lp-ft` or `tapt`."""
    wrap: str = ""
    """The strategy that decides which weights are trained, such as `lora` or `partial-finetune`."""
    groups: str = ""
    """The strategy that gives parameters their learning rates, such as `layerwise-lr-decay`."""
    loss: str = ""
    """The strategy whose loss is minimised, such as `r-drop` or `distill`."""
    average: str = ""
    """The strategy that averages weights or statistics to predict with, such as `weight-averaging`."""
    # None where the parts decide, since some have a default of their own; a joined recipe has their number.
    weight_decay: float | None = None  # type: ignore[assignment]
    joined: Mapping[str, GradientStrategy] = dataclasses.field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    """The strategies by part; empty until `join`."""
    prefixes: Sequence[str] = dataclasses.field(default=(), init=False, compare=False, repr=False)
    """For each distinct strategy the part that it is named by."""

    def join(self, strategies: Mapping[str, Strategy]) -> Strategy:
        """Returns the recipe with the strategies that its options name.

        Raises:
            UsageError: A part cannot be joined with the others.
        """
        if not strategies:
            return self
        named = {part: (str(getattr(self, part)), strategy) for part, strategy in strategies.items()}
        mine = {name: getattr(self, name) for name in SHARED}
        options = {name: value for name, value in mine.items() if value != getattr(type(self), name)}
        parts, shared = chosen_parts(named, options)
        recipe = dataclasses.replace(self, weight_decay=shared["weight_decay"])
        every = distinct(parts.values())
        prefixes = [next(part for part in ORDER if part in named and parts[part] is one) for one in every]
        start = parts.get("start", recipe)
        facts = {
            "joined": parts,
            # Nothing is left to be joined.
            "strategy_options": (),
            "prefixes": tuple(prefixes),
            "paper": "; ".join(dict.fromkeys(one.paper for one in every if one.paper)),
            "changes_backbone": start.changes_backbone,
            "knows_nothing": start.knows_nothing and not any(one.needs() for one in every),
            "needs_unlabeled": any(one.needs_unlabeled for one in every),
            "needs_validation": any(one.needs_validation for one in every),
        }
        for name, value in facts.items():
            # The only way to set a field of a frozen dataclass; some of these are the class's in other strategies.
            object.__setattr__(recipe, name, value)
        return recipe

    @property
    def strategies(self) -> list[GradientStrategy]:
        """The distinct strategies that bring parts, in order of precedence."""
        return distinct(self.joined.values())

    @property
    def trains(self) -> Trains:
        """What is left to train."""
        return self.joined["wrap"].trains if "wrap" in self.joined else "all"

    @property
    def reports_scores(self) -> bool:
        """Whether a fit reports scores, which a part may rule out."""
        return all(one.reports_scores for one in self.strategies)

    @property
    def why_one_device(self) -> str | None:
        """The first reason why a part, or an option, rules out several devices, or None."""
        if self.mixup_alpha:
            return super().why_one_device
        reasons = (one.why_one_device for one in self.strategies)
        return next(filter(None, reasons), None)

    @property
    def rows_per_step(self) -> int:
        """The number of rows that a step holds in memory."""
        return self.joined["loss"].rows_per_step if "loss" in self.joined else self.train_batch_size

    def version_for(self, backbone: Backbone | None, task: Task) -> int:
        """Returns a number that rises with the version of each strategy that brings a part."""
        return self.version + sum(one.version_for(backbone, task) - 1 for one in self.strategies)

    def space(self, about: SpaceContext) -> Space:
        """Returns the hyperparameters of all parts; one learning rate, whose range is that of what is trained."""
        return joined_space(self._spaces(about))

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the default values of all parts."""
        return joined_values(self._spaces(about), [one.defaults(about) for one in self.strategies])

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the first reason why a part, or an option, is not supported, or None."""
        if not self.joined:
            return "recipe joins parts: name some, as in recipe[wrap=lora,loss=r-drop]"
        for one in self.strategies:
            if reason := one.supports(backbone, task):
                return reason
        return super().supports(backbone, task)

    def needs(self) -> tuple[str, ...]:
        """Returns the teachers and other tasks of all parts."""
        return tuple(dict.fromkeys(need for one in self.strategies for need in one.needs()))

    def accepts(self, need: str, item: Backbone | Task, task: Task) -> str | None:
        """Returns the first reason why a part cannot use a needed backbone or task, or None."""
        reasons = (one.accepts(need, item, task) for one in self.strategies if need in one.needs())
        return next(filter(None, reasons), None)

    def resources_of_need(self, need: str, item: Backbone, task: Task) -> Resources:
        """Returns the memory of what the parts do with a needed backbone."""
        needed = [one.resources_of_need(need, item, task) for one in self.strategies if need in one.needs()]
        return functools.reduce(larger, needed, Resources())

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns how much of the backbone is trained, or changed before."""
        if self.changes_backbone or "wrap" not in self.joined:
            return Trainable()
        return self.joined["wrap"].trainable(backbone)

    def resources(self, backbone: Backbone | None, task: Task) -> Resources:
        """Returns the memory of the fit, or of what comes before if that is larger."""
        if backbone is None:
            return Resources()
        trained = self.joined["wrap"].trainable(backbone) if "wrap" in self.joined else Trainable()
        writes = task.output.reads == "prompt"
        card = backbone.card()
        head, examples = task.output.head_size(card), sum(task.sizes.values())
        needed = estimated(card, trained, self.rows_per_step, writes=writes, head=head, examples=examples)
        return larger(needed, self.joined["start"].resources(backbone, task)) if self.changes_backbone else needed

    def begin(self, job: Job) -> Job:
        """Returns the job with the starting weights of the part `start`."""
        start = self.joined.get("start")
        # Its params are this part's view only within the part.
        return dataclasses.replace(start.begin(self._view(job, start)), params=job.params) if start else job

    def model(self, job: Job) -> Model:
        """Returns the model of the part `wrap`."""
        wrap = self.joined.get("wrap")
        return wrap.model(self._view(job, wrap)) if wrap else super().model(job)

    def parameter_groups(self, model: Model, job: Job) -> Sequence[Group] | None:
        """Returns the parameter groups of the part `groups`."""
        groups = self.joined.get("groups")
        return groups.parameter_groups(model, self._view(job, groups)) if groups else None

    def objective(self, model: Model, job: Job) -> Objective:
        """Returns the objective of the part `loss`."""
        loss = self.joined.get("loss")
        return loss.objective(model, self._view(job, loss)) if loss else Objective()

    def penalized(self, loss: Loss | None, model: Model) -> Loss | None:
        """Returns a loss with what any part adds to it."""
        for one in self.strategies:
            loss = one.penalized(loss, model)
        return loss

    def after_step(self, model: Model, job: Job) -> AfterStep | None:
        """Returns a hook that calls those of all parts."""
        hook = None
        for one in self.strategies:
            hook = both_hooks(hook, one.after_step(model, self._view(job, one)))
        return hook

    def averaged(self, model: Model, job: Job, train: Training) -> ModelPredictor:
        """Returns the model with the weights of the part `average`."""
        average = self.joined.get("average")
        return average.averaged(model, self._view(job, average), train) if average else train(job)

    def predictor(self, trained: ModelPredictor, job: Job) -> ModelPredictor:
        """Returns the predictor of the part `wrap`."""
        wrap = self.joined.get("wrap")
        return wrap.predictor(trained, self._view(job, wrap)) if wrap else trained

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the trained model saved in a folder."""
        wrap = self.joined.get("wrap")
        return wrap.load(self._view(job, wrap), folder) if wrap else super().load(job, folder)

    def _spaces(self, about: SpaceContext) -> list[tuple[str, Space]]:
        return [(part, one.space(about)) for part, one in zip(self.prefixes, self.strategies, strict=True)]

    def _view(self, job: Job, strategy: GradientStrategy) -> Job:
        """Returns the job with params by the names that one of the joined strategies has for them."""
        numbers = {id(one): part for part, one in zip(self.prefixes, self.strategies, strict=True)}
        return own_view(job, numbers[id(strategy)])
