"""How much memory a fit is expected to take: reckoned from a backbone's card, before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.backbone import Card

NUMBER_BYTES = 4
"""Weights and activations are reckoned in fp32: what a fit takes at most."""
TRAINED_COPIES = 4
"""A weight that AdamW trains stands there with its gradient and two moments."""
NUMBERS_A_POSITION = 17
"""What a block of a transformer keeps of a position for the way back, in widths (Korthikanti et al. 2022,
arXiv:2205.05198, without the attention matrix, which is no longer kept)."""
POSITIONS = 128
"""Of an input whose backbone does not say how long it may be."""
ROWS = 32
"""Of a step of a strategy that does not say how many rows it takes."""


@dataclass(frozen=True)
class Resources:
    """What one fit asks of the machine."""

    devices: int = 1
    memory_bytes: int | None = None
    """On the device that it runs on; None where nobody knows: such a fit is never skipped for its size."""
    host_bytes: int = 0
    """In the machine's own memory beside that, whatever the device: a pristine copy of the weights."""
    reason: str = ""
    """What takes the memory, for people: "all of 2.1 billion parameters trained"."""


def estimated(card: Card, trained_stages: int | None, rows: int = ROWS, *, writes: bool = False) -> Resources:
    """Returns what a fit takes that trains the top stages of a backbone, and its decoder, by AdamW in fp32.

    Args:
        card: The backbone's; where it does not say how many parameters there are, nothing is estimated.
        trained_stages: How many of the top stages are trained; 0 for none, None for all.
        rows: Rows in a step.
        writes: Whether the answers are texts, for which the head is a decoder, trained whole.
    """
    if card.parameters is None:
        return Resources()
    stages = 1 if card.stages is None else card.stages + 1
    trained = stages if trained_stages is None else min(trained_stages, stages)
    parameters = round(card.parameters * trained / stages)
    decoder = (card.decoder_parameters or 0) if writes else 0
    numbers = card.parameters + (TRAINED_COPIES - 1) * parameters + TRAINED_COPIES * decoder
    # A frozen stage keeps nothing for the way back: one at a time is in work.
    numbers += rows * (card.positions or POSITIONS) * (card.width or 0) * NUMBERS_A_POSITION * max(trained, 1)
    return Resources(
        memory_bytes=numbers * NUMBER_BYTES,
        host_bytes=(card.parameters + decoder) * NUMBER_BYTES,
        reason=f"{_share(trained, stages)} {count_text(card.parameters)} parameters{_and(decoder)} trained",
    )


def count_text(count: int) -> str:
    """Returns a number of parameters as people say it: "22.6 million"."""
    for size, word in ((10**9, " billion"), (10**6, " million"), (10**3, " thousand")):
        if count >= size:
            return f"{count / size:.1f}{word}"
    return str(count)


def _share(trained: int, stages: int) -> str:
    if trained == stages:
        return "all of"
    return f"{trained} of {stages} stages of" if trained else "none of"


def _and(decoder: int) -> str:
    return f" and a decoder of {count_text(decoder)}" if decoder else ""
