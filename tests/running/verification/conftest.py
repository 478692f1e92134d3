"""A submission of a toy cell, and a copy of it that a test may change."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from tests.running.conftest import Runs
from tlbench.results.records.store import Store
from tlbench.results.submissions.manifest import MANIFEST, listed
from tlbench.results.submissions.packing import packed_files, write_submission
from tlbench.results.submissions.submitted_files import submitted_files
from tlbench.running.verification.verify import verify
from tlbench.system.integrity.sealed_json import sealed


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A folder with the submission of a toy cell of two trials and two seeds, and the catalog."""
    root = tmp_path_factory.mktemp("honest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
        runs = Runs(root / "out")
        runs.run(["toy-fit"], trials=2, seeds=(0, 1))
    store = Store.open(root / "out")
    write_submission(packed_files(store, sorted(store.attempts()), "toys"), root / "sent")
    return root / "sent", runs.catalog


@pytest.fixture
def sent(honest, tmp_path):
    return Sent(shutil.copytree(honest[0], tmp_path / "sent"), honest[1])


class Sent:
    """A submission that can be changed."""

    def __init__(self, root, catalog):
        self.root, self.catalog = root, catalog
        (self.record,) = (path for path in (root / "records").glob("*.json"))
        self.predictions = self.record.with_suffix(".parquet")
        self.validation = self.record.with_suffix(".validation.parquet")

    def listed_anew(self):
        manifest = json.loads((self.root / MANIFEST).read_bytes())
        names = [path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file()]
        contents = {name: (self.root / name).read_bytes() for name in names if name != MANIFEST}
        manifest["files"] = {
            name: {"sha256": listed(content).sha256, "bytes": len(content)} for name, content in contents.items()
        }
        (self.root / MANIFEST).write_text(json.dumps(manifest))

    def change(self, edit):
        record = json.loads(self.record.read_bytes())
        # Whoever tampers with a record makes a new digest.
        del record["digest"]
        edit(record)
        self.record.write_bytes(sealed(json.dumps(record).encode()))
        self.listed_anew()

    def change_table(self, path, edit):
        pq.write_table(edit(pq.read_table(path)), path)
        self.listed_anew()

    def verified(self, **options):
        with submitted_files(self.root) as files:
            return verify(files, self.catalog, **options)

    def faults(self):
        found = self.verified()
        assert found.tier is None
        lines = [*found.faults.values(), *(fault for one in found.records for fault in one.faults)]
        assert not any("\n" in line for line in lines)
        return lines
