"""Fits whose results are computed from their names and params, for simulated searches."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tlbench.contracts.policies.policy import Candidate, Outcome, Proposal
from tlbench.contracts.space import Choice, Float, Int, Space, Value, When, checked


class SyntheticFits:
    """Fits whose scores follow from backbone, strategy, learning rate and part of the steps, with some noise.

    Args:
        candidates: The candidates; by default the example's.
        slower: Factor of the seconds that fits take, which their expected cost doesn't have.
        faulty: Share of the fits that have the problem.
        problem: "fails" or "is constant".
    """

    validation_rows = 200

    def __init__(
        self,
        candidates: Sequence[Candidate] | None = None,
        slower: float = 1.0,
        faulty: float = 0.0,
        problem: str = "",
    ) -> None:
        self.candidates = example_candidates() if candidates is None else candidates
        self._slower, self._faulty, self._problem = slower, faulty, problem

    def cost(self, proposal: Proposal) -> float:
        """Returns the seconds of a fit: in proportion to parameters and steps, and little for probes and baselines."""
        candidate = self.candidates[proposal.candidate]
        if candidate.role != "adaptation":
            return 1.0
        return 0.5 + candidate.parameters / 1e6 / (proposal.part or 1)

    def fit(self, proposal: Proposal) -> Outcome:
        """Returns the outcome of a fit; equal fits have equal outcomes."""
        candidate = self.candidates[proposal.candidate]
        draw = random.Random(f"{candidate.strategy} {candidate.backbone} {sorted(proposal.params.items())}")
        is_faulty = draw.random() < self._faulty
        score = draw.gauss(0.6 + 0.02 * len(candidate.backbone) - 0.1 / (proposal.part or 100), 0.02)
        return Outcome(
            proposal,
            None if is_faulty and self._problem == "fails" else score,
            self.cost(proposal) * self._slower,
            is_faulty and self._problem == "is constant",
        )


def example_candidates() -> Sequence[Candidate]:
    """Returns two baselines, and a probe and three strategies with different spaces on each of four backbones."""
    rate: Space = {"lr": Float(1e-5, 1e-2, log=True)}
    optimizer: Space = {"optimizer": Choice(("adamw", "sgd")), **When("optimizer", "sgd", momentum=Float(0.5, 0.99))}
    spaces: dict[str, tuple[Space, Mapping[str, Value]]] = {
        "full": (rate, {"lr": 1e-4}),
        "adapter": ({"lr": Choice((1e-4, 3e-4, 1e-3)), "rank": Int(2, 64, log=True)}, {"lr": 3e-4, "rank": 8}),
        "top": ({**rate, "depth": Int(1, 4), **optimizer}, {"lr": 1e-3, "depth": 2, "optimizer": "adamw"}),
    }
    candidates = [Candidate(0, "majority", role="baseline"), Candidate(0, "words", role="baseline")]
    for millions, backbone in enumerate(("tiny", "small-1", "middle-12", "large-12345"), 1):
        candidates.append(Candidate(0, "probe", backbone, "probe", parameters=millions * 10**7))
        for strategy, (space, defaults) in spaces.items():
            candidates.append(
                Candidate(0, strategy, backbone, parameters=millions * 10**7, space=checked(space), defaults=defaults)
            )
    return numbered(candidates)


def numbered(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Returns the candidates with their places as numbers."""
    return [replace(one, number=number) for number, one in enumerate(candidates)]
