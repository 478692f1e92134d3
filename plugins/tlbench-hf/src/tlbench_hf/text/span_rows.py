"""Featurizes questions with contexts as rows of token ids, aligned with the context's characters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tlbench import Examples, PluginError
from tlbench.modeling.data import Data
from tlbench_hf.text.tokenizing import Tokenizer, load_tokenizer
from tlbench_hf.text.windows import Windows, longest_question, windowed_data, windows


def featurize(examples: Examples, folder: Path, max_length: int) -> Data:
    """Returns rows that each hold a question and a window of its context.

    The alignment is each token's character range in the context, -1 for tokens that cannot begin or end an answer. A
    question longer than half of a row is truncated.

    Raises:
        PluginError: The inputs are not a question and its context.
        UsageError: The folder has no fast tokenizer, or `max_length` leaves no room for a context.
    """
    if not all(len(e.inputs) == 2 and all(isinstance(text, str) for text in e.inputs) for e in examples):
        raise PluginError("tlbench-hf takes a question and its context as two texts per example")
    tokenizer = load_tokenizer(folder)
    length = tokenizer.length(max_length)

    def build_arrays() -> dict[str, np.ndarray]:
        whole = [example.inputs[0].strip() for example in examples]
        questions = _truncated(tokenizer, whole, length)
        contexts = [example.inputs[1] for example in examples]
        split = windows(tokenizer, questions, contexts, length)
        # -1 marks tokens that cannot begin or end an answer.
        alignment = np.where(_is_answerable(split, contexts)[:, None], split.offsets, np.int32(-1))
        return split.arrays(alignment, [text != part for text, part in zip(whole, questions, strict=True)])

    fingerprint = f"span2:{tokenizer.identity}:{length}:{int(tokenizer.types)}"
    return windowed_data(examples, tokenizer, fingerprint, build_arrays)


def _is_answerable(split: Windows, contexts: list[str]) -> np.ndarray:
    """Returns (tokens,) bool: whether a token can begin or end an answer (in the context, and not only white space)."""
    owners = np.repeat(split.owners, split.rows.lengths).tolist()
    tokens = zip(owners, split.parts.tolist(), split.offsets.tolist(), strict=True)
    return np.array(
        [part == 1 and bool(contexts[owner][first:last].strip()) for owner, part, (first, last) in tokens], dtype=bool
    )


def _truncated(tokenizer: Tokenizer, questions: list[str], length: int) -> list[str]:
    """Returns the questions as texts, truncated to the number of tokens that `longest_question` allows."""
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
    # Returned as texts, not as token ids, because `windows` tokenises question and context together.
    ends = (row[-1][1] if len(row) == longest else None for row in encoded["offset_mapping"])
    return [question[:end] for question, end in zip(questions, ends, strict=True)]
