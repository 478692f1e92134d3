"""The jobs of auxiliary fits: a strategy may first adapt a teacher, or its own backbone to another task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from tlbench.contracts.backbone import Card
from tlbench.contracts.errors import PluginError
from tlbench.contracts.fits.job import NO_VALIDATION, Job
from tlbench.contracts.fits.other_models import LoadedBackbone, OtherTask
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.fits.task_info import SpaceContext
from tlbench.contracts.space import Value
from tlbench.contracts.task import Examples, SplitName

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.modeling.heads import Head


def teacher_job(job: Job, teacher: LoadedBackbone, params: Mapping[str, Value]) -> Job:
    """Returns the job of adapting another backbone to the task of `job`, on the same training examples.

    The auxiliary fit has the seed, protocol and precision of `job`, but no validation split, reports or notes.

    Args:
        job: The job of the fit that needs the teacher.
        teacher: The other backbone, from `Job.backbone`.
        params: The hyperparameters of the auxiliary fit.
    """
    train = teacher.featurize(job.train.examples)
    own = replace(job, encoder=teacher.encoder, featurize=teacher.featurize)
    return _auxiliary(own, teacher.about, train, teacher.new_head(), params)


def other_task_job(job: Job, other: OtherTask, params: Mapping[str, Value]) -> Job:
    """Returns the job of adapting the encoder of `job` itself to another task, on all of its training examples.

    As for `teacher_job`, there is no validation split, and reports and notes are dropped.

    Args:
        job: The job of the fit that comes after.
        other: The other task, from `Job.other`.
        params: The hyperparameters of the auxiliary fit.
    """
    return _auxiliary(job, other.about, other.train, other.new_head(), params)


def _auxiliary(job: Job, about: SpaceContext, train: Data, head: Head, params: Mapping[str, Value]) -> Job:
    def examples(split: SplitName) -> Examples | None:
        return train.examples if split == "train" else None

    def score(predictor: Predictor) -> float:
        raise PluginError(NO_VALIDATION)

    def card() -> Card:
        return about.backbone.card() if about.backbone else Card()

    return replace(
        job,
        head=head,
        train=train,
        held_out=None,
        task=about.task,
        params=params,
        protocol=msgspec.structs.replace(job.protocol, pruner="none"),
        examples=examples,
        unlabeled=lambda: None,
        score=score,
        report=lambda step, score, loss=None, total=None: None,
        card=card,
        notes={},
        losses=[],
        searched={},
    )
