"""McNemar's test of two lists of right and wrong answers to the same examples, with the interval of their difference.

Only the examples that exactly one of two fits gets right, the discordant ones, say which fit is better: if both are
equally good, each side has a discordant example with probability one half (McNemar 1947, doi:10.1007/BF02295996). The
test is the exact binomial one. The interval of the difference of the two shares is that of Bonett and Price (2012,
doi:10.3102/1076998611411915), and it always contains 0 if the test finds no difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

ALPHA = 0.05
POWER = 0.8


@dataclass(frozen=True)
class Discordance:
    """How many of N examples only the first, and only the second, of two fits gets right."""

    only_first: int
    only_second: int
    examples: int
    """N, with the examples that both or neither get right."""

    @property
    def difference(self) -> float:
        """The share that the second gets right minus the share that the first gets right."""
        return (self.only_second - self.only_first) / self.examples

    @property
    def p(self) -> float:
        """Two-sided p-value of the exact test; 1 without a discordant example."""
        from scipy.special import bdtr

        discordant = self.only_first + self.only_second
        fewer = min(self.only_first, self.only_second)
        return min(1.0, 2 * float(bdtr(fewer, discordant, 0.5))) if discordant else 1.0

    def interval(self) -> tuple[float, float]:
        """Returns the 95% interval of the difference."""
        first, second = ((count + 1) / (self.examples + 2) for count in (self.only_first, self.only_second))
        middle = second - first
        half = _quantile(1 - ALPHA / 2) * math.sqrt((first + second - middle**2) / (self.examples + 2))
        low, high = max(-1.0, middle - half), min(1.0, middle + half)
        # The exact test is more careful than the interval, and its answer is the one that counts.
        return (min(low, 0.0), max(high, 0.0)) if self.p > ALPHA else (low, high)

    def detectable(self) -> float | None:
        """Returns the smallest difference that the test finds with a power of 80%; None with fewer than six examples.

        The share of discordant examples counts as known (Connor 1987, doi:10.2307/2531961). Fewer than six discordant
        examples are never significant, so at least so many are assumed.
        """
        fewest = 1 + math.ceil(-math.log2(ALPHA))
        if self.examples < fewest:
            return None
        share = max(self.only_first + self.only_second, fewest) / self.examples
        low, high = 0.0, share
        for _ in range(60):
            middle = (low + high) / 2
            needed = _quantile(1 - ALPHA / 2) * math.sqrt(share) + _quantile(POWER) * math.sqrt(share - middle**2)
            low, high = (middle, high) if middle * math.sqrt(self.examples) < needed else (low, middle)
        return high


def _quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)
