"""A small whole file of each format that tlbench reads, and what reads it."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

ROWS = "text,label,other\n" + "".join(f'"a text, {i}",{"ab"[i % 2]},{i}\n' for i in range(24))
CONLL = "".join(f"word{i} B-PER\nof O\nplace I-PER\n\n" for i in range(12))
SUITE = """name = "mine"
[protocol]
trials = 4
seeds = [0, 1]
[[cells]]
tasks = ["toy-tone"]
backbones = ["toy"]
strategies = ["toy-fit"]
protocol = { epochs = 2 }
[space.toy-fit]
lr = { low = 1e-5, high = 1e-2 }
[[references]]
task = "toy-tone"
strategy = "toy-fit"
backbone = "toy"
metric = "accuracy"
value = 0.5
setting = "as there"
source = "Someone 2025"
url = "https://example.org"
"""


@dataclass(frozen=True)
class Sample:
    """One file as it should be."""

    name: str
    """Name of the file."""
    content: bytes
    read: Callable[[Path], Any]
    """Reads it as the commands do; raises a `UsageError` for what cannot be read."""


def _task(scheme: str, options: str = "") -> Callable[[Path], Any]:
    def read(path: Path) -> None:
        from tlbench.catalog.catalog import Catalog

        task = Catalog.discover().task(f"{scheme}:{path}{options}").item
        _ = task.output, task.sizes, task.metrics, task.description
        for split in ("train", "validation", "test"):
            task.split(split)

    return read


def parquet_bytes() -> bytes:
    """Returns a table of texts, lists, numbers and dates."""
    import datetime

    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    columns = {
        "text": [f"a text, {i}" for i in range(24)],
        "label": [i % 2 for i in range(24)],
        "words": [["a"] * (i % 3) for i in range(24)],
        "at": [datetime.datetime(2020, 1, 1 + i) for i in range(24)],
    }
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def predictions_bytes() -> bytes:
    """Returns predictions of two seeds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    columns = {
        "seed": [0] * 10 + [1] * 10, "id": [f"e{i}" for i in range(10)] * 2, "target": [i % 2 for i in range(10)] * 2,
        "value": [1, 0] * 10, "scores": [[0.25, 0.75]] * 20,
    }  # fmt: skip
    pq.write_table(pa.table(columns), file, compression="zstd")
    return file.getvalue()


def _packed(kind: str) -> bytes:
    file = io.BytesIO()
    members = {"data/train.csv": ROWS.encode(), "data/test.csv": ROWS.replace("a text", "other").encode()}
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=file, mode="w:gz") as tar:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def _image(format_: str) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    picture = Image.linear_gradient("L").resize((24, 16)).convert("RGB")
    picture.save(file, format_)
    return file.getvalue()


def _open_image(path: Path) -> None:
    from tlbench import ImageFile

    ImageFile.read(path, "0" * 16)


def _record() -> bytes:
    from tests.results.small import record

    return msgspec.json.encode(record(0))


def _read_record(path: Path) -> None:
    from tlbench.results.records.record_files import read_record

    read_record(path)


def _read_predictions(path: Path) -> None:
    from tlbench.contracts.errors import UsageError
    from tlbench.results.records.stored_predictions import read_predictions
    from tlbench.running.scoring.prediction_files import read_seed

    read_seed(path, 0)
    try:
        read_predictions(path, with_scores=True)
    except (OSError, ValueError) as error:  # as its documentation says
        raise UsageError(str(error)) from error


def _read_answers(path: Path) -> None:
    from tlbench.results.comparison.answer_files import read_answers

    read_answers(path)


def _read_rows(path: Path) -> None:
    from tlbench.running.prediction.row_files import open_rows

    opened = open_rows(path)
    try:
        for _ in opened.rows:
            opened.share()
    finally:
        opened.close()


def _read_suite(path: Path) -> None:
    from tlbench.planning.suite import read_suite

    read_suite(path)


def safetensors_bytes() -> bytes:
    """Returns two small tensors and metadata."""
    import numpy as np
    from safetensors.numpy import save

    return save({"a.weight": np.ones((2, 3), np.float32), "b": np.zeros(2, np.int64)}, {"made": "here"})


