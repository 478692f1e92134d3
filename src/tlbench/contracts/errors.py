"""What can go wrong, and whose fault it is.

TlbenchError
├── UsageError            the user's mistake: one line, exit status 2
│   ├── UnknownName       no plugin brings this name; carries the nearest names
│   ├── AmbiguousName     two distributions bring this name
│   ├── SuiteError        a suite file that is not one; carries the path of the offending key
│   ├── DataError         a file of data that cannot be used; carries file and row
│   └── StoreError        an output folder that cannot be used
├── PluginError           a plugin broke its contract: the cell fails, the run goes on
├── SealBroken            the test split was asked for before the winner was frozen
└── FitEnded              a fit that ended without a predictor, on purpose
    ├── Pruned            the study's pruner stopped this trial
    └── Diverged          a loss, a weight or an output that is not finite
"""


class TlbenchError(Exception):
    """Whatever tlbench raises on purpose."""


class UsageError(TlbenchError):
    """The user's mistake; its message is one line: what, where, and what to do."""


class UnknownName(UsageError):
    """No plugin brings this name."""


class AmbiguousName(UsageError):
    """Two distributions bring this name, and it was used without saying which."""


class SuiteError(UsageError):
    """A suite that cannot be read; the message holds the file and the path of the key."""


class DataError(UsageError):
    """A file of data that cannot be used; the message is one line that names file and row."""


class StoreError(UsageError):
    """An output folder that cannot be used: not writable, or of another format."""


class PluginError(TlbenchError):
    """A plugin broke its contract."""


class SealBroken(TlbenchError):
    """The test split was asked for before the winner was frozen on disk."""


class FitEnded(TlbenchError):
    """A fit that ended without a predictor, on purpose."""


class Pruned(FitEnded):
    """The study's pruner stopped this trial."""


class Diverged(FitEnded):
    """A loss, a weight or an output is not finite."""
