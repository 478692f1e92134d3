"""Published scores beside ours, in every format."""

from __future__ import annotations

import json
import re
from statistics import fmean

import msgspec
import pytest

from tlbench.contracts.cell import Plan, Ref
from tlbench.contracts.published.reference import PublishedScore, Reference
from tlbench.results.leaderboard import frame
from tlbench.results.records.store import Store
from tlbench.results.render.formats import FORMATS
from tlbench.results.render.page import Page
from tlbench.results.render.view import View
from tlbench.system.integrity.sealed_json import unsealed

SCORE = PublishedScore(
    metric="accuracy", value=0.5, std=0.01, setting="10 draws", source="Somebody 2020", url="https://example.org/a"
)


@pytest.fixture
def page_of(made):
    def page(*scores, status="ok", task="t"):
        cell = msgspec.structs.replace(made.cell(), task=Ref(task))
        record = made.record(cell, made.answers() if status == "ok" else None, status=status)
        references = tuple(Reference(cell.id, one) for one in scores)
        return Page(frame([record]), view=View(references=references)), record

    return page


def test_the_difference_is_ours_minus_published(page_of):
    page, record = page_of(SCORE)
    (row,) = page.published
    ours = fmean(one.value for one in record.scores if one.metric == "accuracy")
    assert row.values["difference"].value == pytest.approx(ours - 0.5)
    assert row.values["difference"].text == f"+{100 * (ours - 0.5):.1f}"
    assert row.values["published"].text == "50.0 ± 1.0"
    assert row.values["ours"].text.startswith(f"{100 * ours:.1f}")
    low, high = row.values["interval"].value
    assert low < ours < high


def test_a_lower_score_of_ours_has_a_minus(page_of):
    (row,) = page_of(msgspec.structs.replace(SCORE, value=1.0))[0].published
    assert re.fullmatch(r"-\d+\.\d", row.values["difference"].text)


def test_a_metric_that_does_not_rank_has_no_interval(page_of):
    (row,) = page_of(msgspec.structs.replace(SCORE, metric="f1", std=None, stderr=0.02))[0].published
    assert row.values["published"].text == "50.0, SE 2.0"
    assert row.values["interval"].text == "-"
    assert (row.values["ours"].value is None) == (row.values["difference"].text == "-")


def test_without_a_score_of_ours_the_published_one_stays(page_of):
    (row,) = page_of(SCORE, status="oom")[0].published
    assert (row.values["ours"].text, row.values["difference"].text) == ("-", "-")


def test_a_cell_that_is_not_in_the_table_is_left_out(page_of):
    page, _ = page_of()
    others = Page(page.frame(), view=View(references=(Reference("0" * 16, SCORE),)))
    assert others.published == ()
    assert "Published" not in FORMATS["markdown"].render(others)


def test_formats_show_figure_source_and_address(page_of):
    page, record = page_of(msgspec.structs.replace(SCORE, differs="9 draws"))
    markdown = FORMATS["markdown"].render(page)
    assert "## Published beside ours" in markdown
    assert "[1](https://example.org/a)" in markdown
    assert "1. 10 draws. Ours: 9 draws. Somebody 2020: <https://example.org/a>" in markdown
    terminal = FORMATS["terminal"].render(page)
    assert re.search(r"published beside ours\n.*\n(.*\n)?.* 50\.0 ± 1\.0 ", terminal)
    assert re.search(r"\[1\] \S+ \| \S+\. 10 draws\. Ours: 9 draws\. Somebody 2020:\s+https://example.org/a", terminal)
    (published,) = json.loads(FORMATS["json"].render(page))["published"]
    assert (published["cell"], published["url"], published["std"]) == (record.cell.id, SCORE.url, 0.01)
    assert published["values"]["published"]["value"] == 0.5


def test_texts_of_a_foreign_plan_are_harmless(page_of):
    hostile = msgspec.structs.replace(SCORE, setting="\x1b[31m<script>|x", source="[a](javascript:b)\n# h")
    page, _ = page_of(hostile)
    markdown = FORMATS["markdown"].render(page)
    assert "\x1b" not in FORMATS["terminal"].render(page)
    assert not re.search(r"(?<!`)<script>|\n# h|(?<!`)\[a\]\(javascript", markdown.replace("`<script>|x`", ""))


@pytest.mark.parametrize("address", ["javascript:alert(1)", r"https://a\u001b[31m", "https://a|b", r"https://a\n"])
def test_the_plan_keeps_references_and_a_bad_address_is_not_read(tmp_path, made, address):
    store = Store.create(tmp_path / "out")
    reference = Reference(made.cell().id, SCORE)
    store.save_plan(Plan("s", (made.cell(),), (), (reference,)))
    assert Store.open(store.root).references() == (reference,)
    plan = store.root / "plan.json"
    plan.write_bytes(plan.read_bytes().replace(b"https://example.org/a", address.encode()))
    assert Store.open(store.root).references() == ()


def test_a_plan_without_references_is_read(tmp_path, made):
    store = Store.create(tmp_path / "out")
    store.save_plan(Plan("s", (made.cell(),)))
    plan = store.root / "plan.json"
    old = json.loads(unsealed(plan.read_bytes()))
    del old["references"]
    plan.write_text(json.dumps(old))
    assert store.references() == ()
    assert store.plan() == Plan("s", (made.cell(),))