def _read_header(path: Path) -> None:
    from tlbench.contracts.errors import UsageError
    from tlbench.contracts.untrusted.safetensors_headers import read_header

    try:
        read_header(path)
    except ValueError as error:  # as its documentation says
        raise UsageError(str(error)) from error


def _model_settings(name: str) -> Callable[[Path], Any]:
    def read(path: Path) -> None:
        import shutil

        from tlbench.catalog.catalog import Catalog

        folder = path.parent / f"model-of-{path.stem}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for other, content in MODEL.items():
            (folder / other).write_bytes(content)
        (folder / name).write_bytes(path.read_bytes())
        backbone = Catalog.discover().backbone(f"hf:{folder}").item
        _ = backbone.card(), backbone.missing()

    return read


def _vectors(path: Path) -> None:
    from tlbench_words.vector_files import pin, read_header, read_vectors

    where, _ = pin(str(path))
    read_vectors(where, read_header(where))


def _corpus(path: Path) -> None:
    from tlbench_pretrain.corpus import corpus_examples

    corpus_examples(str(path), 20, words=False, pairs=False, seed=0)


def _squad() -> bytes:
    paragraphs = [
        {
            "context": f"a word {i}",
            "qas": [{"id": f"q{i}", "question": f"what {i}?", "answers": [{"text": "word", "answer_start": 2}]}],
        }
        for i in range(20)
    ]
    return json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}).encode()


MODEL = {
    "config.json": json.dumps(
        {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 30}
    ).encode(),
    "tokenizer.json": b'{"added_tokens": [{"id": 0, "content": "[MASK]", "special": true}], "model": {}}',
    "tokenizer_config.json": b'{"model_max_length": 32, "mask_token": "[MASK]", "tokenizer_file": null}',
    "model.safetensors.index.json": b'{"metadata": {}, "weight_map": {"a.weight": "model-1.safetensors"}}',
    "model-1.safetensors": safetensors_bytes(),
}
_LINES = "".join(json.dumps({"text": f"a text, {i}", "label": "ab"[i % 2], "n": i}) + "\n" for i in range(24)).encode()
SAMPLES = (
    Sample("a.csv", ROWS.encode(), _task("csv", "[text=text,label=label]")),
    Sample("a.tsv", ROWS.replace("text, ", "text ").replace(",", "\t").encode(), _task("tsv")),
    Sample("a.csv.gz", gzip.compress(ROWS.encode()), _task("csv", "[text=text,label=label]")),
    Sample("a.jsonl", _LINES, _task("jsonl", "[text=text,label=label]")),
    Sample("a.json", json.dumps([json.loads(line) for line in _LINES.splitlines()]).encode(), _task("jsonl")),
    Sample("a.parquet", parquet_bytes(), _task("parquet", "[text=text,label=label]")),
    Sample("a.conll", CONLL.encode(), _task("conll")),
    Sample("s.json", _squad(), _task("squad")),
    Sample("a.zip", _packed("zip"), _task("csv", "[text=text,label=label]")),
    Sample("a.tar.gz", _packed("tar"), _task("csv", "[text=text,label=label]")),
    *(Sample(f"a.{kind.lower()}", _image(kind), _open_image) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")),
    Sample("suite.toml", SUITE.encode(), _read_suite),
    Sample("0123456789abcdef.1.json", _record(), _read_record),
    Sample("0123456789abcdef.1.parquet", predictions_bytes(), _read_predictions),
    Sample("answers.csv", b"id,answer\n" + b"".join(b"e%d,%d\n" % (i, i % 2) for i in range(20)), _read_answers),
    Sample("answers.json", json.dumps({f"e{i}": i % 2 for i in range(20)}).encode(), _read_answers),
    Sample("rows.csv", ROWS.encode(), _read_rows),
    Sample("rows.jsonl", _LINES, _read_rows),
    Sample("rows.parquet", parquet_bytes(), _read_rows),
    Sample("weights.safetensors", safetensors_bytes(), _read_header),
    *(Sample(f"of-{name}", content, _model_settings(name)) for name, content in MODEL.items()),
    Sample("vectors.txt", "".join(f"w{i} {i} 0.5 -1\n" for i in range(20)).encode(), _vectors),
    Sample("corpus.txt", "".join(f"Sentence {i}. Another one.\n" for i in range(20)).encode(), _corpus),
)
