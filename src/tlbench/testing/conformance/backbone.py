"""Conformance checks for backbones."""

from __future__ import annotations

import copy
import importlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.outputs import MultiLabel, Output, Scalar
from tlbench.contracts.task import Example, Examples
from tlbench.testing.conformance.device import DeviceConformance
from tlbench.testing.conformance.every_plugin import check_light, check_name
from tlbench.testing.conformance.inputs import OUTPUTS, noise
from tlbench.testing.conformance.words_and_spans import PartsConformance, skip_if_refused, step_and_predict
from tlbench.testing.predictions import FP32_EPS

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.modeling.encoder import Encoder, Hidden

ROUNDINGS = 1000
"""Number of fp32 roundings by which two evaluation orders of one encoder may differ.

A dozen blocks have half a dozen matrix products each; each product sums hundreds of terms, whose errors mostly cancel.
"""


class BackboneConformance(PartsConformance, DeviceConformance):
    """Checks a backbone's encoder, its featurization and its heads.

    Guarantees: loading is deterministic; the stages partition the parameters; cutting the encoder at any stage gives
    the same output; padding does not change a readout; gradients reach exactly the stages above a cut; a training step
    stays on its device; rows match their examples; every output that the backbone accepts has a trainable head. What
    `Backbone.supports` refuses is skipped with its reason.

        class TestMyBackbone(BackboneConformance):
            backbone = MyBackbone()
            cut_tolerance = 1e-5  # only if the library chooses kernels by shape
            random_weights = False  # only if load(pretrained=False) is not supported
    """

    backbone: ClassVar[Backbone]
    cut_tolerance: ClassVar[float] = 0.0
    """Largest absolute difference between a cut forward pass and an uncut one; 0 demands equal bits.

    Raise it only for a library that chooses kernels by shape, to about `ROUNDINGS * FP32_EPS` times the activations.
    """
    padding_tolerance: ClassVar[float] = ROUNDINGS * FP32_EPS
    """Largest absolute change that padding may cause in a readout; by default about 1e-4, for readouts of about 1.

    Padding makes sums longer, which changes their order of evaluation in every block. An encoder that attends to
    padding changes the readout about a hundred times as much.
    """
    random_weights: ClassVar[bool] = True
    """Whether the backbone supports `load(pretrained=False)`."""
    shared_weights: ClassVar[bool] = False
    """Whether blocks share weights, so that gradients also reach the stages below a cut."""

    def examples(self) -> Examples:
        """Returns a few examples of different lengths in two classes; override it for inputs of another form."""
        return noise(self.backbone.modality)

    @property
    def output(self) -> Output:
        """The output for which most checks featurize: the first that the backbone supports."""
        return next((one for one in OUTPUTS if self.backbone.supports(one) is None), OUTPUTS[0])

    @pytest.fixture(scope="class")
    @classmethod
    def encoder(cls) -> Encoder:
        """An encoder shared by the tests of the class; a test that changes an encoder loads its own."""
        return cls.backbone.load()

    @pytest.fixture
    def batch(self) -> Any:
        """All examples in one batch."""
        data = self.backbone.featurize(self.examples(), self.output)
        return data.batch(range(len(data)))

    def test_name(self) -> None:
        """The name is valid in suites and on the command line, and modality and version have allowed values."""
        check_name(self.backbone.name)
        assert self.backbone.modality in ("text", "image")
        assert isinstance(self.backbone.version, int)

    def test_import_is_light(self) -> None:
        """Importing the backbone's module does not import heavy libraries such as torch."""
        check_light(self.backbone)

    def test_imports_are_modules(self) -> None:
        """`imports` is a tuple of names of modules that can be imported."""
        imports = self.backbone.imports
        assert isinstance(imports, tuple), imports
        for module in imports:
            assert importlib.import_module(module)

    def test_fresh_encoder_state(self, encoder: Encoder) -> None:
        """`load` returns an encoder on the CPU, in fp32 and in eval mode, with all parameters trainable."""
        for name, parameter in encoder.native.named_parameters():
            assert parameter.device.type == "cpu", name
            assert str(parameter.dtype) == "torch.float32", f"{name} is {parameter.dtype}"
            assert parameter.requires_grad, f"{name} is frozen"
        training = [name for name, module in encoder.named_modules() if module.training]
        assert not training, f"in training mode: {training[:3]}"

    def test_card_matches_the_encoder(self, encoder: Encoder) -> None:
        """The card's parameter count, width and number of stages are those of the loaded encoder."""
        card = self.backbone.card()
        # None is allowed everywhere: a card may leave open what it cannot read without loading.
        counted = sum(parameter.numel() for parameter in encoder.native.parameters())
        assert card.parameters in (None, counted), f"card.parameters is {card.parameters}, not {counted}"
        assert card.width in (None, encoder.width)
        assert card.stages in (None, len(encoder.stages) - 1)

    def test_nothing_is_missing(self) -> None:
        """`missing` returns None for a backbone that can be loaded, since a plan would skip it otherwise."""
        assert self.backbone.missing() is None

    def test_same_weights_at_each_load(self, encoder: Encoder) -> None:
        """Loading twice gives the same identity and equal weights, in separate memory."""
        import torch

        other = self.backbone.load()
        assert other.identity == encoder.identity
        # Separate memory, since a fit changes the weights of its own encoder in place.
        for (name, mine), (_, theirs) in zip(_tensors(encoder), _tensors(other), strict=True):
            assert torch.equal(mine, theirs), f"{name} differs between two loads: make `load` deterministic"
            # Tensors without elements all have the address 0.
            assert mine.data_ptr() != theirs.data_ptr() or not mine.numel(), f"{name} is shared by two loads: copy it"

    def test_random_weights(self, encoder: Encoder) -> None:
        """`load(pretrained=False)` draws weights from torch's global generator and returns a different identity."""
        import torch

        if not self.random_weights:
            pytest.skip("this backbone has no random weights")
        encoders = []  # twice of one seed and once of another
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            encoders.append(self.backbone.load(pretrained=False))
        first, again, other = ([value for _, value in _tensors(loaded)] for loaded in encoders)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)), "one seed gives two sets of weights"
        assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True)), "two seeds give the same weights"
        assert encoders[0].identity != encoder.identity, "random and pretrained weights have the same identity"

    def test_every_parameter_is_in_one_stage(self, encoder: Encoder) -> None:
        """Every parameter belongs to exactly one stage, and stage names are unique."""
        staged = Counter(name for stage in encoder.stages for name in stage.parameters)
        named = Counter(name for name, _ in encoder.native.named_parameters())
        assert not named - staged, f"in no stage: {sorted(named - staged)[:3]}"
        assert not staged - named, f"in two stages, or no parameter: {sorted(staged - named)[:3]}"
        assert len({stage.name for stage in encoder.stages}) == len(encoder.stages)

    def test_every_cut(self, encoder: Encoder, batch: Any) -> None:
        """Cutting the encoder at any stage and continuing gives the same output."""
        import torch

        with torch.no_grad():
            whole = encoder(batch)
            for stop in range(1, len(encoder.stages) + 1):
                continued = encoder(encoder(batch, stop=stop), start=stop)
                self._assert_same(continued, whole, f"cut at {stop}")
                # With a tolerance the readouts need not be equal: they pool hidden states whose difference was checked.
                assert torch.equal(encoder.pool(continued), encoder.pool(whole)) or self.cut_tolerance

    def test_a_cut_of_a_cut(self, encoder: Encoder, batch: Any) -> None:
        """Running the encoder one stage at a time gives the same output."""
        import torch

        with torch.no_grad():
            hidden = encoder(batch, stop=1)
            for stage in range(1, len(encoder.stages)):
                hidden = encoder(hidden, start=stage, stop=stage + 1)
            self._assert_same(hidden, encoder(batch), "stage by stage")

    def test_impossible_cuts(self, encoder: Encoder, batch: Any) -> None:
        """A stage index out of range, or an input that does not fit `start`, raises a ValueError."""
        count = len(encoder.stages)
        with pytest.raises(ValueError, match=r"\w"):
            encoder(batch, stop=count + 1)
        with pytest.raises(ValueError, match=r"\w"):
            encoder(batch, start=1)
        with pytest.raises(ValueError, match=r"\w"):
            encoder(encoder(batch, stop=1), start=0)

    def test_padding_changes_nothing(self, encoder: Encoder) -> None:
        """A row has the same readout alone and padded in a batch of longer rows."""
        import torch

        data = self.backbone.featurize(self.examples(), self.output)
        with torch.no_grad():
            together = encoder.pool(encoder(data.batch(range(len(data)))))
            assert together.shape == (len(data), encoder.width)
            assert torch.isfinite(together).all()
            for row in range(len(data)):
                alone = encoder.pool(encoder(data.batch([row])))[0]
                distance = float((alone - together[row]).abs().max())
                assert distance <= self.padding_tolerance, f"padding moves row {row} by {distance}: mask it"

    def test_gradients_reach_every_stage(self, batch: Any) -> None:
        """The gradient of the readout reaches every stage, and after a cut exactly the stages above it."""
        import torch

        encoder = self.backbone.load()
        generator = torch.Generator().manual_seed(0)
        for start in (0, len(encoder.stages) - 1):
            encoder.zero_grad(set_to_none=True)
            with torch.no_grad():
                inputs = encoder(batch, stop=start) if start else batch
            readout = encoder.pool(encoder(inputs, start=start))
            # Randomly weighted, since the sum over a layer norm's output is constant and has no gradient.
            (readout * torch.randn(readout.shape, generator=generator)).sum().backward()
            for number, stage in enumerate(encoder.stages):
                gradients = [p.grad for _, p in encoder.stage_parameters(number, number + 1) if p.grad is not None]
                reached = any(bool(gradient.abs().sum() > 0) for gradient in gradients)
                above = bool(stage.parameters) and number >= start
                shared = self.shared_weights and 0 < number < start
                assert reached == above or shared, f"stage {stage.name} after a cut at {start}"
                assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients), stage.name

    def test_training_mode(self, batch: Any) -> None:
        """A cut encoder runs in training mode, and restoring its state and eval mode restores its output."""
        import torch

        encoder = self.backbone.load()
        with torch.no_grad():
            before = encoder(batch)
            encoder.train()
            for stop in range(1, len(encoder.stages) + 1):
                assert torch.isfinite(encoder(encoder(batch, stop=stop), start=stop).x).all()
            # Batch normalisation updates its running statistics in training mode, so restore the buffers too.
            fresh = self.backbone.load()
            encoder.load_state_dict(fresh.state_dict())
            encoder.eval()
            self._assert_same(encoder(batch), before, "after training mode")

    def test_deep_copy_is_independent(self, encoder: Encoder, batch: Any) -> None:
        """A deep copy gives the same output, and changing the copy does not change the original."""
        import torch

        with torch.no_grad():
            before = encoder(batch)
            twin = copy.deepcopy(encoder)
            self._assert_same(twin(batch), before, "a deep copy")
            for parameter in twin.native.parameters():
                parameter.zero_()
            twin(batch)
            self._assert_same(encoder(batch), before, "the original after its copy was changed")

    def test_state_can_be_saved(self, encoder: Encoder, batch: Any, tmp_path: Path) -> None:
        """Saving the state dict and loading it into another encoder gives the same output."""
        import torch

        torch.save(encoder.native.state_dict(), tmp_path / "state.pt")
        # Random weights where there are some: pretrained ones would pass without anything being loaded.
        other = self.backbone.load(pretrained=not self.random_weights)
        other.native.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        with torch.no_grad():
            self._assert_same(other(batch), encoder(batch), "a saved state")

    def test_featurize(self) -> None:
        """Rows keep the order of their examples, and the fingerprint depends on the examples alone."""
        examples = self.examples()
        data = self.backbone.featurize(examples, self.output)
        assert data.ids == tuple(example.id for example in examples)
        assert len(data) == len(data.owners) == len(data.lengths)
        assert sorted(set(data.owners.tolist())) == list(range(len(examples)))
        assert data.owners.tolist() == sorted(data.owners.tolist())
        assert (data.lengths > 0).all()
        again = self.backbone.featurize(self.examples(), self.output)
        fewer = self.backbone.featurize(examples.take(range(1, len(examples))), self.output)
        assert again.fingerprint == data.fingerprint, "the same examples have two fingerprints: hash the examples only"
        assert fewer.fingerprint != data.fingerprint, "different examples have the same fingerprint"

    def test_second_text_of_a_pair(self, encoder: Encoder) -> None:
        """The readout of a text pair depends on the second text."""
        import torch

        if self.backbone.modality != "text":
            pytest.skip("only text backbones read pairs")
        skip_if_refused(self.backbone, Scalar())
        # Equal first texts, so that only the second can make a difference.
        pairs = [("the cat sees", "a dog"), ("the cat sees", "every old river under the tree")]
        data = self.backbone.featurize(Examples(Example(str(i), pair, i) for i, pair in enumerate(pairs)), Scalar())
        with torch.no_grad():
            first, second = encoder.pool(encoder(data.batch(range(len(data)))))[[0, -1]]
        assert not torch.allclose(first, second), "the readout ignores the second text of a pair"

    @pytest.mark.parametrize("output", OUTPUTS, ids=["classes", "scalar", "labels"])
    def test_head(self, encoder: Encoder, output: Output) -> None:
        """The backbone's head has a finite loss with a gradient and predicts every example."""
        from tlbench.modeling.heads import new_head

        skip_if_refused(self.backbone, output)
        examples = self.examples()
        if isinstance(output, MultiLabel):
            examples = Examples(replace(example, target=(example.target, 1, 0)) for example in examples)
        step_and_predict(encoder, new_head(self.backbone, output, encoder), self.backbone.featurize(examples, output))

    def _assert_same(self, mine: Hidden, whole: Hidden, where: str) -> None:
        import torch

        assert mine.x.shape == whole.x.shape, f"{where}: shape {tuple(mine.x.shape)}, expected {tuple(whole.x.shape)}"
        distance = float((mine.x - whole.x).abs().max())
        assert distance <= self.cut_tolerance, f"{where}: off by {distance}"
        assert (mine.mask is None) == (whole.mask is None), where
        if mine.mask is not None and whole.mask is not None:
            assert torch.equal(mine.mask, whole.mask), f"{where}: the mask differs"


def _tensors(encoder: Encoder) -> list[tuple[str, Tensor]]:
    # Not the state dict, which omits buffers that are registered as non-persistent.
    return [*encoder.native.named_parameters(), *encoder.native.named_buffers()]
