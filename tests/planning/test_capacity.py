"""What a fit is expected to take, and that what finds no room is skipped with the estimate."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from tlbench import Backbone, Card, Resources, Strategy, Text, Trainable, hookimpl
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.contracts.resources import MATRICES, NUMBERS_A_POSITION, count_text, estimated
from tlbench.planning.capacity import WORKER_BYTES, Room, needed_bytes, too_large, workers_in
from tlbench.planning.plan import plan
from tlbench.planning.suite import Suite, SuiteBlock
from tlbench.testing import toy_plugin
from tlbench.testing.toys import ToyTask

GIB = 1 << 30
DECODER = Card(parameters=2_100_000_000, width=2048, stages=24, positions=128)


@dataclass(frozen=True)
class Large(Backbone):
    name = "large-decoder"
    modality = "text"

    parameters: int | None = 2_100_000_000

    def card(self) -> Card:
        return Card(parameters=self.parameters, width=2048, stages=24)


class Frozen(Strategy):
    name = "toy-frozen"
    batch_size = 8


class Everything(Strategy):
    name = "toy-everything"


@dataclass(frozen=True)
class Top(Strategy):
    name = "toy-top"
    stages: int = 1
    train_batch_size: int = 4

    def trainable(self, backbone):
        return Trainable(self.stages)


class Few(Strategy):
    """Some parameters in every stage."""

    name = "toy-few"

    def trainable(self, backbone):
        return Trainable(parameters=1_000_000)


# A strategy may override the estimate, here as if its weights were loaded in half precision.
class Own(Strategy):
    """An adapter on weights of half the size."""

    name = "toy-own"

    def resources(self, backbone, task):
        return Resources(memory_bytes=5 * GIB, reason="half-size weights")


class Silent(Strategy):
    name = "toy-silent"
    uses_backbone = False

    def resources(self, backbone, task):
        return Resources() if backbone is None else pytest.fail("a backbone for a strategy that uses none")


class Echo(ToyTask):
    name = "toy-echo"
    output = Text()
    metrics = ("chrf",)


class LargePlugin:
    @hookimpl
    def tlbench_tasks(self):
        return [Echo()]

    @hookimpl
    def tlbench_backbones(self):
        return [Large()]

    @hookimpl
    def tlbench_strategies(self):
        return [Frozen(), Everything(), Top(), Few(), Own(), Silent()]


@pytest.fixture
def catalog():
    modules = {"toys": toy_plugin, "large": LargePlugin()}
    return Catalog.discover([Plugin(name, "1", name, module) for name, module in modules.items()])


def test_weights_count_once_frozen_and_four_times_trained():
    bare = Card(parameters=1_000_000, stages=3)
    assert estimated(bare, Trainable(0)).memory_bytes == 4_000_000
    assert estimated(bare, Trainable()).memory_bytes == 16_000_000
    assert estimated(bare, Trainable(2)).memory_bytes == 4_000_000 + 3 * 2_000_000, "half of four stages"
    assert estimated(bare, Trainable(9)).memory_bytes == 16_000_000, "no more than there are"
    assert estimated(bare, Trainable(0)).host_bytes == 4_000_000


def test_a_few_parameters_count_four_times_and_the_others_once():
    bare = Card(parameters=1_000_000, stages=3)
    assert estimated(bare, Trainable(parameters=1000)).memory_bytes == 4_000_000 + 16_000
    assert estimated(bare, Trainable(1, parameters=1000)).memory_bytes == 4_000_000 + 16_000
    assert estimated(bare, Trainable(parameters=1000)).host_bytes == 4_000_000
    assert (
        "1.0 thousand parameters trained in a backbone of 1.0 million"
        in estimated(bare, Trainable(parameters=1000)).reason
    )


def activations(stages, rows=8, few=None, **changes):
    card = Card(parameters=0, **{"stages": 3, "width": 10, "positions": 100} | changes)
    return estimated(card, Trainable(stages, few), rows).memory_bytes


def test_activations_grow_with_rows_positions_width_and_trained_stages():
    one = 8 * 100 * 10 * NUMBERS_A_POSITION * 4
    assert activations(0) == activations(1) == one, "of frozen stages one at a time is in work"
    assert activations(None) == 4 * one
    assert activations(1, rows=16) == activations(1, width=20) == activations(1, positions=200) == 2 * one
    assert activations(1, positions=None) > one, "an input of unknown length is not of none"


def test_a_few_parameters_keep_the_activations_of_all_stages_that_gradients_run_through():
    one = 8 * 100 * 10 * NUMBERS_A_POSITION * 4
    assert activations(None, few=0) == 4 * one
    assert activations(2, few=0) == 2 * one


def test_attention_with_dropout_keeps_matrices_on_a_cpu():
    card = Card(parameters=1, stages=3, width=10, positions=100)
    kept = Card(parameters=1, stages=3, width=10, positions=100, dropped_heads=2)
    without, with_dropout = (estimated(one, Trainable(), 8) for one in (card, kept))
    assert without.cpu_bytes == 0
    assert with_dropout.cpu_bytes == 4 * 8 * MATRICES * 2 * 100 * 100 * 4
    assert without.memory_bytes == with_dropout.memory_bytes, "a GPU has none"
    added = needed_bytes(with_dropout, host=True) - needed_bytes(without, host=True)
    assert added == with_dropout.cpu_bytes
    longer = estimated(dataclasses.replace(kept, positions=200), Trainable(), 8)
    assert longer.cpu_bytes == 4 * with_dropout.cpu_bytes, "by the square of the length"


def test_negative_numbers_are_refused():
    for wrong in ({"stages": -1}, {"parameters": -1}):
        with pytest.raises(ValueError, match="must not be negative"):
            Trainable(**wrong)


def test_an_adapter_is_not_skipped_where_its_backbone_has_room(catalog):
    room = Room(24 * GIB, host=False)
    assert skips(catalog, "toy-everything", "toy-few", room=room).keys() == {"toy-everything"}
    skipped = skips(catalog, "toy-few", room=Room(GIB, host=False))
    assert skipped["toy-few"].endswith("1.0 million parameters trained in a backbone of 2.1 billion")


def test_what_is_unknown_is_not_estimated(catalog):
    unknown = estimated(Card(), Trainable())
    assert unknown.memory_bytes is None
    assert needed_bytes(unknown, host=True) is None
    assert too_large(unknown, Room(1)) is None


def test_the_machine_s_own_memory_also_holds_the_worker_and_a_pristine_copy():
    resources = Resources(memory_bytes=GIB, host_bytes=2 * GIB)
    assert needed_bytes(resources, host=True) == WORKER_BYTES + 3 * GIB
    assert needed_bytes(resources, host=False) == GIB
    assert too_large(resources, Room(GIB, host=False)) is None
    assert too_large(resources, Room(3 * GIB)) == "needs about 4.0 GiB of 3.0 GiB"


def test_a_strategy_with_a_network_of_its_own_needs_one_more():
    known = estimated(Card(parameters=1_000_000, stages=3), Trainable())
    assert known.with_another_network(Card(parameters=1_000_000)).memory_bytes - known.memory_bytes == 4_000_000
    unknown = estimated(Card(), Trainable())
    assert unknown.with_another_network(Card()) == unknown


def skips(catalog, *strategies, room, backbone="large-decoder"):
    suite = Suite((SuiteBlock(tasks=("toy-tone",), strategies=strategies, backbones=(backbone,)),), name="s")
    planned = plan(suite, catalog, room=room)
    assert len(planned.cells) + len(planned.skips) == len(strategies)
    return {skip.title.rpartition(" | ")[2]: skip.reason for skip in planned.skips}


def test_what_is_too_large_is_skipped_with_its_estimate(catalog):
    everything = ("toy-frozen", "toy-everything", "toy-top", "toy-own", "toy-silent")
    assert skips(catalog, *everything, room=None) == {}
    skipped = skips(catalog, *everything, room=Room(24 * GIB, host=False))
    assert skipped == {
        "toy-everything": "needs about 46.9 GiB of 24.0 GiB: all of 2.1 billion parameters trained",
    }
    skipped = skips(catalog, *everything, room=Room(4 * GIB, host=False))
    assert skipped.keys() == {"toy-frozen", "toy-everything", "toy-top", "toy-own"}
    assert skipped["toy-frozen"] == "needs about 8.4 GiB of 4.0 GiB: none of 2.1 billion parameters trained"
    assert skipped["toy-top"].endswith("4.0 GiB: 1 of 25 stages of 2.1 billion parameters trained")
    assert skipped["toy-own"] == "needs about 5.0 GiB of 4.0 GiB: half-size weights"


def test_a_card_is_read_once_for_all_tasks(catalog, monkeypatch):
    read = []
    monkeypatch.setattr(Large, "card", lambda self: read.append(self.parameters) or Card(parameters=self.parameters))
    names = ("large-decoder", "large-decoder[parameters=5]")
    suite = Suite(
        (
            SuiteBlock(
                tasks=("toy-tone", "toy-tone[draw=1]", "toy-count"), strategies=("toy-everything",), backbones=names
            ),
        ),
        name="s",
    )
    planned = plan(suite, catalog, room=Room(GIB, host=False))
    # The large one is skipped for all tasks, the one of five parameters is run.
    assert len(planned.skips) == len(planned.cells) == 3, "each setting of a backbone has a size of its own"
    # Once for its size, and once for whether its files are here.
    assert max(map(read.count, read)) <= 2


def test_a_backbone_of_unknown_size_is_never_skipped_for_it(catalog):
    room = Room(1, host=False)
    assert skips(catalog, "toy-everything", room=room, backbone="large-decoder[parameters=null]") == {}


def test_a_decoder_counts_where_texts_are_written_and_nowhere_else():
    card = Card(parameters=1_000_000, stages=3, decoder_parameters=500_000)
    for stages in (0, 2, None):
        read, written = (estimated(card, Trainable(stages), writes=writes) for writes in (False, True))
        assert written.memory_bytes - read.memory_bytes == 4 * 4 * 500_000, "it is trained whole, whatever is frozen"
        assert written.host_bytes - read.host_bytes == 4 * 500_000
        assert "a decoder of 500.0 thousand" in written.reason
        assert "decoder" not in read.reason
    assert estimated(Card(parameters=5), Trainable(0), writes=True) == estimated(Card(parameters=5), Trainable(0))


def test_a_task_of_texts_is_estimated_with_the_decoder_and_one_of_classes_without(catalog, monkeypatch):
    size = 2_100_000_000
    monkeypatch.setattr(Large, "card", lambda self: Card(parameters=size, decoder_parameters=size))
    monkeypatch.setattr(Large, "supports", lambda self, output: None)
    tasks = ("toy-tone", "toy-echo")
    suite = Suite((SuiteBlock(tasks=tasks, strategies=("toy-frozen",), backbones=("large-decoder",)),), name="s")
    planned = plan(suite, catalog, room=Room(24 * GIB, host=False))
    assert [cell.task.name for cell in planned.cells] == ["toy-tone"]
    (skip,) = planned.skips
    assert skip.title == "large-decoder | toy-echo | toy-frozen"
    assert skip.reason.endswith("none of 2.1 billion parameters and a decoder of 2.1 billion trained")


def test_as_many_workers_as_find_room_for_the_largest_fit(catalog):
    def workers(room, *strategies):
        suite = Suite((SuiteBlock(tasks=("toy-tone",), strategies=strategies, backbones=("large-decoder",)),), name="s")
        return workers_in(room, plan(suite, catalog).cells, catalog)

    frozen = needed_bytes(estimated(DECODER, Trainable(0)), host=True)
    assert workers(Room(3 * frozen), "toy-frozen") == 3
    assert workers(Room(3 * frozen - 1), "toy-frozen") == 2
    assert workers(Room(3 * frozen), "toy-frozen", "toy-everything") == 1, "the largest counts"
    assert workers(Room(1), "toy-frozen") == 1, "what the plan did not skip is run"
    assert workers(Room(3 * frozen, host=False), "toy-frozen") is None, "a GPU has one worker"
    assert workers(Room(1), "toy-silent") is None


def test_fewer_rows_in_a_step_take_less():
    task = ToyTask()
    few, many = (Top(train_batch_size=rows).resources(Large(), task) for rows in (4, 64))
    assert few.memory_bytes is not None
    assert many.memory_bytes is not None
    assert many.memory_bytes - few.memory_bytes == 60 * 128 * 2048 * NUMBERS_A_POSITION * 4


def test_a_strategy_whose_estimate_fails_skips_its_cells_alone(catalog, monkeypatch):
    monkeypatch.setattr(Everything, "resources", lambda *_: 1 / 0)
    skipped = skips(catalog, "toy-frozen", "toy-everything", room=Room(24 * GIB, host=False))
    assert skipped.keys() == {"toy-everything"}
    assert "failed while planning: ZeroDivisionError" in skipped["toy-everything"]


@pytest.mark.parametrize(
    ("count", "text"), [(2.1e9, "2.1 billion"), (22_565_376, "22.6 million"), (1500, "1.5 thousand"), (12, "12")]
)
def test_counts_are_written_in_words(count, text):
    assert count_text(int(count)) == text


def test_a_gpus_memory_is_read_from_nvidia_smi(monkeypatch):
    from tlbench.system import machine

    queries = []

    def tool(query, **settings):
        queries.append(query[3:])
        return SimpleNamespace(stdout="24576\n16384\n")

    monkeypatch.setattr(machine.subprocess, "run", tool)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert machine.gpu_memory_bytes() == 16 * GIB
    machine.gpu_memory_bytes("cuda:1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    machine.gpu_memory_bytes("cuda:1")
    machine.gpu_memory_bytes("cuda")
    assert queries == [[], ["-i", "1"], ["-i", "5"], ["-i", "3,5"]]
    monkeypatch.setattr(machine.subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError()))
    assert machine.gpu_memory_bytes() is None
    assert machine.gpu_memory_bytes("cuda:9") is None
