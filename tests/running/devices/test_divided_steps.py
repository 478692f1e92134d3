"""Steps whose gradients come from two devices, and whose moments are divided between them."""

import json
import subprocess
import sys
from pathlib import Path


def test_steps_of_two_devices_are_those_of_one(gloo, tmp_path):
    script = str(Path(__file__).with_name("divided_steps.py"))
    done = subprocess.run([sys.executable, script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["statuses"] == [0, 0]
    for found in answer["found"]:
        # Two addends have one sum in any order, so that nothing is rounded otherwise.
        assert found["differences"] == [0.0, 0.0]
        assert found["states"] == [4, 1, 3], "the first of four weights has as many numbers as the others together"
