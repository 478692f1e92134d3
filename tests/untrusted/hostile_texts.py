"""The 41 hostile texts that every way out is tested with: those of the conformance tests, and 16 more."""

from __future__ import annotations

from collections.abc import Mapping

from tlbench.testing.conformance.media import HOSTILE

FURTHER: Mapping[str, str] = {
    "300 characters": "x" * 300,
    "300 words": "word " * 300,
    "emoji": "\U0001f9ea\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f1ea\U0001f1fa" * 5,
    "letters from right to left": "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 (1) [x]",
    "isolates of direction": "\u2067x\u2066y\u2069\u061c",
    "accents": "e" + "\u0301" * 300,
    "a link of a terminal": "\x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x1bP1;2q\x1b\\ \x1b[2J\x1b[1;1H",
    "a command of a spreadsheet": "=cmd|' /C calc'!A0",
    "a bar of a spreadsheet": "|cmd",
    "a formula in wide characters": "\uff1dSUM(1)",
    "an expression of a template": "{{7*7}}{% raw %}${7*7}<%= 7*7 %>#{7*7}",
    "a member of every object": "__proto__",
    "a picture that runs": "<svg onload=alert(1)><math><mi//xlink:href=\"javascript:alert(1)\">",
    "an end of a script": "</script><script src=https://evil.example/x.js></script>]]>",
    "a formula of a page": "$\\href{javascript:alert(1)}{x}$ \\(\\unicode{x}\\) \\write18{id}",
    "a path": "../../../etc/passwd",
}  # fmt: skip
ALL_HOSTILE: Mapping[str, str] = {**HOSTILE, **FURTHER}
