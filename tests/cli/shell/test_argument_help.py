"""Every argument is explained in the help of its command."""

import pytest

from tlbench.cli.app import _main


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["verify"], "Submissions, folders of results or archives"),
        (["plugin", "new"], "Its name in kebab-case"),
        (["compare"], "which is to be no worse than A"),
    ],
)
def test_help_says_what_arguments_are(command, text, capsys):
    assert _main([*command, "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.count(text) == 1
