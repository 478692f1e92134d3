"""The exceptions of tlbench, grouped by who can fix them.

TlbenchError
├── UsageError            the user's mistake: one line on stderr, exit status 2
│   ├── UnknownName       no plugin has this name; the message suggests similar names
│   ├── AmbiguousName     two distributions have this name
│   ├── SuiteError        an invalid suite file; the message has the path of the key
│   ├── DataError         an invalid data file; the message has file and row
│   └── StoreError        an output folder that cannot be used
├── PluginError           a plugin broke its contract: the cell fails, the run goes on
├── SealBroken            the test split was requested before the winner was frozen
├── IndivisibleBatch      memory ran out, and the batches of the fit cannot be trained in parts
└── FitEnded              a fit that ends without a predictor, on purpose
    ├── Pruned            the pruner stopped this trial
    └── Diverged          a loss, a weight or an output is not finite

A plugin raises `UsageError` or `DataError` where the user can fix the cause, and `Diverged` in a fit. It need not catch
other exceptions: one that leaves a fit becomes a `failed` record with its traceback.
"""


class TlbenchError(Exception):
    """Base class of all exceptions that tlbench raises on purpose."""


class UsageError(TlbenchError):
    """The user's mistake; its message is one line that says what is wrong, where, and what to do next."""


class UnknownName(UsageError):
    """No installed plugin has an object of this name."""


class AmbiguousName(UsageError):
    """Two distributions have an object of this name, and the name was used without its distribution."""


class SuiteError(UsageError):
    """A suite file that is missing or invalid; the message has the file and the path of the key."""


class DataError(UsageError):
    """A data file that cannot be read; the message is one line with file and row."""


class StoreError(UsageError):
    """An output folder that is not writable, or that has an unknown format."""


class PluginError(TlbenchError):
    """A plugin broke its contract, for example by returning a value of the wrong type."""


class SealBroken(TlbenchError):
    """The test split was requested before the winner of the search was frozen on disk."""


class IndivisibleBatch(TlbenchError, MemoryError):
    """Memory ran out, and the batches of the fit cannot be trained in parts."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the batches cannot be trained in parts: {reason}")


class FitEnded(TlbenchError):
    """A fit that ends without a predictor, on purpose."""


class Pruned(FitEnded):
    """The pruner stopped this trial, since it was worse than others at the same step."""


class Diverged(FitEnded):
    """A loss, a weight or an output is not finite."""
