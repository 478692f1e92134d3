"""What every backbone must keep to."""

from __future__ import annotations

import copy
import importlib
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.outputs import Classes, MultiLabel, Output, Scalar
from tlbench.contracts.task import Example, Examples
from tlbench.modeling.heads import new_head
from tlbench.testing.conformance.device import DeviceConformance
from tlbench.testing.conformance.imports import check_light, check_name
from tlbench.testing.conformance.words_and_spans import WORDS, PartsConformance, answered

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.modeling.encoder import Encoder, Hidden


FP32_EPS = 2.0**-23
"""The relative distance of two neighbours in fp32."""
ROUNDINGS = 1000
"""How many roundings an encoder may need more, or other ones, for the same numbers: a dozen blocks of half a dozen
products each, and each of these sums of hundreds of terms, whose errors mostly cancel each other out."""


class BackboneConformance(PartsConformance, DeviceConformance):
    """Subclass it as `class TestX(BackboneConformance)` and name the backbone."""

    backbone: ClassVar[Backbone]
    cut_tolerance: ClassVar[float] = 0.0
    """How far a pass in two parts may be from the whole; 0: bit-equal, since the same sums are made in the same order.

    A library that chooses another kernel for a part than for the whole needs more: some `ROUNDINGS` of its numbers.
    """
    padding_tolerance: ClassVar[float] = ROUNDINGS * FP32_EPS
    """How far a row's readout may move when it is padded: `ROUNDINGS` of numbers of about 1, some 1e-4.

    A padded row's sums are longer, so that they are made in another order, block after block. A position of padding
    that is read moves a readout by a share of its own size, which is a hundred times as much.
    """
    random_weights: ClassVar[bool] = True
    """Whether `load(pretrained=False)` is offered."""
    shared_weights: ClassVar[bool] = False
    """Whether blocks share weights: a gradient then reaches stages below a cut by way of those above it."""

    def examples(self) -> Examples:
        """Returns a few examples of different lengths (or of noise, for images), two classes."""
        return noise(self.backbone.modality)

    @pytest.fixture(scope="class")
    @classmethod
    def encoder(cls) -> Encoder:
        """A fresh encoder for the class's tests; a test that changes one loads its own."""
        return cls.backbone.load()

    @pytest.fixture
    def batch(self) -> Any:
        """The examples as one batch."""
        data = self.backbone.featurize(self.examples(), Classes(("no", "yes")))
        return data.batch(range(len(data)))

    def test_name(self) -> None:
        """The name can stand in a suite, whatever scheme it has."""
        check_name(self.backbone.name)
        assert self.backbone.modality in ("text", "image")
        assert isinstance(self.backbone.version, int)

    def test_import_is_light(self) -> None:
        """Listing backbones must not load torch."""
        check_light(self.backbone)

    def test_imports_are_modules(self) -> None:
        """What is imported ahead of the workers is a tuple of modules that are there."""
        imports = self.backbone.imports
        assert isinstance(imports, tuple), imports
        for module in imports:
            assert importlib.import_module(module)

    def test_load_gives_a_plain_encoder(self, encoder: Encoder) -> None:
        """A fresh encoder is on the CPU, in fp32, in eval mode, and every weight takes a gradient."""
        for name, parameter in encoder.native.named_parameters():
            assert parameter.device.type == "cpu", name
            assert str(parameter.dtype) == "torch.float32", f"{name} is {parameter.dtype}"
            assert parameter.requires_grad, f"{name} is frozen"
        training = [name for name, module in encoder.named_modules() if module.training]
        assert not training, f"in training mode: {training[:3]}"

    def test_card_tells_the_truth(self, encoder: Encoder) -> None:
        """What the card says of the size is what was loaded."""
        card = self.backbone.card()
        counted = sum(parameter.numel() for parameter in encoder.native.parameters())
        assert card.parameters in (None, counted), f"the card says {card.parameters} parameters, there are {counted}"
        assert card.width in (None, encoder.width)
        assert card.stages in (None, len(encoder.stages) - 1)

    def test_same_weights_at_each_load(self, encoder: Encoder) -> None:
        """Two loads are equal, in name and in weights, and share nothing."""
        import torch

        other = self.backbone.load()
        assert other.identity == encoder.identity
        for (name, mine), (_, theirs) in zip(_tensors(encoder), _tensors(other), strict=True):
            assert torch.equal(mine, theirs), f"{name} differs from one load to the next"
            assert mine.data_ptr() != theirs.data_ptr() or not mine.numel(), f"{name} is shared by two loads"

    def test_random_weights(self, encoder: Encoder) -> None:
        """Without pretraining, weights follow torch's global generator, and the identity says so."""
        import torch

        if not self.random_weights:
            pytest.skip("this backbone has no random weights")
        drawn = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            drawn.append(self.backbone.load(pretrained=False))
        first, again, other = ([value for _, value in _tensors(loaded)] for loaded in drawn)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)), "a seed does not repeat its weights"
        assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True)), "two seeds give the same weights"
        assert drawn[0].identity != encoder.identity, "random weights carry the name of the pretrained ones"

    def test_every_parameter_is_in_one_stage(self, encoder: Encoder) -> None:
        """The stages share out the parameters: none twice, none left over."""
        staged = Counter(name for stage in encoder.stages for name in stage.parameters)
        named = Counter(name for name, _ in encoder.native.named_parameters())
        assert not named - staged, f"in no stage: {sorted(named - staged)[:3]}"
        assert not staged - named, f"twice, or not there: {sorted(staged - named)[:3]}"
        assert len({stage.name for stage in encoder.stages}) == len(encoder.stages)

    def test_every_cut(self, encoder: Encoder, batch: Any) -> None:
        """A pass in two parts is the whole pass, wherever it is cut."""
        import torch

        with torch.no_grad():
            whole = encoder(batch)
            for stop in range(1, len(encoder.stages) + 1):
                again = encoder(encoder(batch, stop=stop), start=stop)
                self._assert_same(again, whole, f"cut at {stop}")
                assert torch.equal(encoder.pool(again), encoder.pool(whole)) or self.cut_tolerance

    def test_a_cut_of_a_cut(self, encoder: Encoder, batch: Any) -> None:
        """A pass in as many parts as there are stages is the whole pass."""
        import torch

        with torch.no_grad():
            hidden = encoder(batch, stop=1)
            for stage in range(1, len(encoder.stages)):
                hidden = encoder(hidden, start=stage, stop=stage + 1)
            self._assert_same(hidden, encoder(batch), "stage by stage")

    def test_impossible_cuts(self, encoder: Encoder, batch: Any) -> None:
        """A cut that is out of range, or that is given the wrong thing, raises."""
        count = len(encoder.stages)
        with pytest.raises(ValueError, match=r"\w"):
            encoder(batch, stop=count + 1)
        with pytest.raises(ValueError, match=r"\w"):
            encoder(batch, start=1)
        with pytest.raises(ValueError, match=r"\w"):
            encoder(encoder(batch, stop=1), start=0)

    def test_padding_changes_nothing(self, encoder: Encoder) -> None:
        """A row says the same alone and among longer ones."""
        import torch

        data = self.backbone.featurize(self.examples(), Classes(("no", "yes")))
        with torch.no_grad():
            together = encoder.pool(encoder(data.batch(range(len(data)))))
            assert together.shape == (len(data), encoder.width)
            assert torch.isfinite(together).all()
            for row in range(len(data)):
                alone = encoder.pool(encoder(data.batch([row])))[0]
                distance = float((alone - together[row]).abs().max())
                assert distance <= self.padding_tolerance, f"padding moves row {row} by {distance}"

    def test_gradients_reach_every_stage(self, batch: Any) -> None:
        """A loss on the readout reaches each stage, and after a cut only those above it."""
        import torch

        encoder = self.backbone.load()
        generator = torch.Generator().manual_seed(0)
        for start in (0, len(encoder.stages) - 1):
            encoder.zero_grad(set_to_none=True)
            with torch.no_grad():
                given = encoder(batch, stop=start) if start else batch
            readout = encoder.pool(encoder(given, start=start))
            (readout * torch.randn(readout.shape, generator=generator)).sum().backward()
            for number, stage in enumerate(encoder.stages):
                gradients = [p.grad for _, p in encoder.stage_parameters(number, number + 1) if p.grad is not None]
                reached = any(bool(gradient.abs().sum() > 0) for gradient in gradients)
                has_weights = bool(stage.parameters)
                above = has_weights and number >= start
                shared = self.shared_weights and 0 < number < start
                assert reached == above or shared, f"stage {stage.name} after a cut at {start}"
                assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients), stage.name

    def test_training_mode(self, batch: Any) -> None:
        """In training mode a pass in two parts still runs, and eval mode undoes what training mode did."""
        import torch

        encoder = self.backbone.load()
        with torch.no_grad():
            before = encoder(batch)
            encoder.train()
            for stop in range(1, len(encoder.stages) + 1):
                assert torch.isfinite(encoder(encoder(batch, stop=stop), start=stop).x).all()
            fresh = self.backbone.load()
            encoder.load_state_dict(fresh.state_dict())
            encoder.eval()
            self._assert_same(encoder(batch), before, "after training mode")

    def test_a_copy_stands_alone(self, encoder: Encoder, batch: Any) -> None:
        """A deep copy computes the same, and changing it leaves the original as it was."""
        import torch

        with torch.no_grad():
            before = encoder(batch)
            twin = copy.deepcopy(encoder)
            self._assert_same(twin(batch), before, "a copy")
            for parameter in twin.native.parameters():
                parameter.zero_()
            twin(batch)
            self._assert_same(encoder(batch), before, "the original of a changed copy")

    def test_state_can_be_saved(self, encoder: Encoder, batch: Any, tmp_path: Path) -> None:
        """Weights written and read back, as plain tensors, give the same encoder."""
        import torch

        torch.save(encoder.native.state_dict(), tmp_path / "state.pt")
        other = self.backbone.load(pretrained=not self.random_weights)
        other.native.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        with torch.no_grad():
            self._assert_same(other(batch), encoder(batch), "a saved state")

    def test_featurize(self) -> None:
        """Rows belong to the examples in order, and the fingerprint follows the examples."""
        examples = self.examples()
        data = self.backbone.featurize(examples, Classes(("no", "yes")))
        assert data.ids == tuple(example.id for example in examples)
        assert len(data) == len(data.owners) == len(data.lengths)
        assert sorted(set(data.owners.tolist())) == list(range(len(examples)))
        assert data.owners.tolist() == sorted(data.owners.tolist())
        assert (data.lengths > 0).all()
        again = self.backbone.featurize(self.examples(), Classes(("no", "yes")))
        fewer = self.backbone.featurize(examples.take(range(1, len(examples))), Classes(("no", "yes")))
        assert again.fingerprint == data.fingerprint, "the same examples have two fingerprints"
        assert fewer.fingerprint != data.fingerprint, "other examples have the same fingerprint"

    def test_pairs(self, encoder: Encoder) -> None:
        """Two texts make one input, and the second counts."""
        import torch

        if self.backbone.modality != "text":
            pytest.skip("pairs are of texts")
        pairs = [("the cat sees", "a dog"), ("the cat sees", "every old river under the tree")]
        data = self.backbone.featurize(Examples(Example(str(i), pair, i) for i, pair in enumerate(pairs)), Scalar())
        with torch.no_grad():
            first, second = encoder.pool(encoder(data.batch(range(len(data)))))[[0, -1]]
        assert not torch.allclose(first, second), "the second text of a pair is not read"

    @pytest.mark.parametrize(
        "output",
        [Classes(("no", "yes")), MultiLabel(("one", "other", "third")), Scalar()],
        ids=["classes", "labels", "scalar"],
    )
    def test_head(self, encoder: Encoder, output: Output) -> None:
        """The head gives a finite loss with a gradient, and one answer for each example."""
        examples = self.examples()
        if isinstance(output, MultiLabel):
            examples = Examples(replace(example, target=(example.target, 1, 0)) for example in examples)
        answered(encoder, new_head(self.backbone, output, encoder), self.backbone.featurize(examples, output))

    def _assert_same(self, mine: Hidden, whole: Hidden, where: str) -> None:
        import torch

        assert mine.x.shape == whole.x.shape, f"{where}: {tuple(mine.x.shape)}, whole {tuple(whole.x.shape)}"
        distance = float((mine.x - whole.x).abs().max())
        assert distance <= self.cut_tolerance, f"{where}: off by {distance}"
        assert (mine.mask is None) == (whole.mask is None), where
        if mine.mask is not None and whole.mask is not None:
            assert torch.equal(mine.mask, whole.mask), f"{where}: another mask"


def noise(modality: str, count: int = 6) -> Examples:
    """Returns examples of no meaning, of different lengths, in two classes."""
    generator = random.Random(0)
    if modality == "image":
        from PIL import Image

        images = [
            Image.frombytes("RGB", (48, 40 + 8 * i), generator.randbytes(48 * (40 + 8 * i) * 3)) for i in range(count)
        ]
        return Examples(Example(f"image-{i}", (image,), i % 2) for i, image in enumerate(images))
    texts = [" ".join(generator.choices(WORDS, k=2 + 3 * i)) for i in range(count)]
    return Examples(Example(f"text-{i}", (text,), i % 2) for i, text in enumerate(texts))


def _tensors(encoder: Encoder) -> list[tuple[str, Tensor]]:
    return [*encoder.native.named_parameters(), *encoder.native.named_buffers()]
