"""Estimates of the memory of a fit, computed from a backbone's card before anything is loaded.

    >>> estimated(Card(parameters=22_600_000, stages=6, width=384), Trainable(2)).reason
    '2 of 7 stages of 22.6 million parameters trained'

If an estimate is too high, a fit is skipped unless the user passes `--max-memory 0`; if it is too low, a cell spends
time on a fit that runs out of memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tlbench.contracts.backbone import Card
from tlbench.contracts.kinds.head_size import HeadSize

NUMBER_BYTES = 4
"""Bytes of a weight or an activation in fp32, the largest precision."""
TRAINED_COPIES = 4
"""Number of values that AdamW keeps for each trained weight: the weight, its gradient and two moments."""
MOMENTS = 2
"""Number of them that are the optimiser's own, which several devices divide among them."""
NUMBERS_A_POSITION = 20
"""Activations that a transformer block keeps per position, in multiples of its width, without attention matrices.

17 are kept for the backward pass (Korthikanti et al. 2022, arXiv:2205.05198), or about 10 if the block's weights are
frozen. The measured peak is about 20 in both cases, including intermediate results and memory that the allocator does
not release."""
MATRICES = 4
"""Number of attention matrices per head that a block keeps on a CPU if attention has dropout: the weights before and
after dropout, the dropout mask, and one intermediate result. GPU kernels recompute these matrices instead."""
POSITIONS = 128
"""Assumed length of an input, in positions, if the backbone's card has no `positions`."""
ROWS = 32
"""Assumed number of rows per step if the strategy has no field `train_batch_size`."""

MOST_ENCODED_BYTES = 1 << 30
"""Largest size of a frozen encoder's output for all examples that is kept in memory; a larger one is read from disk."""


@dataclass(frozen=True)
class Trainable:
    """The part of a backbone that a fit trains; by default all of it.

    `Trainable(2)` is the top two stages, `Trainable(parameters=73_728)` a LoRA in all stages, and
    `Trainable(2, 24_576)` a LoRA in the top two.

    Raises:
        ValueError: A negative number.
    """

    stages: int | None = None
    """Number of top stages that gradients pass through; 0 for none, None for all."""
    parameters: int | None = None
    """Number of parameters trained in these stages, whether they belong to the backbone or are added to it; None for
    all of the backbone's parameters in these stages."""

    def __post_init__(self) -> None:
        # None means all, and is allowed.
        if min(self.stages or 0, self.parameters or 0) < 0:
            raise ValueError(f"{self}: stages and parameters must not be negative")

    def stages_of(self, card: Card) -> int:
        """Returns the number of a backbone's stages that gradients pass through, its embeddings counted as one."""
        total = stage_count(card)
        return total if self.stages is None else min(self.stages, total)


