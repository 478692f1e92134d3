"""Names carry parameters, strictly converted and canonically written."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.catalog.names import (
    ParameterValue,
    canonical,
    configure,
    nearest,
    parameter_values,
    parse,
    with_parameter,
)
from tlbench.contracts.errors import UsageError


@dataclass(frozen=True)
class Thing:
    name: str = "thing"
    stages: int = 2
    rate: float = 0.1
    deep: bool = False
    note: str | None = None


def test_parses_parameters():
    assert parse("a[x=1, y=b]") == ("a", {"x": "1", "y": "b"})
    assert parse("hf:org/name@rev[readout=mean]") == ("hf:org/name@rev", {"readout": "mean"})
    assert parse("no-brackets") == ("no-brackets", {})


@pytest.mark.parametrize(
    ("text", "base", "params"),
    [
        ('csv:"reviews[1].csv"[text="a,b",separator=","]', "csv:reviews[1].csv", {"text": "a,b", "separator": ","}),
        ('csv:"a ""b"".csv"', 'csv:a "b".csv', {}),
        ('csv:x,y.csv[text = "Label [0/1]" , label=b,]', "csv:x,y.csv", {"text": "Label [0/1]", "label": "b"}),
        ('csv:a"b.csv[text=5" wide]', 'csv:a"b.csv', {"text": '5" wide'}),
        ('"a[1]"[x=""]', "a[1]", {"x": ""}),
        ("csv:a=b.csv[x=a=b]", "csv:a=b.csv", {"x": "a=b"}),
    ],
)
def test_quotation_marks_hold_brackets_and_commas(text, base, params):
    assert parse(text) == (base, params)


@pytest.mark.parametrize(
    ("base", "note", "written"),
    [
        ("csv:/d/reviews[1].csv@0f", "a,b", 'csv:"/d/reviews[1].csv@0f"[note="a,b"]'),
        ("csv:/d/x,y.csv@0f", " a", 'csv:/d/x,y.csv@0f[note=" a"]'),
        ("thing", '"a"', 'thing[note="""a"""]'),
        ("csv:/d/a.csv", "Label [0/1]", 'csv:/d/a.csv[note="Label [0/1]"]'),
        ("csv:/d/a.csv", "plain words", "csv:/d/a.csv[note=plain words]"),
    ],
)
def test_a_canonical_name_is_quoted_where_it_has_to_be(base, note, written):
    assert canonical(base, Thing(), Thing(note=note)) == written
    assert parse(written) == (base, {"note": note})


@settings(deadline=None)
@given(st.text(min_size=1), st.text())
def test_any_text_is_read_back_from_a_canonical_name(path, note):
    written = canonical(f"csv:{path}", Thing(), Thing(note=note))
    assert parse(written) == (f"csv:{path}", {"note": note})


@pytest.mark.parametrize(
    "text", ["a[x=1", "a[x]", "a[=1]", "a[x=1,x=2]", "[x=1]", "a]b[", "", 'a[x="1]', 'csv:"a[1].csv', 'a[x="b"c"]']
)
def test_refuses_malformed_names(text):
    with pytest.raises(UsageError):
        parse(text)


def test_converts_by_the_type_of_the_field():
    thing = configure(Thing(), {"stages": "3", "deep": "true", "rate": "1", "note": "null"}, "thing")
    assert thing == Thing(stages=3, deep=True, rate=1.0, note=None)


@pytest.mark.parametrize(
    ("params", "message"),
    [({"stages": "two"}, "stages=two"), ({"stagez": "2"}, "no parameter 'stagez'"), ({"name": "x"}, "no parameter")],
)
def test_refuses_a_wrong_parameter(params, message):
    with pytest.raises(UsageError, match=message):
        configure(Thing(), params, "thing")


def test_the_canonical_name_sorts_keys_and_omits_defaults():
    assert canonical("thing", Thing(), Thing(stages=2)) == "thing"
    assert canonical("thing", Thing(), Thing(stages=3, deep=True)) == "thing[deep=true,stages=3]"


@settings(deadline=None)
@given(st.integers(-99, 99), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_a_canonical_name_gives_the_same_object_again(stages, rate, deep):
    thing = Thing(stages=stages, rate=rate, deep=deep)
    base, params = parse(canonical("thing", Thing(), thing))
    assert configure(Thing(), params, base) == thing


@dataclass(frozen=True)
class Explained(Thing):
    size: int = field(default=3, metadata={"help": "number of legs"})
    wings: str = field(default="", metadata={"help": "kind of wings", "applies": lambda thing: thing.deep})


def test_the_values_of_parameters_come_with_their_help():
    plain = [ParameterValue("stages", "2"), ParameterValue("rate", "0.1"), ParameterValue("deep", "false")]
    assert parameter_values(Thing(note="a,b")) == [*plain, ParameterValue("note", '"a,b"')]
    assert parameter_values(Explained())[4:] == [ParameterValue("size", "3", "number of legs")]
    assert parameter_values(Explained(deep=True))[5:] == [ParameterValue("wings", "", "kind of wings")]
    assert parameter_values(object()) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("toy", "toy[length=5]"),
        ("toy[length=3,width=8]", "toy[length=5,width=8]"),
        ('hf:"a[1]"[note="b,c"]', 'hf:"a[1]"[length=5,note="b,c"]'),
    ],
)
def test_one_parameter_of_a_name_is_set(name, expected):
    assert with_parameter(name, "length", 5) == expected
    assert parse(expected)[1]["length"] == "5"


def test_nearest_suggests_similar_names_or_lists_all():
    assert "linear-probe" in nearest("liner-prob", ["linear-probe", "majority"])
    assert "majority" in nearest("zzz", ["majority"])
    assert "none is installed" in nearest("zzz", [])
