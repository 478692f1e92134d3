"""Makes the files of the backbone `t5-tiny`: a configuration, and a tokenizer for English and German.

    uv pip install --target words --no-deps pyspellchecker==0.9.1
    python recipes/t5_tiny.py words/spellchecker/resources src/tlbench_hf/t5_tiny

The tokenizer is a byte-level BPE, so that no character is unknown to it. Its merges are learnt from the most frequent
words of the two languages as pyspellchecker (MIT) counts them, and from no text and no task. The same version of the
word lists gives the same files.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from collections.abc import Iterator
from pathlib import Path

import tokenizers
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

LANGUAGES = ("en", "de")
WORDS = 20_000
"""Of each language, the most frequent ones."""
VOCABULARY = 6_000
SPECIAL = ("<pad>", "</s>", "<unk>")


def main() -> None:
    """Reads the word lists and writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lists", type=Path, help="the folder with en.json.gz and de.json.gz")
    parser.add_argument("folder", type=Path, help="where to write")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    _tokenizer(arguments.lists).save_pretrained(arguments.folder)
    # indented, a list of merges takes twice the room
    path = arguments.folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False), "utf-8")
    # the name that every version of the library knows
    path = arguments.folder / "tokenizer_config.json"
    settings = {**json.loads(path.read_text("utf-8")), "tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", "utf-8")
    _config().save_pretrained(arguments.folder)
    print(f"{arguments.folder}: made with tokenizers {tokenizers.__version__}")


def _tokenizer(lists: Path) -> transformers.PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    backend.train_from_iterator(
        _words(lists),
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=list(SPECIAL),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    backend.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", SPECIAL.index("</s>"))]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def _words(lists: Path) -> Iterator[str]:
    """Yields words as often as they shall count: the root of their frequency, in small letters and with a capital."""
    for language in LANGUAGES:
        with gzip.open(lists / f"{language}.json.gz", "rt", encoding="utf-8") as file:
            counts: dict[str, int] = json.load(file)
        chosen = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:WORDS]
        least = chosen[-1][1]
        for word, count in chosen:
            for _ in range(max(1, round(math.sqrt(count / least)))):
                yield word
                yield word.capitalize()


def _config() -> transformers.T5Config:
    return transformers.T5Config(
        architectures=["T5ForConditionalGeneration"],
        vocab_size=VOCABULARY,
        d_model=192,
        d_kv=32,
        num_heads=6,
        d_ff=640,
        num_layers=4,
        num_decoder_layers=4,
        dropout_rate=0.1,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )


if __name__ == "__main__":
    main()
