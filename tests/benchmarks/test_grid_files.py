import msgspec
import numpy as np
import pytest

from benchmarks.find.grid_files import (
    Encoding,
    Grid,
    GridBackbone,
    GridCandidate,
    GridFit,
    GridTask,
    check_grid,
    read_grid,
    read_grids,
    rung_of,
    write_grid,
)
from tlbench import DataError

ROWS = {"validation": 13, "test": 21}


def described(**changes):
    task = GridTask(
        task="toy",
        modality="text",
        classes=2,
        train_rows=40,
        validation_rows=ROWS["validation"],
        test_rows=ROWS["test"],
        backbones=(GridBackbone("bert", "bert", 100, 0.5, {"knn": 0.7}, {"knn": 0.1}, (0,)),),
        candidates=(
            GridCandidate("majority", "baseline", ({},)),
            GridCandidate("full-finetune", "adaptation", ({"lr": 1e-3}, {"lr": 1e-2}), "bert", "all weights", 100),
        ),
        encodings=(Encoding("bert, train, 3 stages", 1.5),),
        fits=(
            GridFit(0, 0, 0, (0.1, 0.1, 0.1), (0.0, 0.0, 0.0), constant=(True, True, True)),
            GridFit(1, 0, 0, (1.0, 4.0, 8.0), (0.1, 0.12, 0.1), encodings=(0,), steps=100),
            GridFit(1, 1, 0, (1.0, 4.0, 4.5), (0.1, 0.2, 0.2), answered=(True, True, False), status="diverged"),
            GridFit(1, 0, 1, (1.0, 4.0, 8.0), (0.1, 0.12, 0.1), steps=100),
        ),
    )
    return msgspec.structs.replace(task, **changes)


def grid(**changes):
    task, random = described(**changes), np.random.default_rng(0)
    shapes = (len(task.fits), 3, ROWS["validation"]), (len(task.fits), ROWS["test"])
    return Grid(task, *(random.random(shape) < 0.7 for shape in shapes))


def test_a_grid_is_read_as_it_was_written(tmp_path):
    written = grid()
    write_grid(written, tmp_path)
    (read,) = read_grids(tmp_path).values()
    assert read.task == written.task
    assert np.array_equal(read.validation, written.validation)
    assert np.array_equal(read.test, written.test)
    assert read.index[1, 0, 1] == 3
    with np.load(tmp_path / "toy.npz") as file:
        assert {name: file[name].shape for name in file.files} == {"validation": (4, 3, 2), "test": (4, 3)}


def test_rungs_are_named_by_the_parts_of_a_proposal():
    assert [rung_of(part) for part in (8, 2, None)] == [0, 1, 2]
    with pytest.raises(ValueError, match="not in tuple"):
        rung_of(4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "format 99"),
        ({"validation_rows": 14}, r"shape of validation is \(4, 3, 13\)"),
        ({"fits": (*described().fits[:3], described().fits[1])}, "twice"),
        ({"encodings": ()}, "fit 1: it reads an encoding"),
        ({"backbones": ()}, "candidate 1: the backbone bert"),
        ({"candidates": (*described().candidates, GridCandidate("knn", "probe", ({},)))}, "candidate 2: setting 0"),
        (
            {"fits": (*described().fits[:3], GridFit(1, 1, 1, (2.0, 1.0, 3.0), (0.0, 0.0, 0.0)))},
            "fit 3: its seconds by rung",
        ),
        ({"fits": (*described().fits[:3], GridFit(5, 0, 1, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))}, "no candidate 5"),
        (
            {"fits": (*described().fits[:3], GridFit(1, 1, 1, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), status="failed"))},
            "fit 3: its status is failed",
        ),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(changes, message, tmp_path):
    with pytest.raises(DataError, match=message):
        check_grid(grid(**changes), "toy")
    with pytest.raises(DataError, match=message):
        write_grid(grid(**changes), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_damaged_or_missing_file_is_one_line(tmp_path):
    with pytest.raises(DataError, match="make_grid"):
        read_grids(tmp_path)
    write_grid(grid(), tmp_path)
    (tmp_path / "toy.npz").write_bytes(b"not an archive")
    with pytest.raises(DataError, match="cannot be read"):
        read_grid(tmp_path, "toy")
    (tmp_path / "toy.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_grid(tmp_path, "toy")
    assert "\n" not in str(caught.value)
