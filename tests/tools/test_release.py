"""Distributions agree in version and metadata; links of READMEs are absolute; wheels work in a clean environment."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path, PurePosixPath

import pytest
import yaml

from tlbench import __version__
from tools.release.build import absolute_links, build
from tools.release.clean_environment import linked_environment
from tools.release.distributions import ROOT, compatible, distributions
from tools.release.set_version import main as set_version
from tools.release.try_wheels import START, fault_alone, fault_of_start

ALL = distributions()
CORE = ALL[0]
UV = Path(sys.executable).with_name("uv")
BETWEEN = re.compile(r"(tlbench(?:-[a-z]+)?)(\[[a-z,]+\])?(.*)")


def test_versions_are_equal_and_plugins_need_the_same_minor_version():
    assert len(ALL) > 10
    assert {one.version for one in ALL} == {__version__}
    wanted = compatible(__version__)
    names = {one.name for one in ALL}
    for one in ALL:
        for requirement in one.requirements:
            name, extras, versions = BETWEEN.fullmatch(requirement).groups() if "tlbench" in requirement else (0, 0, 0)
            if name:
                assert name in names, requirement
                assert versions == wanted or (extras and one is CORE), f"{one.name}: {requirement}"
    assert all(any(need.startswith("tlbench>=") for need in one.project["dependencies"]) for one in ALL[1:])
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__


def test_every_distribution_has_the_same_kind_of_metadata():
    for one in ALL:
        project = one.project
        assert project["license"] == "Apache-2.0"
        assert project["urls"].keys() == {"Homepage", "Source", "Issues", "Changelog"}
        assert project["urls"]["Source"] == CORE.project["urls"]["Source"]
        assert project["classifiers"] == CORE.project["classifiers"]
        assert project["requires-python"] == CORE.project["requires-python"]
        assert "urllib" not in project["description"]
        assert list(one.folder.glob("src/*/py.typed")), one.name


def test_extras_hold_every_plugin_but_those_that_send_results_to_a_server():
    extras = CORE.project["optional-dependencies"]
    named = {re.match(r"[a-z-]+", need)[0] for extra in ("all", "text", "vision") for need in extras[extra]}
    servers = {"tlbench-mlflow", "tlbench-ray", "tlbench-slurm", "tlbench-wandb"}
    assert named == {one.name for one in ALL} - servers
    # A page that tells somebody to install an extra names one that there is.
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("plugins/*/README.md")):
        for extra in re.findall(r"tlbench\[([a-z,]+)\]", page.read_text()):
            assert set(extra.split(",")) <= extras.keys(), f"{page}: tlbench[{extra}]"


@pytest.mark.parametrize(
    ("version", "range_"), [("0.1.0", ">=0.1,<0.2"), ("0.12.3", ">=0.12,<0.13"), ("2.3.4", ">=2.3,<3")]
)
def test_the_range_of_versions_that_work_together(version, range_):
    assert compatible(version) == range_


def test_one_command_moves_all_versions(tmp_path):
    for name in ("pyproject.toml", "CHANGELOG.md", "CITATION.cff", "src/tlbench/system/version.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for one in ALL[1:]:
        target = tmp_path / one.folder.relative_to(ROOT)
        target.mkdir(parents=True)
        shutil.copy(one.folder / "pyproject.toml", target)
    assert set_version(["0.7.0", "--root", str(tmp_path)]) == 0
    moved = distributions(tmp_path)
    assert {one.version for one in moved} == {"0.7.0"}
    needs = [need for one in moved for need in one.requirements if need.startswith("tlbench") and "[" not in need]
    assert {BETWEEN.fullmatch(need)[3] for need in needs} == {">=0.7,<0.8"}
    assert len(needs) > 20
    assert re.search(
        r"## \[Unreleased\]\n\n## \[0\.7\.0\] - \d{4}-\d\d-\d\d\n", (tmp_path / "CHANGELOG.md").read_text()
    )
    for wrong in ("0.7.0", "1", "v0.8.0", "0.8.0rc1"):
        with pytest.raises(SystemExit):
            set_version([wrong, "--root", str(tmp_path)])


def test_links_of_a_readme_become_absolute():
    text = (
        "[a](../../README.md#x) ![b](docs/b.svg) [![c](c.svg)](LICENSE) [d](https://d.org/x) [e](#here) [f](mailto:x)"
    )
    assert absolute_links(text, PurePosixPath("plugins/p"), "https://h/%s/v1/") == (
        "[a](https://h/blob/v1/README.md#x) ![b](https://h/raw/v1/plugins/p/docs/b.svg)"
        " [![c](https://h/raw/v1/plugins/p/c.svg)](https://h/blob/v1/plugins/p/LICENSE) [d](https://d.org/x) [e](#here)"
        " [f](mailto:x)"
    )


def test_every_link_that_is_made_absolute_leads_to_a_file():
    for one in ALL:
        at = PurePosixPath(one.folder.relative_to(ROOT).as_posix())
        for address in re.findall(
            r"HERE/\w+/([^)\s#]+)", absolute_links((one.folder / "README.md").read_text(), at, "HERE/%s/")
        ):
            assert (ROOT / address).exists(), f"{one.name}: {address}"


def test_the_release_uploads_without_a_token_and_builds_without_rights():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    build_job, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    assert workflow["permissions"] == {}
    assert set(workflow[True]) == {"push"}
    assert build_job["permissions"] == {"contents": "read"}
    assert publish["permissions"] == {"id-token": "write"}
    assert not any("run" in step for step in publish["steps"])
    for step in (*build_job["steps"], *publish["steps"]):
        assert "uses" not in step or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])
        assert "password" not in step.get("with", {})


@pytest.mark.parametrize(
    ("tag", "repository", "line"),
    [
        ("v9.9.9", CORE.project["urls"]["Source"], "make release-version V=9.9.9"),
        (f"v{__version__}", "https://example.org/other", "correct the addresses first"),
    ],
)
def test_a_tag_that_is_not_the_version_is_not_released(tag, repository, line):
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TAG": tag, "REPOSITORY": repository}
    done = subprocess.run([ROOT / ".ci/release-check"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert line in done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheels and source distributions of what a first run of texts needs."""
    pytest.importorskip("hatchling", reason="wheels are built by hatchling: `make dist` installs it")
    if not UV.exists():
        pytest.skip("wheels are built and installed by uv, which is not in this environment")
    wanted = {"tlbench", "tlbench-data", "tlbench-finetune", "tlbench-glue", "tlbench-hf"}
    folder = tmp_path_factory.mktemp("dist")
    return build([one for one in ALL if one.name in wanted], folder, str(UV))


