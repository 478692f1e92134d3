"""Rewords errors of the command line's parser, without repetitions and with the nearest valid choice."""

from __future__ import annotations

import difflib
import re

_REPEATED = re.compile(r"(Did you mean [^?]+\?)(?: \1)+")
_CHOICES = re.compile(r"'(?P<given>[^']*)' is not one of (?P<choices>'[^']+'(?:, '[^']+')*)\.$")
_ARGUMENT = re.compile(r"'\[(?P<name>[A-Z_]+)\](?::\[[^\]]*\])?(?:\.\.\.)?'")
# typer 0.29 checks values with pydantic.
_PYDANTIC = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": "give a whole number",
    "Input should be a valid number, unable to parse string as a number": "give a number",
    "Input should be ": "it has to be ",
}
_NUMBERS = {
    "integer range": "a whole number",
    "integer": "a whole number",
    "float range": "a number",
    "float": "a number",
}


def reworded(message: str) -> str:
    """Returns the message of a parser's error without repetitions, and with the nearest valid choice."""
    # typer and click each add their own suggestion for a misspelt command.
    message = _REPEATED.sub(r"\1", message)
    # An optional argument appears as in the usage line, which repeats all choices: keep only its name.
    message = _ARGUMENT.sub(lambda match: match["name"], message)
    for kind, words in _NUMBERS.items():
        message = message.replace(f"is not a valid {kind}.", f"is not {words}.")
    for text, words in _PYDANTIC.items():
        message = message.replace(text, words)
    if match := _CHOICES.search(message):
        choices = re.findall(r"'([^']+)'", match["choices"])
        close = difflib.get_close_matches(match["given"].lower(), choices, n=1)
        message += f" Did you mean '{close[0]}'?" if close else ""
    return message