@dataclass(frozen=True)
class Resources:
    """The devices and the memory that one fit needs."""

    devices: int = 1
    memory_bytes: int | None = None
    """Memory on the fit's own device; None if unknown, in which case the fit is never skipped."""
    host_bytes: int = 0
    """Additional main memory for an unchanged copy of the weights, whichever device the fit uses."""
    cpu_bytes: int = 0
    """Additional memory that is needed only if the device is the CPU, for attention matrices."""
    divided_bytes: int = 0
    """The part of `memory_bytes` that several devices divide among them: moments of the optimiser, and activations."""
    reason: str = ""
    """The largest part of the memory in words, for messages: "all of 2.1 billion parameters trained"."""

    def on(self, devices: int) -> Resources:
        """Returns the resources on each of several devices that run a fit together."""
        if self.memory_bytes is None or devices == 1:
            return self
        saved = self.divided_bytes - self.divided_bytes // devices
        return replace(self, memory_bytes=max(0, self.memory_bytes - saved), cpu_bytes=self.cpu_bytes // devices)

    def with_another_network(self, card: Card) -> Resources:
        """Returns the resources of a fit that also loads the backbone anew, as one with random weights does.

        The encoder that the fit was given stays in memory, because later fits use it again.
        """
        if self.memory_bytes is None or card.parameters is None:
            return self
        return replace(self, memory_bytes=self.memory_bytes + card.parameters * NUMBER_BYTES)


def estimated(
    card: Card,
    trainable: Trainable,
    rows: int = ROWS,
    *,
    writes: bool = False,
    head: HeadSize | None = None,
    examples: int = 0,
) -> Resources:
    """Returns the estimated resources of a fit that trains part of a backbone with AdamW in fp32.

    The estimate is the sum of all weights, the gradients and moments of the trained ones, and the activations of a step
    in the stages that gradients pass through, at the longest input that the backbone reads. For MiniLM, fully trained
    and with a LoRA, with 8 to 32 rows of 32 to 512 tokens, it was 0.9 to 1.2 times the measured peak.

    Args:
        card: The backbone's card; without a number of parameters nothing is estimated.
        trainable: The part of the backbone that is trained.
        rows: Rows in a step.
        writes: Whether the task's answers are texts: the head is then a decoder, and all of it is trained.
        head: The head's parameters and activations; the head is always trained.
        examples: Number of examples that a frozen encoder computes once; 0 if it is unknown.
    """
    head = head or HeadSize()
    if card.parameters is None:
        return Resources()
    total, stages = stage_count(card), trainable.stages_of(card)
    # A decoder serves as the head, and a head is never frozen.
    decoder = (card.decoder_parameters or 0) if writes else 0
    numbers = card.parameters + TRAINED_COPIES * (decoder + head.parameters) + rows * (head.activations + head.encoded)
    trained = decoder + head.parameters
    if trainable.parameters is None:
        own = round(card.parameters * stages / total)
        # The weights themselves are counted above: what training adds is a gradient and two moments.
        numbers += (TRAINED_COPIES - 1) * own
        trained += own
    else:
        # Four copies and not three: most of these parameters, such as a LoRA's, are not among the backbone's own.
        numbers += TRAINED_COPIES * trainable.parameters
        trained += trainable.parameters
    # Without gradients, a stage's activations are freed once the next stage has read them, so one stage is counted.
    positions = (card.positions or POSITIONS) * rows * max(stages, 1)
    activations = positions * NUMBERS_A_POSITION * (card.width or 0)
    numbers += activations
    matrices = positions * MATRICES * (card.dropped_heads or 0) * (card.positions or POSITIONS)
    # Not counted: the logits of a decoder (rows x tokens x vocabulary), since nobody knows the length of answers.
    return Resources(
        memory_bytes=numbers * NUMBER_BYTES,
        host_bytes=(card.parameters + decoder + head.parameters) * NUMBER_BYTES
        + head.host_bytes
        + (0 if stages else min(MOST_ENCODED_BYTES, head.encoded * examples * NUMBER_BYTES)),
        cpu_bytes=matrices * NUMBER_BYTES,
        divided_bytes=(MOMENTS * trained + activations) * NUMBER_BYTES,
        reason=_reason(card.parameters, total, stages, trainable.parameters, decoder),
    )


def larger(one: Resources, other: Resources) -> Resources:
    """Returns the resources of two phases of a fit, one after the other: those of the phase that needs more memory.

    A phase of unknown size does not count.
    """
    if one.memory_bytes is None or other.memory_bytes is None:
        return other if one.memory_bytes is None else one
    return max(one, other, key=lambda needed: (needed.memory_bytes or 0) + needed.host_bytes + needed.cpu_bytes)


def stage_count(card: Card) -> int:
    """Returns the number of a backbone's stages, its embeddings counted as one; 1 if its card has no number."""
    return 1 + (card.stages or 0)


def count_text(count: int) -> str:
    """Returns a number of parameters in words: "22.6 million"."""
    for size, word in ((10**9, " billion"), (10**6, " million"), (10**3, " thousand")):
        if count >= size:
            return f"{count / size:.1f}{word}"
    return str(count)


def _reason(parameters: int, total: int, stages: int, trained: int | None, decoder: int) -> str:
    head, size = _decoder_text(decoder), count_text(parameters)
    if trained is not None:
        return f"{count_text(trained)} parameters{head} trained in a backbone of {size}"
    share = "all of" if stages == total else f"{stages} of {total} stages of" if stages else "none of"
    return f"{share} {size} parameters{head} trained"


def _decoder_text(decoder: int) -> str:
    return f" and a decoder of {count_text(decoder)}" if decoder else ""
