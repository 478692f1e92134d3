"""`tlbench.find`: the answer, the winner that predicts, and what goes on after an interruption."""

import pytest

import tlbench
from tests.api.test_run_function import TAGS, Parts
from tlbench import UsageError
from tlbench.api.find_function import FindResult
from tlbench.finding.answering.answer import FindAnswer
from tlbench.finding.find_folder import FindFolder
from tlbench.finding.request import FindRequest


def test_a_search_returns_its_answer_and_a_winner_that_predicts(find, capsys):
    found = find(until="accuracy>0.4")
    assert capsys.readouterr() == ("", "")
    assert found.best is found.answer.winner
    assert (found.metric, found.tied, found.seconds) == ("accuracy", found.answer.tied, found.answer.seconds)
    assert {"spent", "untried", "winner", "best"} <= {*dir(found)}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = found.nothing
    rows = found.winner.predict(["the film is lovely", "a song is dull"])
    assert {row["prediction"] for row in rows} <= {"unfriendly", "friendly"}
    assert found.winner is found.winner, "it is loaded once"
    assert found.winner.record.cell.id == found.best.cell
    parts = Parts(found._repr_html_())
    assert parts.tags <= TAGS
    shown = " ".join(parts.texts)
    assert found.best.title in shown
    assert found.best.cell[:8] in shown
    assert "on the sealed test split" in shown
    assert repr(found) == f"FindResult(toy-tone: {found.best.title})"


def test_an_interrupted_search_goes_on(find, monkeypatch):
    save, fits = FindFolder.save_outcome, []

    def interrupted(self, *args, **kwargs):
        save(self, *args, **kwargs)
        fits.append(args)
        if len(fits) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(FindFolder, "save_outcome", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        find()
    assert caught.value.__notes__ == ["tlbench.find: the same call goes on with the time that is left"]
    found = find()
    assert found.best is not None
    assert sum(one.fits for one in found.spent) == len(fits), "the first fit was not made again"


def test_without_a_winner_nothing_is_loaded(tmp_path):
    answer = FindAnswer(FindRequest("toy-tone", 1.0), "accuracy", True, 100.0, 64, 32, None, None)
    found = FindResult(answer, tmp_path)
    with pytest.raises(UsageError, match=r"tlbench.find: there is no winner to load: no fit gave a score"):
        _ = found.winner
    assert repr(found) == "FindResult(toy-tone: no fit gave a score)"
    assert "no fit gave a score within the time" in found._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"minutes": 0}, "minutes"),
        ({"minutes": float("nan")}, "minutes: expected a finite number"),
        ({"task": "nothing-like-it"}, "unknown task"),
        ({"task": ""}, "task: expected a name"),
        ({"until": "accuracy!0.9"}, "accuracy!0.9"),
        ({"minuets": 3}, "tlbench.find: no argument is called minuets; did you mean minutes"),
        ({"max_parameters": 1}, "no backbone for text is left"),
        ({"licences": 7}, "licences: expected a name"),
        ({"policy": "nobody"}, "unknown policy"),
        ({"device": "abacus"}, "tlbench.find: device abacus"),
    ],
)
def test_a_mistake_is_one_line(toys, arguments, said):
    chosen = {"task": "toy-tone", "minutes": 30, "backbones": "toy", "strategies": "toy-fit", "executor": "inline"}
    with pytest.raises(UsageError) as caught:
        tlbench.find(**{**chosen, **arguments})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
