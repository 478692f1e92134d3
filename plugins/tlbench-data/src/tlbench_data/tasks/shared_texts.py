"""Groups examples that share a text, such as pairs with the same premise or questions on the same context."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tlbench import Examples
from tlbench.data.input_keys import joined


def grouped_by_text(examples: Examples) -> Examples:
    """Returns the examples; those that share a text, directly or through other examples, are in one group.

    A group has the id of its first example as its name; an example that shares no text has no group.
    """
    positions = [position for position, example in enumerate(examples) for _ in example.inputs]
    roots = dict(zip(positions, joined(positions, [text for each in examples for text in each.inputs]), strict=True))
    sizes = Counter(roots.values())
    first = {root: examples[position].id for position, root in sorted(roots.items(), reverse=True)}
    return Examples(
        replace(example, group=first[roots[position]]) if sizes[roots[position]] > 1 else example
        for position, example in enumerate(examples)
    )


def grouped_by_context(examples: Examples) -> Examples:
    """Returns questions; those on the same context are in one group, named by the id of the first of them."""
    first: dict[str, str] = {}
    return Examples(replace(each, group=first.setdefault(each.inputs[1], each.id)) for each in examples)
