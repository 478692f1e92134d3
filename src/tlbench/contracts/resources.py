"""How much memory a fit is expected to take: reckoned from a backbone's card, before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.backbone import Card

NUMBER_BYTES = 4
"""Weights and activations are reckoned in fp32: what a fit takes at most."""
TRAINED_COPIES = 4
"""A weight that AdamW trains stands there with its gradient and two moments."""
NUMBERS_A_POSITION = 20
"""What a block of a transformer takes of a position, in widths, beside its attention matrices. It keeps 17 for the way
back (Korthikanti et al. 2022, arXiv:2205.05198), or some 10 where its own weights are frozen; with what is in work
between and what the allocator holds, the measured peak was about 20 of both."""
MATRICES = 4
"""Attention matrices that a block takes on a CPU where attention has dropout: weights before and after it, what is
dropped, and one in work. A GPU's kernels compute them anew."""
POSITIONS = 128
"""Of an input whose backbone does not say how long it may be."""
ROWS = 32
"""Of a step of a strategy that does not say how many rows it takes."""


@dataclass(frozen=True)
class Trainable:
    """What of a backbone a fit trains: by default all of it.

    `Trainable(2)` is the top two stages, `Trainable(parameters=73_728)` a LoRA in all stages, and
    `Trainable(2, 24_576)` one in the top two.
    """

    stages: int | None = None
    """Through how many of the top stages gradients run; 0 for none, None for all of them."""
    parameters: int | None = None
    """How many parameters are trained in these stages, their own or added ones; None for all of theirs."""

    def __post_init__(self) -> None:
        if min(self.stages or 0, self.parameters or 0) < 0:
            raise ValueError(f"{self} is less than nothing")

    def stages_of(self, card: Card) -> int:
        """Returns through how many stages of a backbone gradients run, its embeddings counted as one."""
        there = stage_count(card)
        return there if self.stages is None else min(self.stages, there)


@dataclass(frozen=True)
class Resources:
    """What one fit asks of the machine."""

    devices: int = 1
    memory_bytes: int | None = None
    """On the device that it runs on; None where nobody knows: such a fit is never skipped for its size."""
    host_bytes: int = 0
    """In the machine's own memory beside that, whatever the device: a pristine copy of the weights."""
    cpu_bytes: int = 0
    """Beside both where the device is the CPU: what a GPU's kernels do without."""
    reason: str = ""
    """What takes the memory, for people: "all of 2.1 billion parameters trained"."""


def estimated(card: Card, trainable: Trainable, rows: int = ROWS, *, writes: bool = False) -> Resources:
    """Returns what a fit takes that trains this much of a backbone, and all of its decoder, by AdamW in fp32.

    Reckoned are every weight once, a gradient and two moments of each trained one, and what the stages that gradients
    run through take of a step whose rows are all as long as the backbone reads them. Shorter rows take less. Of MiniLM,
    fully trained and with a LoRA, 8 to 32 rows of 32 to 512 tokens, it was 0.9 to 1.2 of what a worker's peak rose by.

    Args:
        card: The backbone's; where it does not say how many parameters there are, nothing is estimated.
        trainable: What of it is trained.
        rows: Rows in a step.
        writes: Whether the answers are texts, for which the head is a decoder, trained whole.
    """
    if card.parameters is None:
        return Resources()
    there, stages = stage_count(card), trainable.stages_of(card)
    decoder = (card.decoder_parameters or 0) if writes else 0
    numbers = card.parameters + TRAINED_COPIES * decoder
    if trainable.parameters is None:
        numbers += (TRAINED_COPIES - 1) * round(card.parameters * stages / there)
    else:
        # most of them are added to the backbone's own
        numbers += TRAINED_COPIES * trainable.parameters
    # A stage without gradients keeps nothing for the way back: one at a time is in work.
    positions = (card.positions or POSITIONS) * rows * max(stages, 1)
    numbers += positions * NUMBERS_A_POSITION * (card.width or 0)
    matrices = positions * MATRICES * (card.dropped_heads or 0) * (card.positions or POSITIONS)
    return Resources(
        memory_bytes=numbers * NUMBER_BYTES,
        host_bytes=(card.parameters + decoder) * NUMBER_BYTES,
        cpu_bytes=matrices * NUMBER_BYTES,
        reason=_reason(card.parameters, there, stages, trainable.parameters, decoder),
    )


def stage_count(card: Card) -> int:
    """Returns how many stages a backbone has with its embeddings, as far as it says: at least that one."""
    return 1 + (card.stages or 0)


def count_text(count: int) -> str:
    """Returns a number of parameters as people say it: "22.6 million"."""
    for size, word in ((10**9, " billion"), (10**6, " million"), (10**3, " thousand")):
        if count >= size:
            return f"{count / size:.1f}{word}"
    return str(count)


def _reason(parameters: int, there: int, stages: int, trained: int | None, decoder: int) -> str:
    if trained is not None:
        return f"{count_text(trained)} parameters{_and(decoder)} trained in a backbone of {count_text(parameters)}"
    share = "all of" if stages == there else f"{stages} of {there} stages of" if stages else "none of"
    return f"{share} {count_text(parameters)} parameters{_and(decoder)} trained"


def _and(decoder: int) -> str:
    return f" and a decoder of {count_text(decoder)}" if decoder else ""
