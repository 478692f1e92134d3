"""Loads exported folders by calls of transformers, peft, sentence-transformers and timm, and predicts rows with them.

It runs in an environment without tlbench: `python fresh_process.py < orders.json > predictions.json`. An order is
{"folder", "rows", "call"}; predictions are what `predict.py` of an exported folder returns.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

LONGEST_ANSWER = 30


def text_classification(folder: Path, rows: list[list[Any]]) -> list[dict[str, Any]]:
    """Classes, labels or a number by transformers' pipeline; only the rows' first inputs are read."""
    import transformers

    pipe = transformers.pipeline("text-classification", model=str(folder))
    kind = pipe.model.config.problem_type
    found = []
    for answer in pipe([row[0] for row in rows], top_k=None, truncation=True):
        scores = {one["label"]: one["score"] for one in answer}
        names = pipe.model.config.id2label.values()
        if kind == "regression":
            found.append({"value": answer[0]["score"]})
        elif kind == "multi_label_classification":
            found.append({"labels": [name for name in names if scores[name] > 0.5], "scores": scores})
        else:
            found.append({"label": max(scores, key=lambda name: scores[name]), "scores": scores})
    return found


def sentence_transformers(folder: Path, rows: list[list[Any]]) -> list[dict[str, Any]]:
    """Classes by the modules of sentence-transformers, whose last one gives logits."""
    from sentence_transformers import SentenceTransformer

    logits = SentenceTransformer(str(folder), device="cpu").encode([row[0] for row in rows])
    return _named(logits, json.loads((folder / "model.json").read_text())["output"]["names"])


def onnx_runtime(folder: Path, rows: list[list[Any]]) -> list[dict[str, Any]]:
    """Classes by ONNX Runtime alone, of what the folder's tokenizer makes of the rows."""
    import onnxruntime
    import transformers

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer([row[0] for row in rows], padding=True, truncation=True, return_tensors="np")
    (logits,) = session.run(None, {one.name: batch[one.name].astype(np.int64) for one in session.get_inputs()})
    return _named(logits, json.loads((folder / "model.json").read_text())["output"]["names"])


def token_classification(folder: Path, rows: list[list[Any]]) -> list[dict[str, Any]]:
    """A tag of each word, read at the word's first token."""
    import transformers

    model = transformers.AutoModelForTokenClassification.from_pretrained(folder).eval()
    names = model.config.id2label
    return [{"tags": [names[tag] for tag in tags]} for tags in _tags(folder, rows, lambda batch: model(**batch).logits)]


def peft_words(folder: Path, rows: list[list[Any]]) -> list[dict[str, Any]]:
    """A tag of each word by the backbone, an adapter of peft, and the linear head beside them."""
    import peft
    import torch
    import transformers
    from safetensors.torch import load_file

    base = transformers.AutoModel.from_pretrained(folder / "base", add_pooling_layer=False)
    model = peft.PeftModel.from_pretrained(base, str(folder)).eval()
    head = load_file(folder / "head.safetensors")
    names = json.loads((folder / "model.json").read_text())["output"]["names"]

    def logits(batch: Any) -> Any:
        x = model(**batch).last_hidden_state
        return torch.nn.functional.linear(x, head["0.weight"], head["0.bias"])

    return [{"tags": [names[tag] for tag in tags]} for tags in _tags(folder, rows, logits)]


def _tags(folder: Path, rows: list[list[Any]], logits_of: Any) -> list[list[int]]:
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = []
    for (words,) in rows:
        batch = tokenizer([words], is_split_into_words=True, truncation=True, return_tensors="pt")
        owners = batch.word_ids(0)
        with torch.inference_mode():
            best = logits_of(batch)[0].argmax(-1).tolist()
        found.append([best[owners.index(word)] for word in range(len(words))])
    return found


def question_answering(folder: Path, rows: list[list[Any]]) -> list[dict[str, Any]]:
    """The best span of each context, which fits into one window."""
    import torch
    import transformers

    model = transformers.AutoModelForQuestionAnswering.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = []
    for question, context in rows:
        batch = tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True)
        offsets = batch.pop("offset_mapping")[0].tolist()
        places = [i for i, part in enumerate(batch.sequence_ids(0)) if part == 1]
        with torch.inference_mode():
            output = model(**batch)
        starts, ends = output.start_logits[0], output.end_logits[0]
        spans = [(a, b) for a in places for b in places if a <= b < a + LONGEST_ANSWER]
        first, last = max(spans, key=lambda span: float(starts[span[0]] + ends[span[1]]))
        found.append({"text": context[offsets[first][0] : offsets[last][1]].strip()})
    return found


def seq2seq(folder: Path, rows: list[list[Any]]) -> list[dict[str, Any]]:
    """A generated text for each row, by the folder's own generation settings."""
    import torch
    import transformers

    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = []
    for (text,) in rows:
        with torch.inference_mode():
            ids = model.generate(**tokenizer(text, truncation=True, return_tensors="pt"))
        found.append({"text": tokenizer.decode(ids[0], skip_special_tokens=True).strip()})
    return found


def timm(folder: Path, rows: list[list[Any]]) -> list[dict[str, Any]]:
    """Classes of images by timm's model, with its own preprocessing and names."""
    import timm as library
    import torch
    from PIL import Image

    model = library.create_model(f"local-dir:{folder}", pretrained=True).eval()
    transform = library.data.create_transform(**library.data.resolve_model_data_config(model), is_training=False)
    pixels = torch.stack([transform(Image.open(row[0]).convert("RGB")) for row in rows])
    with torch.inference_mode():
        return _named(model(pixels).numpy(), model.pretrained_cfg["label_names"])


def _named(logits: Any, names: list[str]) -> list[dict[str, Any]]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances = powers / powers.sum(axis=1, keepdims=True)
    return [
        {"label": names[int(row.argmax())], "scores": dict(zip(names, map(float, row), strict=True))} for row in chances
    ]


CALLS = {
    one.__name__: one
    for one in (
        text_classification, sentence_transformers, onnx_runtime, token_classification, peft_words, question_answering,
        seq2seq, timm,
    )
}  # fmt: skip


def by_script(folder: Path, rows: list[list[Any]]) -> list[dict[str, Any]]:
    """Returns what the folder's own `predict.py` predicts."""
    spec = importlib.util.spec_from_file_location("predict", folder / "predict.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: list[dict[str, Any]] = module.FolderModel()(rows)
    return found


def main() -> int:
    """Writes a pair of predictions, by the library's call (or None) and by the script, for each order."""
    if importlib.util.find_spec("tlbench"):
        sys.stderr.write("tlbench can be imported here: take an environment without it\n")
        return 2
    found = []
    for order in json.load(sys.stdin):
        folder, rows, call = Path(order["folder"]), order["rows"], CALLS.get(order["call"])
        found.append((call(folder, rows) if call else None, by_script(folder, rows)))
    sys.stdout.write("\n" + json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
