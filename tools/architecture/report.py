"""The measures as a markdown table, and the findings of the check as lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.architecture.functions import MIN_STATEMENTS, comment_density, duplicates, widest
from tools.architecture.imports import Circle, Import, Place, circles, imports_of
from tools.architecture.names import crowded_folders, folder_sizes, shared_classes, shared_modules
from tools.architecture.source import Module, modules_of
from tools.architecture.trace import files_of_a_warm_trial, layers_of, traced, way_of_the_cell

FILES_PER_FOLDER = 12
AT_RUN_TIME: set[Place] = {"module", "function"}
EVERYWHERE: set[Place] = {"module", "function", "types"}
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Measure:
    """A row of the table."""

    name: str
    value: str
    details: tuple[str, ...] = ()
    """Printed below the table where they are asked for."""


def table(checkout: Path, verbose: bool = False) -> str:
    """Returns the measures of a checkout as a markdown table; below it, if asked for, what they count."""
    modules = modules_of(checkout)
    measures = [*_of_the_run(checkout), *_of_functions(modules), *_of_files(modules)]
    lines = ["| measure | value |", "|---|---|", *(f"| {one.name} | {one.value} |" for one in measures)]
    if verbose:
        for one in measures:
            if one.details:
                lines += ["", f"{one.name}:", "", *(f"- {detail}" for detail in one.details)]
    return "\n".join(lines)


def findings(modules: Sequence[Module]) -> list[str]:
    """Returns a line for each thing that is not allowed, with where it is and what to do."""
    imports = imports_of(modules)
    found = [f"circle of files: {_circle(one, imports)}" for one in circles(imports, AT_RUN_TIME)]
    for folder, n in crowded_folders(modules, FILES_PER_FOLDER).items():
        found.append(f"{folder}: {n} files, the limit is {FILES_PER_FOLDER}: move some into a folder of their own")
    for name, places in shared_classes(modules).items():
        found.append(f"class {name} stands for {len(places)} things: rename all but one: {', '.join(places)}")
    for name, places in shared_modules(modules)[0].items():
        found.append(f"module {name} stands for {len(places)} things: rename all but one: {', '.join(places)}")
    return found


def _of_the_run(checkout: Path) -> list[Measure]:
    files_name, packages_name = "files that one warm trial touches", "packages that a cell passes from plan to board"
    climbs_name, calls_name = "climbs on that way (steps to a higher layer)", "of which calls of a higher layer"
    names = (files_name, packages_name, climbs_name, calls_name)
    events = traced(checkout)
    if isinstance(events, str):
        return [Measure(name, f"{NOT_MEASURED}: {events}".replace("|", "/")) for name in names]
    files, layers = files_of_a_warm_trial(events), layers_of(checkout)
    way = way_of_the_cell(events, layers)
    unknown = f"{NOT_MEASURED}: no function that is known to hand over an order was called"
    climbs = [f"{before} -> {after}" for before, after in way.climbs]
    calls = [f"{before} -> {after}" for before, after in way.calls_up]
    return [
        Measure(files_name, unknown) if files is None else _counted(files_name, files),
        _counted(packages_name, way.packages),
        _counted(climbs_name, climbs) if layers else Measure(climbs_name, NOT_MEASURED),
        _counted(calls_name, calls) if layers else Measure(calls_name, NOT_MEASURED),
    ]


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
    at_run_time = circles(imports, AT_RUN_TIME)
    known = {circle.members for circle in at_run_time}
    for_types = [circle for circle in circles(imports, EVERYWHERE) if circle.members not in known]
    at_top = circles(imports, {"module"})
    classes = shared_classes(modules)
    files, mirrors = shared_modules(modules)
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
        _circles("circles of files, by imports at the top of modules", at_top, imports),
        _circles("circles of files, with imports in functions", at_run_time, imports),
        _circles("circles that are others with imports for types", for_types, imports),
        _counted("public classes of one name (names)", _listed(classes)),
        _counted("modules of one name (names)", _listed(files)),
        _counted("modules of one name that mirror a part of a plugin (names)", _listed(mirrors)),
    ]


def _circles(name: str, found: Sequence[Circle], imports: Sequence[Import]) -> Measure:
    sizes = " ".join(str(len(circle.members)) for circle in found)
    value = f"{len(found)} (of {sizes} files)" if found else "0"
    return Measure(name, value, tuple(_circle(circle, imports) for circle in found))


def _circle(circle: Circle, imports: Sequence[Import]) -> str:
    """Returns a circle in words: its files, a way round, and the imports in functions, which are where to cut."""
    way = ", ".join(f"{one.path}:{one.line} imports {one.imported}" for one in circle.way)
    late = [
        f"{one.path}:{one.line} ({one.imported})"
        for one in imports
        if one.place == "function" and {one.importer, one.imported} <= {*circle.members}
    ]
    cut = f"; imports in functions that are part of it: {', '.join(late)}" if late else ""
    return f"{', '.join(circle.members)}; take one import out of: {way}{cut}"


def _counted(name: str, items: Sequence[str]) -> Measure:
    return Measure(name, str(len(items)), tuple(items))


def _listed(shared: dict[str, list[str]]) -> list[str]:
    return [f"{name}: {', '.join(places)}" for name, places in _items(shared)]


def _items(shared: dict[str, list[str]]) -> Iterable[tuple[str, list[str]]]:
    return sorted(shared.items())
