"""tlbench: which pretrained backbone, adapted in which way, is best for this task at this budget?

This is the public API for plugins; it imports nothing heavy. What needs torch lives in `tlbench.modeling`
(encoders, heads, data) and `tlbench.training` (a training loop that strategies may call), and what tests a plugin
in `tlbench.testing`.
"""

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.backbone import Backbone, Card
from tlbench.contracts.cell import Cell, Protocol
from tlbench.contracts.errors import DataError, Diverged, FitEnded, PluginError, Pruned, TlbenchError, UsageError
from tlbench.contracts.images import ImageFile
from tlbench.contracts.memory import Resources
from tlbench.contracts.metric import METRICS, MetricInfo
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
from tlbench.contracts.record import Record
from tlbench.contracts.space import Choice, Float, Int, Space, Value
from tlbench.contracts.strategy import About, Job, Predictor, Strategy, TaskInfo
from tlbench.contracts.task import Example, Examples, SplitName, Task

__all__ = [
    "METRICS",
    "About",
    "Answer",
    "Backbone",
    "Card",
    "Cell",
    "Choice",
    "Classes",
    "DataError",
    "Diverged",
    "Example",
    "Examples",
    "FitEnded",
    "Float",
    "ImageFile",
    "Int",
    "Job",
    "MetricInfo",
    "MultiLabel",
    "Output",
    "PluginError",
    "Predictions",
    "Predictor",
    "Protocol",
    "Pruned",
    "Record",
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
    "UsageError",
    "Value",
    "hookimpl",
]

__version__ = "0.1.0"
