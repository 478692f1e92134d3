"""Small files that grow: refused in one line, before they fill the memory."""

import gzip
import io
import os
import struct
import zipfile
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tlbench import DataError, ImageFile
from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import SuiteError
from tlbench.contracts.untrusted.expansion import SMALLEST_LIMIT, most_bytes_from
from tlbench.contracts.untrusted.parquet_files import ParquetProblem, parquet_file
from tlbench.contracts.untrusted.safetensors_headers import read_header
from tlbench.contracts.untrusted.settings_files import parsed_json, read_json, read_toml
from tlbench.planning.suite import read_suite
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.running.scoring.prediction_files import read_seed

MOST_MEMORY = 2**29


@pytest.fixture(autouse=True)
def bounded_memory(tmp_path, monkeypatch):
    """Checks that a test needs less than 512 MiB more than there was before it."""
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("the peak of memory cannot be measured: /proc/self/clear_refs cannot be written")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = peak_memory()
    yield
    assert peak_memory() - before < MOST_MEMORY


def peak_memory():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024


def repeated_text():
    """Returns 20 GB of text in a column of one distinct value."""
    indices = pa.array([0] * 20_000, pa.int32())
    return pa.table({"text": pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 10**6])), "label": indices})


def repeated_numbers():
    zeros = pa.nulls(18_000_000, pa.int32()).fill_null(0)
    return pa.table({"text": pa.DictionaryArray.from_arrays(zeros, pa.array(["a"])), "label": zeros})


def one_page():
    return pa.table({"text": ["x" * 280_000_000], "label": [0]})


def one_list():
    values = pa.nulls(35_000_000, pa.int8()).fill_null(7)
    return pa.table({"text": pa.ListArray.from_arrays([0, len(values)], values), "label": [0]})


@pytest.fixture(
    scope="module", params=[repeated_text, repeated_numbers, one_page, one_list], ids=lambda one: one.__name__
)
def bomb(request, tmp_path_factory):
    """A Parquet file of less than a megabyte that holds gigabytes, or hundreds of millions of values."""
    path = tmp_path_factory.mktemp("bomb") / "a.parquet"
    table = request.param()
    dictionary = request.param is not one_page
    pq.write_table(
        table, path, compression="zstd", use_dictionary=dictionary, write_statistics=False, row_group_size=10**8
    )
    del table
    assert path.stat().st_size < 2**20
    return path


def test_a_parquet_file_that_grows_is_refused_as_data(bomb):
    with pytest.raises(DataError, match=r"a\.parquet: .*grows to more than 268,435,456 bytes in memory"):
        Catalog.discover().task(f"parquet:{bomb}[text=text,label=label]").item.split("train")


def test_a_parquet_file_that_grows_is_refused_as_predictions(bomb):
    assert read_seed(bomb, 0) is None
    with pytest.raises(ParquetProblem, match="grows to more than"), parquet_file(bomb) as file:
        file.table(["text", "label"])


def test_ids_that_grow_are_no_predictions(tmp_path):
    indices = pa.array([0] * 20_000, pa.int32())
    ids = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 10**6]))
    table = pa.table({"seed": indices, "id": ids, "target": indices, "value": indices})
    pq.write_table(table, tmp_path / "p.parquet", compression="zstd")
    with pytest.raises(ValueError, match="grows to more than"):
        read_predictions(tmp_path / "p.parquet")


