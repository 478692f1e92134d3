"""Adds strategies to a suite: a new strategy joins some of its blocks, and gets their tasks, backbones and protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.names import parse
from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import UsageError
from tlbench.planning.suite import Patch, Suite, SuiteBlock


@dataclass(frozen=True)
class Placement:
    """Places added strategies in the blocks of a suite."""

    suite: Suite
    catalog: Catalog
    protocol: Patch
    """Fields of the protocol that the command line sets."""
    like: str | None
    """A strategy of the suite, whose blocks added strategies join."""

    def blocks(self, name: str, hosts: Sequence[SuiteBlock]) -> list[SuiteBlock]:
        """Returns copies of the blocks of `hosts` that a strategy joins, with this strategy as their only one.

        It joins the blocks of the strategy `like`; else those of the same strategy with other parameters; else all, if
        they have the same protocol. A strategy without a backbone joins blocks without backbones, if there are any. A
        strategy does not join the blocks that it is in.

        Raises:
            UsageError: The blocks have different protocols, or none has the strategy `like`.
        """
        strategy = self.catalog.strategy(name)
        others = [block for block in hosts if strategy.ref.name not in self._names(block)]
        joined = [block for block in others if bool(block.backbones) == strategy.item.uses_backbone] or others
        if self.like is not None:
            like = self.catalog.strategy(self.like).ref.name
            joined = [block for block in joined if like in self._names(block)]
            if not joined:
                raise UsageError(f"--like {self.like}: not among the strategies of the suite that {name} could join")
        else:
            joined = [block for block in joined if _base(name) in map(_base, block.strategies)] or joined
        self._check_one_protocol(name, joined)
        return [msgspec.structs.replace(block, strategies=(name,)) for block in joined]

    def _names(self, block: SuiteBlock) -> set[str]:
        """Returns the canonical names of a block's strategies."""
        return {self.catalog.strategy(name).ref.name for name in block.strategies}

    def _check_one_protocol(self, name: str, blocks: Sequence[SuiteBlock]) -> None:
        groups: dict[tuple[Protocol, ...], list[str]] = {}
        for block in blocks:
            protocols = tuple(self.suite.protocols_of(block, self.protocol))
            groups.setdefault(protocols, []).extend(block.strategies)
        if len(groups) < 2:
            return
        fields = [
            field
            for field in Protocol.__struct_fields__
            if len({tuple(getattr(one, field) for one in protocols) for protocols in groups}) > 1
        ]
        choices = " or ".join(
            f"as {', '.join(dict.fromkeys(strategies))} ({_values(protocols, fields)})"
            for protocols, strategies in groups.items()
        )
        options = " or ".join(f"--like '{strategies[0]}'" for strategies in groups.values())
        raise UsageError(f"suite {self.suite.name}: {name} could run {choices}: give {options}")


def _base(name: str) -> str:
    return parse(name)[0].rpartition("/")[2]


def _values(protocols: Sequence[Protocol], fields: Sequence[str]) -> str:
    values: dict[str, object] = {}
    for field in fields:
        several = list(dict.fromkeys(getattr(protocol, field) for protocol in protocols))
        values[field] = several if len(several) > 1 else several[0]
    return ", ".join(
        f"no {field}" if value is None else f"{field}={msgspec.json.encode(value).decode()}"
        for field, value in values.items()
    )
