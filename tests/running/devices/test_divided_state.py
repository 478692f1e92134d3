"""What devices divide among them: the optimiser's moments, and with them the memory that a plan counts."""

import pytest
import torch

from tlbench.contracts.backbone import Card
from tlbench.contracts.resources import Resources, Trainable, estimated
from tlbench.modeling.devices.device_group import DeviceGroup
from tlbench.modeling.devices.weight_owners import WeightOwners
from tlbench.planning.capacity import Room, too_large


def test_each_weight_is_updated_on_one_device_and_all_have_about_as_many():
    weights = [torch.nn.Parameter(torch.zeros(size)) for size in (8, 5, 4, 3, 2)]
    owners = [WeightOwners(DeviceGroup(rank, 2)) for rank in range(2)]
    here = [[one.is_here(weight) for one in owners] for weight in weights]
    assert all(sum(ranks) == 1 for ranks in here)
    assert [ranks[0] for ranks in here] == [True, False, False, True, False]


def test_one_device_updates_everything():
    assert WeightOwners(DeviceGroup()).is_here(torch.nn.Parameter(torch.zeros(1)))


def test_a_fit_takes_less_memory_on_each_of_several_devices():
    card = Card(parameters=1_000_000, stages=4, width=0)
    alone = estimated(card, Trainable())
    assert alone.memory_bytes == 16_000_000
    assert alone.on(1) == alone
    assert alone.on(4).memory_bytes == (8 + 8 // 4) * 1_000_000
    room = Room(11_000_000, host=False, devices=4)
    assert too_large(alone, room)
    assert too_large(alone, room, 4) is None


def test_what_is_not_known_stays_unknown():
    assert Resources().on(4) == Resources()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_rows_of_a_batch_are_divided_evenly(size):
    group = DeviceGroup(0, size)
    rows = group.rows_of_ranks(list(range(7)))
    assert sorted(row for part in rows for row in part) == list(range(7))
    assert max(map(len, rows)) - min(map(len, rows)) <= 1
