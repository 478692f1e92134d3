"""Suggests the name of a Hugging Face model for a backbone that was given without the scheme `hf:`."""

from __future__ import annotations

import re
from pathlib import Path

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")
_FILES = (".txt", ".vec", ".csv", ".json", ".safetensors", ".bin", ".pt", ".pth")
"""File name extensions; a name that ends in one of them is taken for a file, not a repository."""
# Models that once had names without an organisation, with the organisation that the hub moved them to.
_ORGANISATIONS = {
    r"bert-(base|large)-.+": "google-bert",
    r"roberta-(base|large)(-.+)?": "FacebookAI",
    r"xlm-(roberta|mlm|clm)-.+": "FacebookAI",
    r"distil(bert|roberta)-.+": "distilbert",
    r"(distilgpt2)": "distilbert",
    r"(gpt2(-medium|-large|-xl)?|openai-gpt)": "openai-community",
    r"t5-(small|base|large|3b|11b)": "google-t5",
    r"albert-(base|large|xlarge|xxlarge)-v[12]": "albert",
    r"xlnet-(base|large)-cased": "xlnet",
    r"camembert-base": "almanach",
    r"deberta-(v3-)?(xsmall|small|base|large)": "microsoft",
}


def suggested(name: str) -> list[str]:
    """Returns names with the scheme `hf:` that a name without one may mean."""
    for pattern, organisation in _ORGANISATIONS.items():
        if re.fullmatch(pattern, name, re.IGNORECASE):
            return [f"hf:{organisation}/{name}"]
    try:
        is_model = (Path(name).expanduser() / "config.json").is_file()
    # There is no such user (~name), or the name is too long for a path.
    except (RuntimeError, OSError, ValueError):
        return []
    is_repository = _REPOSITORY.fullmatch(name) and not name.lower().endswith(_FILES)
    return [f"hf:{name}"] if is_model or is_repository else []
