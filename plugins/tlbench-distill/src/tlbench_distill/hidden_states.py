"""The last hidden states of a teacher, and the loss between them and the student's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tlbench import Job
from tlbench.modeling.activations.encoding import in_eval_mode
from tlbench.modeling.data import Data, to_device
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.modeling.precision import at_least_fp32, autocast
from tlbench.training import Group, Model, groups_of


@dataclass(frozen=True, eq=False)
class TeacherStates:
    """The teacher's states of all training rows: of each position, or the readout."""

    positions: Data | None
    """Batches of it hold the hidden states of every position; None if only readouts can be compared."""
    readouts: Tensor | None
    """(rows, D); None if positions are compared."""

    def of(self, rows: Sequence[int]) -> Tensor:
        """Returns the states of these rows, (positions of all rows, D) or (rows, D)."""
        if self.positions is None:
            assert self.readouts is not None
            return self.readouts[list(rows)]
        return _flat(self.positions.batch(rows)["hidden"])


def states_of(job: Job, teacher: Job) -> TeacherStates:
    """Returns the states of an adapted teacher on the training rows of the student's job.

    Positions are compared where both backbones read the same rows, as with one tokenizer, and put out as many
    positions. Otherwise, or where the states do not fit into the cache, readouts are.
    """
    precision = job.precision
    # The job's own rows may be selected from more, which changes their fingerprint, but not the rows.
    same_rows = job.featurize(job.train.examples).fingerprint == teacher.train.fingerprint
    shapes = [_first_row(one).x.shape[:-1] for one in (job, teacher)]
    if same_rows and len(shapes[0]) == 2 and shapes[0] == shapes[1]:
        stages = len(teacher.encoder.stages)
        data = job.activations.hidden(teacher.encoder, teacher.train, stages, precision)
        if isinstance(data.batch([0]).get("hidden"), Hidden):
            return TeacherStates(data, None)
    return TeacherStates(None, job.activations.features(teacher.encoder, teacher.train, precision))


class HiddenMatch:
    """The loss between the states of teacher and student.

    It is 1 minus the cosine if both have one width (DistilBERT), else the squared error after a linear map of the
    student's states, which is trained too (TinyBERT).
    """

    def __init__(self, encoder: Encoder, states: TeacherStates, job: Job) -> None:
        self._states = states
        mine = self._mine(encoder, _first_row(job)).shape[-1]
        theirs = states.of([0]).shape[-1]
        self.projection = nn.Linear(mine, theirs).to(job.device) if mine != theirs else None
        job.notes["hidden_positions"] = float(states.positions is not None)

    def __call__(self, encoder: Encoder, hidden: Hidden, rows: Sequence[int]) -> Tensor:
        """Returns the mean loss of a batch, a scalar.

        Args:
            encoder: The student's encoder.
            hidden: The output of its last stage.
            rows: The indices of the batch in the training data.
        """
        mine = self._mine(encoder, hidden)
        theirs = at_least_fp32(self._states.of(rows)).to(mine.device)
        if self.projection is None:
            return 1 - functional.cosine_similarity(at_least_fp32(mine), theirs, dim=-1).mean()
        return functional.mse_loss(at_least_fp32(self.projection(mine)), theirs)

    def groups(self, model: Model, lr: float, weight_decay: float) -> list[Group]:
        """Returns the parameter groups of the student and, if there is one, of the linear map."""
        parts = [model] if self.projection is None else [model, self.projection]
        return groups_of(nn.ModuleList(parts), lr, weight_decay)

    def _mine(self, encoder: Encoder, hidden: Hidden) -> Tensor:
        return encoder.pool(hidden) if self._states.positions is None else _flat(hidden)


def _flat(hidden: Hidden) -> Tensor:
    """Returns the states of all positions but padding, one row after the other, (positions, D)."""
    return hidden.x.flatten(0, 1) if hidden.mask is None else hidden.x[hidden.mask]


def _first_row(job: Job) -> Hidden:
    """Returns the output of the job's encoder for its first training row."""
    with in_eval_mode(job.encoder), torch.no_grad(), autocast(job.device, job.precision):
        return job.encoder(to_device(job.train.batch([0]), job.device))
