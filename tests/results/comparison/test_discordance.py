"""McNemar's exact test, against published counts with their p-values, and its interval."""

import itertools

import numpy as np
import pytest
from scipy import stats

from tlbench.results.comparison.discordance import Discordance

# allenai/reward-bench, issue 269: counts of the first and second of each category on the same prompts. Its p-values,
# like those of SWE-bench/SWE-bench, issue 621, are of the chi-squared approximation with a continuity correction.
REWARD_BENCH = [(4, 3, 358, 1.000), (30, 23, 456, 0.410), (29, 27, 740, 0.894), (39, 26, 1431, 0.137)]
# rupeshsah2038/Multi-Modal, docs/aggregated_results/mcnemar_wound.md and mcnemar_medpix.md: "exact-binomial".
WOUND = [
    (31, 6, 0.000041), (27, 10, 0.007632), (30, 12, 0.007916), (15, 10, 0.424356), (10, 14, 0.541256), (11, 11, 1.0),
    (8, 20, 0.035698), (8, 1, 0.039062), (0, 5, 0.062500),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "examples", "p"), REWARD_BENCH)
def test_the_p_values_of_reward_bench_are_found(first, second, examples, p):
    # The approximation differs from the exact test by less than 0.002 at these counts, and p is rounded to 0.001.
    assert Discordance(first, second, examples).p == pytest.approx(p, abs=0.0025)


@pytest.mark.parametrize(("first", "second", "p"), WOUND)
def test_the_p_values_of_a_table_with_six_digits_are_found(first, second, p):
    # The published numbers have six decimals.
    assert Discordance(first, second, 500).p == pytest.approx(p, abs=6e-7)


def test_the_interval_covers_the_true_difference():
    # Exact coverage, by all outcomes of a multinomial sample: never far below 95% for these shares.
    examples = 40
    for only_first, only_second in ((0.1, 0.1), (0.05, 0.2), (0.3, 0.15), (0.02, 0.1)):
        truth, covered = only_second - only_first, 0.0
        for b, c in itertools.product(range(examples + 1), repeat=2):
            if b + c <= examples:
                low, high = Discordance(b, c, examples).interval()
                shares = [only_first, only_second, 1 - only_first - only_second]
                p = stats.multinomial.pmf([b, c, examples - b - c], examples, shares)
                covered += p if low <= truth <= high else 0.0
        assert covered >= 0.94


@pytest.mark.parametrize("discordant", [1, 6, 12, 25, 60])
def test_the_interval_leaves_0_out_exactly_where_the_test_finds_a_difference(discordant):
    for first in range(discordant + 1):
        one = Discordance(first, discordant - first, 100)
        low, high = one.interval()
        assert (low <= 0 <= high) == (one.p > 0.05)


def test_a_difference_of_the_detectable_size_is_found_in_about_80_percent_of_samples():
    examples, share = 500, 0.12
    smallest = Discordance(30, 30, examples).detectable()
    chances = [(share - smallest) / 2, (share + smallest) / 2, 1 - share]
    drawn = np.random.default_rng(0).multinomial(examples, chances, size=600)
    found = sum(Discordance(int(b), int(c), examples).p <= 0.05 for b, c, _ in drawn)
    # Connor's formula is of the test with its nominal size, and the exact test is somewhat more careful: its power lies
    # a few points below 80%. The 99.9% interval of 600 draws is 5.4 points to each side.
    assert 0.80 - 0.06 - 0.054 <= found / 600 <= 0.80 + 0.054


def test_equal_answers_have_no_difference_and_too_few_examples_no_power():
    same = Discordance(0, 0, 50)
    low, high = same.interval()
    assert (same.p, same.difference) == (1.0, 0.0)
    assert low < 0 < high
    assert Discordance(1, 2, 5).detectable() is None
