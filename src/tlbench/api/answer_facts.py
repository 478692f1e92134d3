"""The sentences of a search's answer, for terminal and notebook: winner, ties, cost, and what was left untried."""

from __future__ import annotations

from collections.abc import Iterator

from tlbench.contracts.resources import count_text
from tlbench.finding.answering.answer import FindAnswer, FoundSetting
from tlbench.finding.answering.deciding_labels import DecidingLabels
from tlbench.results.render.escaping import printable
from tlbench.running.monitoring.time_texts import duration

_MOST_UNTRIED = 4
"""Number of candidates that are named for each reason."""


def facts(answer: FindAnswer) -> Iterator[tuple[str, str]]:
    """Yields pairs of a label and a text; a text may be empty."""
    winner = answer.winner
    if winner is None:
        yield "no answer", "no fit gave a score within the time"
    else:
        yield "best", winner.title
        yield answer.metric, _score_fact(answer, winner)
        yield "tied with it", _ties_fact(answer)
        if answer.cheapest is not None and answer.cheapest.fit != winner.fit:
            yield "cheapest", f"{answer.cheapest.title}: {duration(answer.cheapest.seconds)} a fit"
        if answer.smallest is not None and answer.smallest.fit != winner.fit:
            yield "smallest", f"{answer.smallest.title}: {size_text(answer.smallest)}"
        yield "to decide", _deciding_fact(answer)
        yield "optimism", _optimism_fact(answer)
        if answer.baseline is not None and answer.baseline.fit != winner.fit:
            yield "baseline", f"{answer.baseline.title}: {_either_score(answer, answer.baseline)}"
    yield "spent", _spent_fact(answer)
    yield "untried", _untried_fact(answer)
    for note in answer.notes:
        yield "note", note


def setting_headings(answer: FindAnswer) -> tuple[str, ...]:
    """Returns the headings of `setting_rows`."""
    return ("setting", answer.metric, "95% interval", "validation", "parameters", "a fit", "cell")


def setting_rows(answer: FindAnswer) -> list[tuple[str, ...]]:
    """Returns a row for the winner, each setting that ties with it, and the best baseline."""
    if answer.winner is None:
        return []
    settings = {one.fit: one for one in (answer.winner, *answer.tied, answer.baseline) if one is not None}
    return [
        (
            printable(one.title),
            _score(answer, one.test.value) if one.test else "-",
            f"{_score(answer, one.test.low)} to {_score(answer, one.test.high)}" if one.test else "-",
            _score(answer, one.validation),
            size_text(one),
            duration(one.seconds),
            one.cell[:8] or "-",
        )
        for one in settings.values()
    ]


def size_text(setting: FoundSetting) -> str:
    """Returns the number of parameters of a setting's backbone."""
    if setting.parameters is None:
        return "unknown"
    return count_text(setting.parameters) if setting.backbone else "no backbone"


def deciding_text(deciding: DecidingLabels) -> str:
    """Returns how many more labels would decide, with the interval."""
    from_rows = f"from {deciding.labels} {deciding.split} examples that both answered"
    if deciding.more is None:
        return f"at least {deciding.low:,} more test labels, as far as can be told {from_rows}"
    if deciding.high is None:
        return f"at least {deciding.low:,} more test labels ({from_rows})"
    if not deciding.more:
        return f"the {deciding.labels} {deciding.split} examples may already be enough"
    return f"about {deciding.more:,} more test labels would ({deciding.low:,} to {deciding.high:,}; {from_rows})"


def _score_fact(answer: FindAnswer, winner: FoundSetting) -> str:
    validation = f"validation {_score(answer, winner.validation)} on {answer.validation_rows} rows"
    if winner.test is None:
        return f"{validation}; not scored on the test split: {winner.reason}"
    test = winner.test
    seeds = f"{winner.seeds} {'seed' if winner.seeds == 1 else 'seeds'}"
    interval = f"95%: {_score(answer, test.low)} to {_score(answer, test.high)}"
    return f"{_score(answer, test.value)} on the sealed test split ({interval}, of {test.of}, {seeds}); {validation}"


def _ties_fact(answer: FindAnswer) -> str:
    if not answer.tied:
        return f"nothing, by paired tests on {answer.validation_rows} validation rows"
    names = "; ".join(one.title for one in answer.tied[:4])
    more = f" and {len(answer.tied) - 4} more" if len(answer.tied) > 4 else ""
    return f"{names}{more} (paired tests on {answer.validation_rows} validation rows)"


def _deciding_fact(answer: FindAnswer) -> str:
    if answer.deciding is None:
        return ""
    text = deciding_text(answer.deciding)
    return f"between it and {answer.rival}: {text}; labels to score on, none of them is trained on"


def _optimism_fact(answer: FindAnswer) -> str:
    one = answer.optimism
    if one is None:
        return ""
    ends = (
        "" if one.low is None or one.high is None else f" ({_signed(answer, one.low)} to {_signed(answer, one.high)})"
    )
    return f"{_signed(answer, one.value)}{ends}: validation minus test, as the best of {one.chosen_from} whole fits"


def _spent_fact(answer: FindAnswer) -> str:
    budget = duration(answer.request.seconds)
    text = f"{duration(answer.seconds)} of {budget}: search {duration(answer.search_seconds)}"
    text += f", finals {duration(answer.final_seconds)}"
    most = "; ".join(f"{one.candidate} {duration(one.seconds)}" for one in answer.spent[:3])
    return f"{text}{f' (most on {most})' if most else ''}"


def _untried_fact(answer: FindAnswer) -> str:
    by_reason: dict[str, list[str]] = {}
    for one in answer.untried:
        # What follows a colon differs from one candidate to the next, such as the seconds that it would take.
        by_reason.setdefault(one.reason.partition(":")[0], []).append(one.candidate)
    texts = []
    for reason, names in by_reason.items():
        more = f" and {len(names) - _MOST_UNTRIED} more" if len(names) > _MOST_UNTRIED else ""
        texts.append(f"{reason}: {', '.join(names[:_MOST_UNTRIED])}{more}")
    return "; ".join(texts)


def _either_score(answer: FindAnswer, setting: FoundSetting) -> str:
    if setting.test is not None:
        return f"{_score(answer, setting.test.value)} on the test split"
    return f"validation {_score(answer, setting.validation)}"


def _score(answer: FindAnswer, value: float) -> str:
    return f"{value * answer.points:.2f}" if answer.points != 1 else f"{value:.4f}"


def _signed(answer: FindAnswer, value: float) -> str:
    return f"{value * answer.points:+.2f}" if answer.points != 1 else f"{value:+.4f}"
