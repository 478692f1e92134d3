"""A renderer as a third party would publish it, with public names alone; loaded as a plugin by its tests."""

from __future__ import annotations

from html import escape

from tlbench import Renderer, hookimpl


class Html(Renderer):
    name = "plain-html"
    description = "Tables without a style sheet."

    def render(self, page):
        parts = [f"<h1>{escape(page.title)}</h1>"]
        for section in page.sections:
            parts.append(f"<h2>{escape(section.task)}</h2><p>{escape(section.metric)}</p><table>")
            parts.append("".join(f"<th>{escape(column.heading)}</th>" for column in page.columns))
            for line in section.lines:
                texts = (escape(line.values[column.name].text) for column in page.columns)
                parts.append(f"<tr>{''.join(f'<td>{text}</td>' for text in texts)}</tr>")
            parts.append("</table>")
        parts += [f"<p>{escape(one.title)}: {escape(one.reason)}</p>" for one in page.failures]
        return "\n".join(parts) + "\n"


class Broken(Renderer):
    name = "broken"

    def render(self, page):
        raise ValueError("no page today")


class Leaving(Renderer):
    name = "leaving"

    def render(self, page):
        raise SystemExit(0)


class Bytes(Renderer):
    name = "bytes"

    def render(self, page):
        return page.title.encode()


class Surrogate(Renderer):
    name = "surrogate"

    def render(self, page):
        return f"{page.title} \ud83d"


class Undecided(Renderer):
    name = "undecided"

    @property
    def is_short(self):
        raise KeyError("short")

    def render(self, page):
        return page.title


@hookimpl
def tlbench_renderers():
    return [Html(), Broken(), Leaving(), Bytes(), Surrogate(), Undecided()]
