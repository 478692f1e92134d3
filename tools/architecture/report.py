"""The Markdown table of measures, and the lines of violations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.architecture.functions import MIN_STATEMENTS, comment_density, duplicates, widest
from tools.architecture.imports import Cycle, Import, Place, cycles, imports_of
from tools.architecture.names import crowded_folders, folder_sizes, shared_classes, shared_modules
from tools.architecture.source import Module, modules_of
from tools.architecture.trace import cell_path, layers_of, traced, warm_trial_files

FILES_PER_FOLDER = 12
"""Limit on the Python files in one folder."""
AT_RUN_TIME: set[Place] = {"module", "function"}
EVERYWHERE: set[Place] = {"module", "function", "types"}
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Measure:
    """A row of the table."""

    name: str
    value: str
    details: tuple[str, ...] = ()
    """Items below the table, with --verbose."""


def table(checkout: Path, verbose: bool = False) -> str:
    """Returns the measures of a checkout as a Markdown table; with `verbose`, the counted items follow it."""
    modules = modules_of(checkout)
    measures = [*_of_the_run(checkout), *_of_functions(modules), *_of_files(modules)]
    lines = ["| measure | value |", "|---|---|", *(f"| {one.name} | {one.value} |" for one in measures)]
    if verbose:
        for one in measures:
            if one.details:
                lines += ["", f"{one.name}:", "", *(f"- {detail}" for detail in one.details)]
    return "\n".join(lines)


def findings(modules: Sequence[Module]) -> list[str]:
    """Returns a line for each violation: what it is, where, and what to do."""
    imports = imports_of(modules)
    lines = [f"import cycle: {_describe(one, imports)}" for one in cycles(imports, AT_RUN_TIME)]
    for folder, n in crowded_folders(modules, FILES_PER_FOLDER).items():
        lines.append(f"{folder}: {n} files, the limit is {FILES_PER_FOLDER}: move some into a folder of their own")
    for name, places in shared_classes(modules).items():
        lines.append(f"class {name} is defined {len(places)} times: rename all but one: {', '.join(places)}")
    for name, places in shared_modules(modules)[0].items():
        lines.append(f"module {name} exists {len(places)} times: rename all but one: {', '.join(places)}")
    return lines


def _of_the_run(checkout: Path) -> list[Measure]:
    files_name, packages_name = "files that one warm trial touches", "packages that a cell passes from plan to board"
    climbs_name, calls_name = "climbs on that way (steps to a higher layer)", "of which calls of a higher layer"
    names = (files_name, packages_name, climbs_name, calls_name)
    events = traced(checkout)
    # Older checkouts may lack the command or the toys; the other measures need no run.
    if isinstance(events, str):
        return [Measure(name, f"{NOT_MEASURED}: {events}".replace("|", "/")) for name in names]
    files, layers = warm_trial_files(events), layers_of(checkout)
    path = cell_path(events, layers)
    unknown = f"{NOT_MEASURED}: no function that is known to hand over an order was called"
    climbs = [f"{before} -> {after}" for before, after in path.climbs]
    calls = [f"{before} -> {after}" for before, after in path.calls_up]
    return [
        Measure(files_name, unknown) if files is None else Measure(files_name, _by_layer(files), tuple(files)),
        _counted(packages_name, path.packages),
        _counted(climbs_name, climbs) if layers else Measure(climbs_name, NOT_MEASURED),
        _counted(calls_name, calls) if layers else Measure(calls_name, NOT_MEASURED),
    ]


def _by_layer(files: Sequence[str]) -> str:
    """Returns the number of files of the core, and in brackets how many are in each of its folders."""
    folders = Counter(Path(file).parts[2] for file in files)
    return f"{len(files)} ({', '.join(f'{folder} {n}' for folder, n in folders.most_common())})"


def _of_functions(modules: Sequence[Module]) -> list[Measure]:
    wide = widest(modules)
    comments, code = comment_density(modules)
    alike = [" = ".join(group) for group in duplicates(modules)]
    return [
        Measure(
            "widest functions (parameters of the ten widest)",
            " ".join(str(count) for count, _ in wide),
            tuple(f"{count}: {where}" for count, where in wide),
        ),
        Measure("lines with a comment / lines of code", f"{comments}/{code} = {comments / max(1, code):.1%}"),
        _counted(f"functions alike, of {MIN_STATEMENTS} statements or more (groups)", alike),
    ]


def _of_files(modules: Sequence[Module]) -> list[Measure]:
    imports = imports_of(modules)
    at_run_time = cycles(imports, AT_RUN_TIME)
    known = {cycle.members for cycle in at_run_time}
    # Imports for types may enlarge a cycle or join two, so only cycles with other members are additional.
    for_types = [cycle for cycle in cycles(imports, EVERYWHERE) if cycle.members not in known]
    at_top = cycles(imports, {"module"})
    classes = shared_classes(modules)
    # Names shared by convention are shown too, so that the convention does not hide growth.
    files, by_convention = shared_modules(modules)
    sizes = folder_sizes(modules)
    return [
        Measure(
            "files; in the fullest folders",
            f"{sum(sizes.values())}; {' '.join(str(n) for n in list(sizes.values())[:5])}",
            tuple(f"{folder}: {n}" for folder, n in sizes.items()),
        ),
        _counted(
            f"folders with more than {FILES_PER_FOLDER} files",
            [f"{folder}: {n}" for folder, n in crowded_folders(modules, FILES_PER_FOLDER).items()],
        ),
        _cycles("import cycles, by imports at the top of modules", at_top, imports),
        _cycles("import cycles, with imports in functions", at_run_time, imports),
        _cycles("further import cycles, with imports for types", for_types, imports),
        _counted("public classes of one name (names)", _listed(classes)),
        _counted("modules of one name (names)", _listed(files)),
        _counted("modules that share a name by convention (names)", _listed(by_convention)),
    ]


def _cycles(name: str, components: Sequence[Cycle], imports: Sequence[Import]) -> Measure:
    sizes = " ".join(str(len(cycle.members)) for cycle in components)
    value = f"{len(components)} (of {sizes} files)" if components else "0"
    return Measure(name, value, tuple(_describe(cycle, imports) for cycle in components))


def _describe(cycle: Cycle, imports: Sequence[Import]) -> str:
    """Returns a description of a cycle: its modules, a shortest path, and the imports in functions."""
    path = ", ".join(f"{one.path}:{one.line} imports {one.imported}" for one in cycle.path)
    # Imports inside functions were usually placed there to hide the cycle, so they are candidates for removal.
    late = [
        f"{one.path}:{one.line} ({one.imported})"
        for one in imports
        if one.place == "function" and {one.importer, one.imported} <= {*cycle.members}
    ]
    cut = f"; imports in functions that are part of it: {', '.join(late)}" if late else ""
    return f"{', '.join(cycle.members)}; remove one import of: {path}{cut}"


def _counted(name: str, items: Sequence[str]) -> Measure:
    return Measure(name, str(len(items)), tuple(items))


def _listed(shared: dict[str, list[str]]) -> list[str]:
    return [f"{name}: {', '.join(places)}" for name, places in _items(shared)]


def _items(shared: dict[str, list[str]]) -> Iterable[tuple[str, list[str]]]:
    return sorted(shared.items())
