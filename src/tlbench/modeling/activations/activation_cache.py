"""What a frozen prefix of an encoder computes: computed once, shared by trials, seeds and strategies.

Entries are addressed by content: the weights of the prefix, the rows, where it was cut, and the numbers it was
computed in. So a strategy may ask for the activations of an encoder that it has just trained, and gets its own.
In this process they are kept in memory; those of pretrained weights also on disk, for other processes and other runs.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from tlbench.contracts.errors import PluginError
from tlbench.modeling.activations.activation_files import ActivationFile, StoredActivations, worth_keeping
from tlbench.modeling.activations.encoding import encode_features, encode_hidden
from tlbench.modeling.activations.hidden_rows import HiddenRows
from tlbench.modeling.data import Data
from tlbench.modeling.disk.disk_cache import DiskCache
from tlbench.modeling.disk.writing import Draft
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.weights import Watch

GIBIBYTE = 1024**3
MOST_ENTRIES = 256
"""Those that lie on disk take no memory, but each an open file."""


@dataclass(frozen=True)
class Key:
    """What the activations of some rows depend on."""

    weights: str
    """The encoder's identity; a digest of the prefix's tensors is added where they are not the trusted ones."""
    data: str
    stop: int
    readout: str | None
    """None for hidden states."""
    precision: str
    device: str


@dataclass
class EncodeUsage:
    """What was read while a `metering` lasted."""

    encode_paid_seconds: float = 0.0
    """What computing cost here and now."""
    read: dict[Key, float] = field(default_factory=dict)
    """Standalone seconds of every entry read, whoever computed it."""

    @property
    def encode_seconds(self) -> float:
        """What everything that was read would have cost on its own."""
        return sum(self.read.values())


class Activations:
    """A cache of frozen prefixes' outputs, bounded in bytes of memory; the least recently read go first.

    With a `disk`, what pretrained weights compute is looked for there, and left there for others.
    """

    def __init__(self, limit_bytes: int = GIBIBYTE, disk: DiskCache | None = None) -> None:
        self.limit_bytes = limit_bytes
        self.disk = disk
        self._entries: OrderedDict[Key, StoredActivations] = OrderedDict()
        self._refused: set[Key] = set()
        self._watch = Watch()
        self._usages: list[EncodeUsage] = []

    @property
    def size_bytes(self) -> int:
        """How much memory the entries hold."""
        return sum(entry.size_bytes for entry in self._entries.values())

    def clear(self) -> None:
        """Forgets all entries; those on disk stay there."""
        self._entries.clear()
        self._refused.clear()

    def trust(self, encoder: Encoder) -> None:
        """Takes the encoder's present weights for those that its identity names.

        Call it after a fresh load or a restore. What is changed later is noticed, and costs a digest of the
        weights; what was never trusted always does.
        """
        self._watch.trust(encoder)

    @contextmanager
    def metering(self) -> Iterator[EncodeUsage]:
        """Yields a count of what is read until the block ends."""
        usage = EncodeUsage()
        self._usages.append(usage)
        try:
            yield usage
        finally:
            self._usages = [other for other in self._usages if other is not usage]

    def features(self, encoder: Encoder, data: Data, precision: str = "fp32") -> Tensor:
        """Returns (rows, D) in fp32 on the encoder's device: the frozen encoder's readout of every row.

        Treat it as read-only: it is shared.

        Raises:
            PluginError: The data is augmented.
        """
        whole = data.shared.whole if data.shared else data
        share = len(data) / max(1, len(whole))
        key = self._key(encoder, whole, len(encoder.stages), encoder.readout, precision)

        def make(draft: Draft) -> StoredActivations:
            began = time.perf_counter()
            value = encode_features(encoder, whole, precision, draft)
            entry = StoredActivations(value, time.perf_counter() - began, value.numel() * value.element_size())
            draft.add("x", value.cpu().numpy())
            return entry

        entry = self._found(key, share) or self._new(key, self._file(encoder, whole, None, key), make, share)
        assert entry is not None
        assert isinstance(entry.value, Tensor)
        if data.shared is None:
            return entry.value
        return entry.value[torch.from_numpy(data.shared.rows).to(entry.value.device)]

    def hidden(self, encoder: Encoder, data: Data, stop: int, precision: str = "fp32", *, whole: bool = False) -> Data:
        """Returns the same examples with what the frozen stages[:stop] put out as rows.

        A row is (T, D) without padding, or whatever shape the encoder has between stages; a batch holds
        {"hidden": Hidden}, from which `tlbench.training.Model` goes on. Hidden states that do not fit into
        `limit_bytes` stay on disk. Where they fit neither there, or carry extras that cannot be cut to rows, the
        data itself comes back: the model then runs the prefix each time.

        Args:
            encoder: Whose prefix is frozen.
            data: What is encoded.
            stop: How many stages the prefix has.
            precision: What it is computed in.
            whole: Rows that are some of a larger data's are read out of those of the whole, as by `features`, if
                they find room: for whoever reads several parts in one fit. They are the same but for the last bits,
                which go by what was encoded together.

        Raises:
            PluginError: The data is augmented.
        """
        if isinstance(data.rows, HiddenRows):
            return data
        key = self._key(encoder, data, stop, None, precision)
        rows = None
        if whole and data.shared is not None:
            everything = data.shared.whole
            share = len(data) / max(1, len(everything))
            rows = self._rows(encoder, everything, replace(key, data=everything.fingerprint), share)
            rows = rows.take(data.shared.rows) if rows is not None else None
        if rows is None:
            rows = self._rows(encoder, data, key)
        if rows is None:
            return data
        return data.with_rows(rows, rows.collate, f"{data.fingerprint}@{key.weights}:{stop}")

    def _rows(self, encoder: Encoder, data: Data, key: Key, share: float = 1.0) -> HiddenRows | None:
        """Returns the hidden states of all rows of the data, or None where they find no room."""
        if key in self._refused:
            return None

        def make(draft: Draft) -> StoredActivations | None:
            began = time.perf_counter()
            value = encode_hidden(encoder, data, key.stop, key.precision, self.limit_bytes, draft)
            seconds = time.perf_counter() - began - draft.seconds
            return None if value is None else StoredActivations(value, seconds, value.size_bytes)

        entry = self._found(key, share) or self._new(key, self._file(encoder, data, key.stop, key), make, share)
        if entry is None:
            return None
        assert isinstance(entry.value, HiddenRows)
        return entry.value

    def _key(self, encoder: Encoder, data: Data, stop: int, readout: str | None, precision: str) -> Key:
        if data.augmented:
            raise PluginError("activations of augmented data are not cached: its rows differ at each look")
        others = self._watch.other_weights(encoder, stop)
        weights = encoder.identity if others is None else f"{encoder.identity}+{others}"
        return Key(weights, data.fingerprint, stop, readout, precision, encoder.device.type)

    def _file(self, encoder: Encoder, data: Data, stop: int | None, key: Key) -> ActivationFile | None:
        """Returns the place on disk; trained weights have none: nobody else meets them."""
        if self.disk is None or key.weights != encoder.identity or not worth_keeping(encoder):
            return None
        return ActivationFile(self.disk, encoder, data, stop, key.precision)

    def _found(self, key: Key, share: float = 1.0) -> StoredActivations | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            self._note(key, entry, share, paid_seconds=0.0)
        return entry

    def _new(
        self,
        key: Key,
        file: ActivationFile | None,
        make: Callable[[Draft], StoredActivations | None],
        share: float = 1.0,
    ) -> StoredActivations | None:
        """Returns an entry read from disk or made, or None where there is nowhere to keep it."""
        began = time.perf_counter()
        entry = make(Draft.dead()) if file is None else file.entry(make)
        paid_seconds = time.perf_counter() - began
        if entry is None:
            self._refused.add(key)
            for usage in self._usages:
                usage.encode_paid_seconds += paid_seconds
            return None
        # Reading, checking and waiting are paid for as well; without a disk there is nothing but the encoding.
        self._note(key, entry, share, entry.encode_seconds if file is None else paid_seconds)
        if entry.size_bytes <= self.limit_bytes:
            self._entries[key] = entry
            while self.size_bytes > self.limit_bytes or len(self._entries) > MOST_ENTRIES:
                self._entries.popitem(last=False)
        return entry

    def _note(self, key: Key, entry: StoredActivations, share: float, paid_seconds: float) -> None:
        # Who reads a part of the rows would have encoded that part alone.
        for usage in self._usages:
            usage.read[key] = share * entry.encode_seconds
            usage.encode_paid_seconds += paid_seconds
