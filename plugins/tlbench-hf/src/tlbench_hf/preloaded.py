"""Modules imported once for all workers: what loading and tokenising need, and caches that transformers fills."""

from __future__ import annotations

from contextlib import suppress

import safetensors.torch  # noqa: F401
import transformers.modeling_utils
import transformers.models.auto.modeling_auto
import transformers.models.auto.tokenization_auto
import transformers.models.bert.modeling_bert
import transformers.models.bert.tokenization_bert
import transformers.tokenization_utils_fast  # noqa: F401

import tlbench_hf.loading
import tlbench_hf.text.span_rows
import tlbench_hf.text.tokenizing
import tlbench_hf.text.word_rows  # noqa: F401

# transformers compiles a thousand patterns when it first loads weights, which takes longer than loading a small model.
# The function is not public; if a release of transformers lacks it, each worker compiles the patterns itself.
with suppress(Exception):
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    get_checkpoint_conversion_mapping("bert")
