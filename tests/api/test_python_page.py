"""What docs/python.md shows works as it stands there, among the toys."""

import re
from functools import partial
from pathlib import Path

import tlbench
from tests.api.conftest import HERE

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
TOYS = {"sst2-lite": "toy-tone", "minilm-l6": "toy", "linear-probe": "toy-fit", "full-finetune": "toy-tune"}


def test_the_blocks_of_the_page_work(toys, monkeypatch, capsys):
    text = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    for name, toy in TOYS.items():
        assert name in text
        text = text.replace(name, toy)
    monkeypatch.setattr(tlbench, "run", partial(tlbench.run, **HERE))
    monkeypatch.setattr(tlbench, "find", partial(tlbench.find, policy="in-order", until="accuracy>0.4", **HERE))
    values = {}
    exec(compile(text, str(PAGE), "exec"), values)
    assert values["found"].best.seeds
    assert set(values["table"]["cell"]) < set(values["everything"]["cell"])
    assert [record.status for record in values["result"].records] == ["ok"] * len(values["result"].records)
    assert "friendly" in capsys.readouterr().out


def test_the_page_names_every_argument():
    from tlbench.api.checked_options import FindOptions, RunOptions

    text = PAGE.read_text(encoding="utf-8")
    running, finding = text[text.index("## Running") : text.index("## Finding")], text[text.index("## Finding") :]
    for part, options in ((running, RunOptions), (finding, FindOptions)):
        assert [name for name in options.__annotations__ if not re.search(rf"`{name}\b", part)] == []
