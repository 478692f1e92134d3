"""The predictor that a fit returns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, runtime_checkable
from typing import Protocol as TypingProtocol

from tlbench.contracts.exports.forms import Exportable
from tlbench.contracts.outputs import Predictions

if TYPE_CHECKING:
    from tlbench.modeling.data import Data


class Predictor(TypingProtocol):
    """A fitted model, which returns predictions for examples.

    It must own what the fit trained outside the encoder (a head, a weight matrix) but may share the encoder: before
    `predict`, the runner restores the encoder's parameters to their state at the end of the fit.
    """

    def predict(self, data: Data) -> Predictions:
        """Returns one prediction for each example of the data, in order."""

    def save(self, folder: Path) -> None:
        """Writes the predictor to files for `Strategy.load`: parameters in safetensors, settings in JSON.

        The folder may not exist yet. The runner saves the best trial of a search, so that it need not be fitted again
        if the process is killed. `save` is optional: without it, the fit is repeated when needed.
        """


@runtime_checkable
class ExportablePredictor(TypingProtocol):
    """A predictor that `tlbench export` can write for use without tlbench.

    It has its precision as an attribute `precision`, or as that of its `job`, if predictions depend on one: exports
    compute in fp32.
    """

    def predict(self, data: Data) -> Predictions:
        """Returns one prediction for each example of the data, in order."""

    def exportable(self, *, keep_adapter: bool = False) -> Exportable:
        """Returns what the predictor computes, in one of the forms that can be written.

        It may change the model, as by merging an adapter: the predictor is not used afterwards.

        Args:
            keep_adapter: Whether an adapter stays apart from the backbone's weights instead of being merged.

        Raises:
            UsageError: This model cannot be exported; the message says why.
        """
