"""The log-likelihood of class names as continuations of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from tlbench import Example, Examples, Job, Text
from tlbench.modeling.batches import default_tokens, inference_batches
from tlbench.modeling.data import Data, moved, to_device
from tlbench.modeling.precision import autocast

WITHOUT_CONTENT = "N/A"
"""The text of the prompt by which likelihoods are calibrated (Zhao et al. 2021)."""


class LabelLikelihood:
    """Returns the log-likelihood of each class name after each text, (N, K); demonstrations come before the text."""

    def __init__(
        self,
        job: Job,
        output: Text,
        labels: Sequence[str],
        shown: Sequence[tuple[str, str]],
        is_calibrated: bool,
        space: str,
    ) -> None:
        """Prepares the model.

        Args:
            job: Gives the encoder.
            output: The output by which the backbone generates texts.
            labels: The names of the classes.
            shown: The demonstrations: texts and names of their classes.
            is_calibrated: Whether the log-likelihood after a prompt without content is subtracted.
            space: What comes before a class name.
        """
        self._job, self._labels, self._shown, self._space = job, labels, shown, space
        self._reading = job.reading(output)
        self._head = self._reading.new_head().eval()
        # Prompts with other numbers of demonstrations have likelihoods of their own without content.
        self._priors: dict[int, Tensor] | None = {} if is_calibrated else None

    def __call__(self, examples: Examples) -> Tensor:
        """Returns the log-likelihoods of the classes, (N, K) fp32 on the CPU."""
        found = torch.empty(len(examples), len(self._labels))
        counts = self.fitting(examples)
        for count in sorted({*counts.tolist()}):
            rows = np.flatnonzero(counts == count)
            found[rows] = self._likelihoods(examples.take(rows.tolist()), count)
            if self._priors is not None:
                if count not in self._priors:
                    nothing = Examples([Example("without content", (WITHOUT_CONTENT,))])
                    self._priors[count] = self._likelihoods(nothing, count)
                found[rows] -= self._priors[count]
        return found

    def fitting(self, examples: Examples) -> np.ndarray:
        """Returns how many demonstrations fit before each text, (N,): as many as leave the prompt uncut, or 0."""
        counts = np.zeros(len(examples), dtype=np.int64)
        left = np.arange(len(examples))
        for count in range(len(self._shown), 0, -1):
            data = self._reading.featurize(self._prompts(examples.take(left.tolist()), count))
            cut = np.zeros(len(left), dtype=bool) if data.truncated is None else data.truncated
            counts[left[~cut]] = count
            left = left[cut]
            if not len(left):
                break
        return counts

    def _prompts(self, examples: Examples, count: int) -> Examples:
        """Returns the examples with the last `count` demonstrations before their texts."""
        shown = self._shown[len(self._shown) - count :]
        before = "".join(f"{text}\n=> {label}\n\n" for text, label in shown)
        return Examples(replace(one, inputs=(before + one.inputs[0],)) for one in examples)

    def _likelihoods(self, examples: Examples, count: int) -> Tensor:
        prompts = Examples(
            replace(one, id=f"{one.id}#{number}", target=(self._space + label,))
            for one in self._prompts(examples, count)
            for number, label in enumerate(self._labels)
        )
        return self._of_targets(self._reading.featurize(prompts)).view(len(examples), len(self._labels))

    def _of_targets(self, data: Data) -> Tensor:
        """Returns the log-likelihood of the target of each row, (rows,) fp32 on the CPU."""
        encoder, device = self._job.encoder, self._job.device
        targets, found = self._head.targets(data), torch.empty(len(data))
        for rows in inference_batches(data.lengths, default_tokens(device.type)):
            with torch.inference_mode(), autocast(device, self._job.precision):
                states = self._head(encoder, encoder(to_device(data.batch(rows), device)))
                likelihoods = self._head.log_likelihood(states, moved(targets[rows], device))
            found[rows] = likelihoods.float().cpu()
        return found
