"""The hidden states of a teacher, and the loss between them and the student's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from tlbench import Job
from tlbench.modeling.activations.encoding import in_eval_mode
from tlbench.modeling.data import Batch, Data, to_device
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.modeling.precision import at_least_fp32, autocast

Stages: TypeAlias = Literal["last", "all"]


@dataclass(frozen=True, eq=False)
class TeacherStates:
    """The teacher's states of all training rows: of each position, at some stages, or the readout."""

    stops: tuple[int, ...]
    """The numbers of stages after which the student is compared, rising; the last one is all of its stages."""
    positions: tuple[Data, ...]
    """For each stop, data whose batches hold the states of every position; empty if only readouts can be compared."""
    readouts: Tensor | None = None
    """(rows, D); None if positions are compared."""

    def of(self, rows: Sequence[int]) -> list[Tensor]:
        """Returns for each stop the states of these rows, (positions of all rows, D) or (rows, D)."""
        if self.readouts is not None:
            return [self.readouts[list(rows)]]
        return [_flat(data.batch(rows)["hidden"]) for data in self.positions]


def states_of(job: Job, teacher: Job, stages: Stages) -> TeacherStates:
    """Returns the states of an adapted teacher on the training rows of the student's job.

    Positions are compared where both backbones read the same rows, as with one tokenizer, and put out as many
    positions. Otherwise, or where the states do not fit into the cache, the readouts are.

    Args:
        job: The student's job.
        teacher: The teacher's job.
        stages: Whether the last stages are compared, or all of the student's with as many of the teacher's.
    """
    # The job's own rows may be selected from more, which changes their fingerprint, but not the rows.
    same_rows = job.featurize(job.train.examples).fingerprint == teacher.train.fingerprint
    pairs = stage_pairs(len(job.encoder.stages), len(teacher.encoder.stages), stages)
    if same_rows and all(_length(job, own) == _length(teacher, other) is not None for own, other in pairs):
        hidden = job.activations.hidden
        data = [hidden(teacher.encoder, teacher.train, other, job.precision) for _, other in pairs]
        if all(isinstance(one.batch([0]).get("hidden"), Hidden) for one in data):
            return TeacherStates(tuple(own for own, _ in pairs), tuple(data))
    readouts = job.activations.features(teacher.encoder, teacher.train, job.precision)
    return TeacherStates((pairs[-1][0],), (), readouts)


def stage_pairs(own: int, other: int, stages: Stages) -> list[tuple[int, int]]:
    """Returns numbers of stages of student and teacher after which they are compared.

    Embeddings are compared with embeddings, and each block of the student with one of the teacher's, at equal
    distances (the uniform strategy of TinyBERT, section 4.3).

    Args:
        own: The number of the student's stages, embeddings included.
        other: The number of the teacher's.
        stages: Whether only the last stages are compared.
    """
    if stages == "last" or own == 1:
        return [(own, other)]
    return [(block + 1, 1 + round(block * (other - 1) / (own - 1))) for block in range(own)]


class HiddenMatch:
    """The loss between the states of teacher and student, the mean over the compared stages.

    It is 1 minus the cosine if both have one width (DistilBERT), else the squared error after a linear map of the
    student's states, which is trained too (TinyBERT).
    """

    def __init__(self, states: TeacherStates, job: Job) -> None:
        self._states = states
        mine = [self._mine(job.encoder, _first_row(job, stop)).shape[-1] for stop in states.stops]
        theirs = [state.shape[-1] for state in states.of([0])]
        widths = zip(mine, theirs, strict=True)
        self.projections = nn.ModuleList(nn.Linear(a, b) if a != b else nn.Identity() for a, b in widths).to(job.device)
        job.notes["hidden_positions"] = float(bool(states.positions))
        job.notes["hidden_stages"] = float(len(states.stops))

    def outputs(self, encoder: Encoder, batch: Batch) -> list[Hidden]:
        """Returns the encoder's output at each stop, after one pass over a batch."""
        outputs: list[Hidden] = []
        for start, stop in zip((0, *self._states.stops), self._states.stops, strict=False):
            outputs.append(encoder(outputs[-1] if outputs else batch, start=start, stop=stop))
        return outputs

    def __call__(self, encoder: Encoder, outputs: Sequence[Hidden], rows: Sequence[int]) -> Tensor:
        """Returns the mean loss of a batch, a scalar.

        Args:
            encoder: The student's encoder.
            outputs: Its output at each stop.
            rows: The indices of the batch in the training data.
        """
        states = zip(self.projections, outputs, self._states.of(rows), strict=True)
        return torch.stack([_loss(one, self._mine(encoder, hidden), theirs) for one, hidden, theirs in states]).mean()

    def _mine(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        return _flat(hidden) if self._states.positions else encoder.pool(hidden)


def _loss(projection: nn.Module, mine: Tensor, theirs: Tensor) -> Tensor:
    theirs = at_least_fp32(theirs).to(mine.device)
    if isinstance(projection, nn.Identity):
        return 1 - functional.cosine_similarity(at_least_fp32(mine), theirs, dim=-1).mean()
    return functional.mse_loss(at_least_fp32(projection(mine)), theirs)


def _flat(hidden: Hidden) -> Tensor:
    """Returns the states of all positions but padding, one row after the other, (positions, D)."""
    return hidden.x.flatten(0, 1) if hidden.mask is None else hidden.x[hidden.mask]


def _first_row(job: Job, stop: int) -> Hidden:
    """Returns the output of the first stages of the job's encoder for its first training row."""
    with in_eval_mode(job.encoder), torch.no_grad(), autocast(job.device, job.precision):
        return job.encoder(to_device(job.train.batch([0]), job.device), stop=stop)


def _length(job: Job, stop: int) -> int | None:
    """Returns the number of positions of the first row at this stop; None for feature maps."""
    states = _first_row(job, stop).x
    return states.shape[1] if states.ndim == 3 else None
