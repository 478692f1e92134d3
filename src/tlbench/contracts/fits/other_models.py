"""The other models and data that a fit may use: a teacher, another task, unlabelled data, another kind of output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.contracts.fits.task_info import SpaceContext, TaskInfo
from tlbench.contracts.task import Examples

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head


@dataclass(frozen=True)
class LoadedBackbone:
    """A second backbone for the same task, such as a teacher."""

    encoder: Encoder
    """The second backbone's encoder, freshly loaded, on the job's device, in eval mode."""
    featurize: Callable[[Examples], Data]
    """Tokenises or transforms examples of the job's task for this backbone."""
    new_head: Callable[[], Head]
    """Returns a new head for the job's task on this encoder."""
    about: SpaceContext
    """This backbone with the job's task and protocol, for the `space` and `defaults` of a strategy that adapts it."""


@dataclass(frozen=True)
class OtherTask:
    """Labelled data of another task, featurised for the job's backbone; without its test split."""

    task: TaskInfo
    train: Data
    validation: Data
    new_head: Callable[[], Head]
    """Returns a new head for this task on the job's encoder."""
    about: SpaceContext
    """This task with the job's backbone and protocol."""


@dataclass(frozen=True)
class OtherOutput:
    """The job's backbone as it is used for tasks with another kind of output, such as texts to generate."""

    featurize: Callable[[Examples], Data]
    """Tokenises or transforms examples whose targets are of the other kind."""
    new_head: Callable[[], Head]
    """Returns a new head for the other kind of output on the job's encoder."""
