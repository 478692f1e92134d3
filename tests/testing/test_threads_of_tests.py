"""The fixture of all tests that restores torch's number of threads."""

from __future__ import annotations

import torch

BEFORE = torch.get_num_threads()


def test_a_test_may_change_the_number_of_threads() -> None:
    torch.set_num_threads(BEFORE + 1)
    assert torch.get_num_threads() == BEFORE + 1


def test_the_next_test_has_the_number_from_before() -> None:
    assert torch.get_num_threads() == BEFORE
