"""A format of leaderboards, a policy of searches and a command."""

from tlbench import Policy, Proposal, Renderer


class Plain(Renderer):
    """One line for each row, its parts separated by tabs."""

    name = "plain-lines"
    description = "one line for each row"
    conformance = {"medium": "tsv"}

    def render(self, page):
        from tlbench.results.render.escaping import spreadsheet

        lines = []
        for section in page.sections:
            for row in section.lines:
                cells = [section.task, *(row.values[column.name].text for column in page.columns)]
                lines.append("\t".join(spreadsheet(cell) for cell in cells))
        return "".join(f"{line}\n" for line in lines)


class Smallest(Policy):
    """Each candidate once, the smallest backbone first."""

    name = "smallest-first"
    description = "each candidate once, the smallest backbone first"

    def next(self, situation):
        for candidate in sorted(situation.candidates, key=lambda one: one.parameters):
            proposal = Proposal(candidate.number, candidate.defaults)
            if situation.is_new(proposal) and situation.fits(proposal):
                return proposal
        return None


def cost(mistakes: int, examples: int = 100) -> None:
    """Print what some mistakes cost."""
    print(f"{mistakes / examples:.2f}")
