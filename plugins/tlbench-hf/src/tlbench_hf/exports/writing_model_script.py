"""The model of this folder, which generates texts, by transformers alone: see predict.py for its use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

ROWS = 8
DATA_ONLY = True


def load(folder: Path, settings: dict[str, Any]) -> Callable[[Sequence[Sequence[str]]], list[str]]:
    """Returns a function from rows of one text to generated texts."""
    return Writer(folder, settings)


class Writer:
    """A tokenizer and a model that generates; texts are put into the settings' prompt or after their prefix."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        self.settings = settings
        self.joined: bool = settings["joined"]
        auto: Any = transformers.AutoModelForCausalLM if self.joined else transformers.AutoModelForSeq2SeqLM
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = auto.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()

    def __call__(self, rows: Sequence[Sequence[str]]) -> list[str]:
        """Returns the text generated for each row."""
        ids = [self._prompt(row[0]) if self.joined else self._source(row[0]) for row in rows]
        texts: list[str] = []
        for start in range(0, len(ids), ROWS):
            texts += self._written([one or [self.tokenizer.eos_token_id] for one in ids[start : start + ROWS]])
        return texts

    def _written(self, rows: list[list[int]]) -> list[str]:
        longest, pad = max(map(len, rows)), self.settings["pad"]
        # A prompt is padded on the left, since its text goes on after the last column.
        padded = [
            [*[pad] * (longest - len(row)), *row] if self.joined else [*row, *[pad] * (longest - len(row))]
            for row in rows
        ]
        real = [[1] * len(row) for row in rows]
        mask = [
            [*[0] * (longest - len(row)), *row] if self.joined else [*row, *[0] * (longest - len(row))] for row in real
        ]
        with torch.inference_mode():
            written = self.model.generate(input_ids=torch.tensor(padded), attention_mask=torch.tensor(mask))
        written = written[:, longest:] if self.joined else written
        texts = self.tokenizer.batch_decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return [text.strip() for text in texts]

    def _source(self, text: str) -> list[int]:
        prefix = self.settings["prefix"]
        text = f"{prefix} {text}" if prefix else text
        ids: list[int] = self.tokenizer(text, truncation=True, max_length=self.settings["length"])["input_ids"]
        return ids

    def _prompt(self, text: str) -> list[int]:
        """Returns the token ids of a prompt, whose text is shortened until they are few enough."""
        before, _, after = self.settings["prompt"].partition(self.settings["source"])
        ids = self._open_ended(before + text + after)
        excess = len(ids) - self.settings["length"]
        while excess > 0 and text:
            spans = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            remaining = len(spans) - excess
            text = text[: min(spans[remaining - 1][1], len(text) - 1)] if remaining > 0 else ""
            ids = self._open_ended(before + text + after)
            excess = len(ids) - self.settings["length"]
        return ids

    def _open_ended(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text)["input_ids"]
        end, begin = self.tokenizer.eos_token_id, self.tokenizer.bos_token_id
        return ids[:-1] if len(ids) > 1 and ids[-1] == end and end != begin else ids