def test_a_wheel_holds_every_file_of_its_source_and_the_licence(built):
    for wheel in (path for path in built if path.suffix == ".whl"):
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
            metadata = Parser().parsestr(archive.read(next(n for n in names if n.endswith("/METADATA"))).decode())
        one = next(one for one in ALL if one.name == metadata["Name"])
        source = one.folder / "src"
        files = {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file() and p.suffix != ".pyc"}
        packed = {name for name in names if ".dist-info/" not in name}
        assert packed == files
        assert metadata["License-Expression"] == "Apache-2.0"
        assert metadata.get_all("License-File") == ["LICENSE"]
        assert "](docs/" not in metadata.get_payload()
        assert "](../" not in metadata.get_payload()
    for source in (path for path in built if path.name.endswith(".tar.gz")):
        with tarfile.open(source) as archive:
            assert any(name.endswith("/LICENSE") for name in archive.getnames())


def test_wheels_alone_run_the_start_of_the_readme(built, tmp_path):
    environment = linked_environment(tmp_path / "env", [path for path in built if path.suffix == ".whl"], str(UV))
    where = environment.run("python", "-c", "import tlbench, tlbench_hf; print(tlbench.__file__)", cwd=tmp_path)
    assert str(tmp_path / "env") in where.stdout, where.stderr
    assert fault_of_start(environment, tmp_path, START[:2]) == ""


def test_the_core_alone_says_in_one_line_what_is_missing(built, tmp_path):
    wheel = next(path for path in built if path.name.startswith("tlbench-") and path.suffix == ".whl")
    environment = linked_environment(tmp_path / "env", [wheel], str(UV))
    assert fault_alone(environment, CORE, tmp_path) == ""
