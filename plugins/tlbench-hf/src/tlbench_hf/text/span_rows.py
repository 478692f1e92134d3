"""Questions and contexts to rows of tokens, with the characters of the context that each token stands for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tlbench import Examples, PluginError
from tlbench.modeling.data import Data
from tlbench_hf.text.tokenizing import Tokenizer, load_tokenizer
from tlbench_hf.text.windows import Windows, longest_question, windowed_data, windows


def featurize(examples: Examples, folder: Path, max_length: int) -> Data:
    """Returns the question with a window of its context in each row; the alignment has the context's characters.

    A question that takes more than half of a row is cut.

    Raises:
        PluginError: Inputs that are not a question and its context.
        UsageError: The folder has no fast tokenizer, or `max_length` has no room for a context.
    """
    if not all(len(e.inputs) == 2 and all(isinstance(text, str) for text in e.inputs) for e in examples):
        raise PluginError("tlbench-hf takes a question and its context, as two texts")
    tokenizer = load_tokenizer(folder)
    length = tokenizer.length(max_length)

    def make() -> dict[str, np.ndarray]:
        questions = _cut(tokenizer, [example.inputs[0].strip() for example in examples], length)
        contexts = [example.inputs[1] for example in examples]
        found = windows(tokenizer, questions, contexts, length)
        return found.arrays(np.where(_readable(found, contexts)[:, None], found.offsets, np.int32(-1)))

    made = f"span2:{tokenizer.identity}:{length}:{int(tokenizer.types)}"
    return windowed_data(examples, tokenizer, made, make)


def _readable(found: Windows, contexts: list[str]) -> np.ndarray:
    """Returns (tokens,) whether each is of a context and stands for more than white space, which answers nothing."""
    owners = np.repeat(found.owners, found.rows.lengths).tolist()
    tokens = zip(owners, found.parts.tolist(), found.offsets.tolist(), strict=True)
    return np.array(
        [part == 1 and bool(contexts[owner][first:last].strip()) for owner, part, (first, last) in tokens], dtype=bool
    )


def _cut(tokenizer: Tokenizer, questions: list[str], length: int) -> list[str]:
    longest = longest_question(tokenizer, length)
    if not questions or not longest:
        return ["" for _ in questions]
    encoded = tokenizer.library(
        questions,
        add_special_tokens=False,
        truncation=True,
        max_length=longest,
        return_offsets_mapping=True,
        return_attention_mask=False,
        return_token_type_ids=False,
    )
    ends = (row[-1][1] if len(row) == longest else None for row in encoded["offset_mapping"])
    return [question[:end] for question, end in zip(questions, ends, strict=True)]