def test_ordinary_tables_are_read_as_before(tmp_path):
    columns = {
        "text": ["a", None, "c"], "tags": [["x", "y"], [], None], "inner": [{"b": "z"}] * 3, "number": [1.5, 2, None],
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with parquet_file(tmp_path / "a.parquet", texts_as_indices=True) as file:
        rows = [row for batch in file.batches() for row in batch.to_pylist()]
    assert rows == pa.table(columns).to_pylist()


def test_what_a_file_may_grow_to_depends_on_its_size():
    assert most_bytes_from(100) == SMALLEST_LIMIT
    assert most_bytes_from(2**30) == 200 * 2**30


def test_a_compressed_table_that_grows(tmp_path):
    path = tmp_path / "a.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(260):
            file.write(b"a" * 2**20)
    with pytest.raises(DataError, match=r"a\.csv\.gz: unpacks to more than 268,435,456 bytes"):
        Catalog.discover().task(f"csv:{path}").item.split("train")


def test_an_archive_that_grows(tmp_path):
    path = tmp_path / "a.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.csv", "w") as file,
    ):
        for _ in range(260):
            file.write(b"a" * 2**20)
    with pytest.raises(DataError, match=r"a\.zip: it unpacks to more than 268435456 bytes"):
        Catalog.discover().task(f"csv:{path}").item.split("train")
    assert not list((tmp_path / "cache" / "archives").iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a" + ".a" * 200_000 + " = 1", "a key of more than 20 parts"),
        ("[" + "a." * 200_000 + "b]", "a key of more than 20 parts"),
        ("x = " + "[" * 100_000, "nested too deeply"),
        ("x = " + "9" * 1_000_000, "a number has too many digits"),
        ("x = '''" + "a.\n" * 400_000, "it is too large"),
        ("x = 1\n\xff", "not UTF-8"),
    ],
)
def test_a_suite_that_would_take_minutes(tmp_path, text, message):
    path = tmp_path / "suite.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SuiteError, match=message) as caught:
        read_suite(path)
    assert "\n" not in str(caught.value)


def test_an_ordinary_suite_has_dots_and_lists(tmp_path):
    path = tmp_path / "suite.toml"
    path.write_text(f'a.b."c.d" = {[1.5] * 500}\ntext = "{"one. two.three " * 100}"\n')
    assert read_toml(path)["a"]["b"]["c.d"] == [1.5] * 500


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9" * 1_000_000, "a number has too many digits"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        (b'"\xff"', "not UTF-8"),
        ("{", "not valid JSON"),
    ],
)
def test_json_that_python_cannot_read_is_one_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        parsed_json(text)
    (tmp_path / "a.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=rf"a\.json: {message}"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 2**40) + b" " * 100,
        struct.pack("<Q", 10) + b"[" * 10,
        b"\1",
        b"",
        struct.pack("<Q", 44) + b'{"a": {"dtype": "F32", "shape": [-1, 1e999]}}'[:44],
        struct.pack("<Q", 31) + b'{"a": {"dtype": 1, "shape": 2}}',
    ],
)
def test_a_header_of_weights_that_is_none(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.safetensors: "):
        read_header(tmp_path / "a.safetensors")


def png(width, height):
    """Returns a file of some bytes that claims to be an image of this size."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("width", "height"), [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (10_000_000, 1), (1, 10_000_000)]
)
def test_an_image_of_a_few_bytes_that_claims_many_pixels(tmp_path, width, height):
    (tmp_path / "a.png").write_bytes(png(width, height))
    with pytest.raises(DataError, match=r"a\.png: "):
        ImageFile.read(tmp_path / "a.png", "0" * 16)


def test_a_png_text_that_grows(tmp_path):
    from PIL import Image, PngImagePlugin

    about = PngImagePlugin.PngInfo()
    about.add_text("comment", "x" * 2**26, zip=True)
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG", pnginfo=about)
    (tmp_path / "a.png").write_bytes(file.getvalue())
    with pytest.raises(DataError, match=r"a\.png: not an image that can be read: Decompressed data too large"):
        ImageFile.read(tmp_path / "a.png", "0" * 16)


def test_one_line_without_an_end(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a", "label": 1}' * 200_000)
    with pytest.raises(DataError, match=r"a\.jsonl.*not JSON"):
        Catalog.discover().task(f"jsonl:{tmp_path / 'a.jsonl'}").item.split("train")
