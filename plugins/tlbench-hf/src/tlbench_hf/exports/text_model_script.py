"""The model of this folder on texts, by transformers alone: see predict.py for its use."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

ROWS = 32
DATA_ONLY = True


def load(folder: Path, settings: dict[str, Any]) -> Callable[[Sequence[Sequence[Any]]], Any]:
    """Returns a function from rows of texts to logits or features; `reads` of the settings says of what."""
    model = TextModel(folder, settings)
    reads: dict[str, Callable[[Sequence[Sequence[Any]]], Any]] = {
        "example": model.examples, "words": model.words, "context": model.contexts,
    }  # fmt: skip
    return reads[settings["reads"]]


class TextModel:
    """A tokenizer and a model, which is an encoder or has an output layer of its own."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        self.settings = settings
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = native(folder, settings)

    def examples(self, rows: Sequence[Sequence[str]]) -> Any:
        """Returns logits (N, K) or the readout (N, D) of one or two texts."""
        columns = [list(column) for column in zip(*rows, strict=True)]
        encoded = self._encode(*columns, truncation="longest_first")
        return np.concatenate([self._read(output, mask) for output, mask in self._run(encoded)])

    def words(self, rows: Sequence[Sequence[Sequence[str]]]) -> list[Any]:
        """Returns for each sentence the output (words, ...) at the first token of each word, NaN where there is none.

        A long sentence is cut into windows that overlap; a word is read where it is farthest from the nearer end.
        """
        sentences = [row[0] for row in rows]
        encoded = self._windows([" ".join(words) for words in sentences], truncation=True)
        outputs = self._positions(encoded)
        found: list[Any] = [np.full((len(words), outputs[0].shape[1]), np.nan) for words in sentences]
        for window, position, owner, word in first_tokens(encoded, sentences):
            found[owner][word] = outputs[window][position]
        return found

    def contexts(self, rows: Sequence[Sequence[str]]) -> list[list[tuple[Any, Any]]]:
        """Returns for each question the windows of its context: outputs (T, ...) and characters (T, 2), -1 outside."""
        room = (self.settings["length"] - self.tokenizer.num_special_tokens_to_add(pair=True)) // 2
        questions = [self._cut(row[0].strip(), max(0, room)) for row in rows]
        encoded = self._windows(questions, [row[1] for row in rows], truncation="only_second")
        found: list[list[tuple[Any, Any]]] = [[] for _ in rows]
        for window, (output, owner) in enumerate(
            zip(self._positions(encoded), encoded["overflow_to_sample_mapping"], strict=True)
        ):
            context = rows[owner][1]
            parts = encoded.encodings[window].sequence_ids
            offsets = [
                (a, b) if part == 1 and context[a:b].strip() else (-1, -1)
                for part, (a, b) in zip(parts, encoded["offset_mapping"][window], strict=True)
            ]
            found[owner].append((output, np.array(offsets)))
        return found

    def _encode(self, *columns: list[str], **options: Any) -> Any:
        return self.tokenizer(
            *columns,
            max_length=self.settings["length"],
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=self.settings["token_types"],
            **options,
        )

    def _windows(self, *columns: list[str], **options: Any) -> Any:
        length = self.settings["length"]
        room = length - self.tokenizer.num_special_tokens_to_add(pair=len(columns) == 2)
        if len(columns) == 2:
            room -= max(0, (length - self.tokenizer.num_special_tokens_to_add(pair=True)) // 2)
        stride = min(self.settings["overlap"], length // 4, room - 1)
        both = {"return_overflowing_tokens": True, "return_offsets_mapping": True}
        return self._encode(*columns, stride=stride, **both, **options)

    def _cut(self, question: str, longest: int) -> str:
        found = self.tokenizer(
            question, add_special_tokens=False, truncation=True, max_length=max(1, longest), return_offsets_mapping=True
        )["offset_mapping"]
        return question[: found[-1][1]] if longest and len(found) == longest else question if longest else ""

    def _run(self, encoded: Any) -> Iterator[tuple[Any, Any]]:
        """Yields the model's output and the mask of each batch of rows."""
        pad = self.settings["pad"]
        rows = [row or [pad] for row in encoded["input_ids"]]
        types = [row or [0] for row in encoded["token_type_ids"]] if self.settings["token_types"] else None
        for start in range(0, len(rows), ROWS):
            inputs = {"input_ids": padded(rows[start : start + ROWS], pad)}
            mask = padded([[1] * len(row) for row in rows[start : start + ROWS]], 0)
            inputs["attention_mask"] = mask
            if types is not None:
                inputs["token_type_ids"] = padded(types[start : start + ROWS], 0)
            with torch.inference_mode():
                yield self.model(**inputs, output_hidden_states=self.settings["every_stage"]), mask

    def _read(self, output: Any, mask: Any) -> Any:
        if self.settings["includes_head"]:
            return output.logits.float().numpy()
        name = self.settings["readout"]
        if self.settings["every_stage"]:
            states = output.hidden_states
            lower = "mean" if name == "pooler" else name
            parts = [self._readout(lower, x, mask) for x in states[:-1]]
            return torch.cat([*parts, self._readout(name, output.last_hidden_state, mask)], dim=1).numpy()
        return self._readout(name, output.last_hidden_state, mask).numpy()

    def _readout(self, name: str, x: Any, mask: Any) -> Any:
        x = x[:, -mask.shape[1] :]  # without the virtual tokens that an adapter puts before a text
        if name == "mean":
            weights = mask.unsqueeze(-1).to(x.dtype)
            return (x * weights).sum(1) / weights.sum(1).clamp(min=1)
        if name == "first":
            return x[:, 0]
        if name == "pooler":
            return self.model.pooler(x)
        return x[torch.arange(len(x)), mask.sum(1) - 1]

    def _positions(self, encoded: Any) -> list[Any]:
        """Returns for each row the outputs (T, ...) of its positions."""
        found = []
        for output, mask in self._run(encoded):
            x = self._states(output)[:, -mask.shape[1] :]
            found += [row[:n].float().numpy() for row, n in zip(x, mask.sum(1).tolist(), strict=True)]
        return found

    def _states(self, output: Any) -> Any:
        if not self.settings["includes_head"]:
            lower = output.hidden_states[:-1] if self.settings["every_stage"] else ()
            return torch.cat([*lower, output.last_hidden_state], dim=2)
        return logits_of(output)


def logits_of(output: Any) -> Any:
    """Returns the logits of a model's output; for questions those of starts and ends, (B, T, 2)."""
    return output.logits if "logits" in output else torch.stack([output.start_logits, output.end_logits], dim=2)


def native(folder: Path, settings: dict[str, Any]) -> Any:
    """Returns the folder's model in fp32, with its adapter if it has one."""
    if not settings["module"].startswith("transformers."):
        raise ValueError(f"{settings['module']} is no module of transformers")
    kind = getattr(importlib.import_module(settings["module"]), settings["class"])
    if not issubclass(kind, transformers.PreTrainedModel):
        raise ValueError(f"{settings['class']} is no model of transformers")
    takes = inspect.signature(kind).parameters
    options = {"add_pooling_layer": settings["readout"] == "pooler"} if "add_pooling_layer" in takes else {}
    base = folder / settings["base"]
    if not base.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{settings['base']} is outside of the folder")
    model = kind.from_pretrained(base, dtype=torch.float32, local_files_only=True, **options)
    if settings["adapter"]:
        import peft

        model = peft.PeftModel.from_pretrained(model, str(folder))
    return model.eval()


def padded(rows: Sequence[Sequence[int]], value: int) -> Any:
    """Returns rows of token ids as one tensor, padded on the right."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])


def first_tokens(encoded: Any, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[int, int, int, int]]:
    """Yields window, position, sentence and word of the token at which each word is read."""
    owners = encoded["overflow_to_sample_mapping"]
    begins: dict[tuple[int, int], int] = {}
    firsts: list[tuple[int, int, int, int, int, int]] = []
    for window, (owner, offsets) in enumerate(zip(owners, encoded["offset_mapping"], strict=True)):
        # A word includes the space before it, as tokens of byte-level vocabularies do.
        ends = np.cumsum([len(word) + 1 for word in sentences[owner]]) - 1
        before = -2
        for position, (part, (begin, _)) in enumerate(
            zip(encoded.encodings[window].sequence_ids, offsets, strict=True)
        ):
            word = int(np.searchsorted(ends, begin, side="right")) if part == 0 and len(ends) else -1
            if word >= 0:
                begins[owner, word] = min(begin, begins.get((owner, word), begin))
                if word != before:
                    context = min(position, len(offsets) - 1 - position)
                    firsts.append((-context, window, position, owner, word, begin))
            before = word
    taken = set()
    for _, window, position, owner, word, begin in sorted(firsts):
        # A window may begin inside a word, which is then read in another window.
        if begin == begins[owner, word] and (owner, word) not in taken:
            taken.add((owner, word))
            yield window, position, owner, word
