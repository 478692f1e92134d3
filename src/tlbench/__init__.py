"""tlbench: which pretrained backbone, adapted in which way, is best for this task at this budget?

This is the public API for plugins; it imports nothing heavy. What needs torch lives in `tlbench.modeling`
(encoders, heads, data) and `tlbench.training` (a training loop that strategies may call), and what tests a plugin
in `tlbench.testing`.
"""

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.backbone import Backbone, Card
from tlbench.contracts.cell import Cell, Protocol
from tlbench.contracts.errors import DataError, Diverged, FitEnded, PluginError, Pruned, TlbenchError, UsageError
from tlbench.contracts.executor import (
    Capacity,
    Executor,
    ExecutorRequest,
    Fit,
    FitOrder,
    Handle,
    OrderResult,
    OutOfTime,
    WorkerLost,
)
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import (
    Answer,
    Classes,
    MultiLabel,
    Output,
    Predictions,
    Scalar,
    Span,
    Text,
    TokenClasses,
)
from tlbench.contracts.record import FitResult, Record
from tlbench.contracts.renderer import Renderer
from tlbench.contracts.resources import Resources, Trainable
from tlbench.contracts.space import Choice, Float, Int, Space, Value
from tlbench.contracts.strategy import About, Job, LoadedBackbone, OtherTask, Predictor, Strategy, TaskInfo
from tlbench.contracts.task import Example, Examples, ImageFile, SplitName, Task
from tlbench.metrics import METRICS
from tlbench.system.version import VERSION

__all__ = [
    "METRICS",
    "About",
    "Answer",
    "Backbone",
    "Capacity",
    "Card",
    "Cell",
    "Choice",
    "Classes",
    "DataError",
    "Diverged",
    "Example",
    "Examples",
    "Executor",
    "ExecutorRequest",
    "Fit",
    "FitEnded",
    "FitOrder",
    "FitResult",
    "Float",
    "Handle",
    "ImageFile",
    "Int",
    "Job",
    "LoadedBackbone",
    "Metric",
    "MultiLabel",
    "OrderResult",
    "OtherTask",
    "OutOfTime",
    "Output",
    "PluginError",
    "Predictions",
    "Predictor",
    "Protocol",
    "Pruned",
    "Record",
    "Renderer",
    "Resources",
    "Scalar",
    "Space",
    "Span",
    "SplitName",
    "Strategy",
    "Task",
    "TaskInfo",
    "Text",
    "TlbenchError",
    "TokenClasses",
    "Trainable",
    "UsageError",
    "Value",
    "WorkerLost",
    "carry_out",
    "hookimpl",
]

__version__ = VERSION


def carry_out(order: FitOrder, isolated: bool = False) -> OrderResult:
    """Carries out an order in this process and returns its result; a worker of any executor calls it.

    Weights, tokens and activations are kept for the next order. Nothing that a plugin raises leaves it. Imports torch.

    Args:
        order: What to do.
        isolated: Whether the process is a worker's own, so that an interrupt can only be a plugin's.
    """
    from tlbench.running.fitting.process import carry_out

    return carry_out(order, isolated)
