"""The house stands as drawn: imports point downwards, none hide in functions, files stay small."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "imgpipe"
# From the ground up: a part imports from its own row or those above it in this table.
ROWS: tuple[tuple[str, ...], ...] = (
    ("errors", "clock", "text", "version", "logs", "metrics", "outbound", "transport"),
    ("imaging", "scanlines", "wells", "captions", "storage", "jobs"),
    ("options", "settings", "config"),  # what can be chosen stands in the engines' own tables
    ("database",),
    ("extensions",),
    ("pictures", "depthlogs"),
    ("installation",),
    ("datasets", "doctor", "keys", "webhooks", "health", "shutdown", "startup", "serving", "slowclients"),
    ("api", "cli"),
    ("imgpipe",),
    ("__main__", "wsgi"),
    ("init_db",),
)
LEVELS = {part: level for level, row in enumerate(ROWS) for part in row}
SEALED = ROWS[1]  # these never know each other, nor the web, nor the database
SUBJECTS = ROWS[5]  # pictures and depth logs do not know each other either
ALONE = "client"  # for other programs: it imports nothing of the house
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager"}
# Heavy ones behind a chosen plugin: module -> what it may import where it is needed.
HEAVY = {"alembic", "celery", "pi_heif", "matplotlib", "torch", "transformers", "importlib"}
PLUGINS = {
    "imgpipe.jobs.celery",
    "imgpipe.storage.objects",
    "imgpipe.captions.blip",
    "imgpipe.imaging.vips",
    "imgpipe.scanlines.figure",
    "imgpipe.transport",  # requests, which a service without captioner and webhooks never loads
}
MAX_LINES = 300

MODULES = [path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts]
DOORS = [ROOT / "wsgi.py", ROOT / "init_db.py"]


def part_of(path: Path) -> str:
    if path.parent == ROOT:
        return path.stem
    inside = path.relative_to(PACKAGE).parts
    return "imgpipe" if inside == ("__init__.py",) else inside[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, ``from a import b`` as ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts_imported(path: Path) -> set[str]:
    ours = [
        name.split(".") for name in imported(path) if name.split(".")[0] in ("imgpipe", "wsgi", "init_db")
    ]
    return {
        names[1] if names[0] == "imgpipe" and len(names) > 1 and names[1] in LEVELS else names[0]
        for names in ours
        if not names[-1].startswith("__")
    }


def test_the_client_imports_nothing_of_the_house() -> None:
    for path in MODULES:
        if part_of(path) == ALONE:
            assert all(name.startswith(f"imgpipe.{ALONE}") for name in imported(path) if "imgpipe" in name)
        else:
            assert ALONE not in parts_imported(path)


@pytest.mark.parametrize("path", MODULES + DOORS, ids=name_of)
def test_imports_point_downwards(path: Path) -> None:
    part = part_of(path)
    if part == ALONE:
        return
    assert part in LEVELS, f"say in the table where {part} belongs"
    upwards = {other for other in parts_imported(path) if LEVELS[other] > LEVELS[part]}
    assert not upwards


@pytest.mark.parametrize("room", [SEALED, SUBJECTS], ids=["engines", "subjects"])
def test_rooms_side_by_side_never_know_each_other(room: tuple[str, ...]) -> None:
    for path in MODULES:
        if part_of(path) in room:
            assert not parts_imported(path) & set(room) - {part_of(path)}, path


@pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) in SEALED], ids=name_of)
def test_the_engines_know_neither_the_web_nor_the_database(path: Path) -> None:
    foreign = {name.split(".")[0] for name in imported(path)}
    assert not foreign & {"flask", "werkzeug", "sqlalchemy", "flask_sqlalchemy"}


@pytest.mark.parametrize("path", MODULES + DOORS, ids=name_of)
def test_no_import_hides_in_a_function(path: Path) -> None:
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= HEAVY
            if isinstance(node, ast.ImportFrom):
                module = node.module or ""
                assert module in PLUGINS or module.split(".")[0] in HEAVY


def test_no_import_goes_in_a_circle() -> None:
    names = {name_of(path) for path in MODULES}
    graph = {name_of(path): set(_targets(path, names)) - {name_of(path)} for path in MODULES}
    while ends := {name for name, targets in graph.items() if not targets}:
        graph = {name: targets - ends for name, targets in graph.items() if name not in ends}
    assert not graph, f"a circle among {sorted(graph)}"


def _targets(path: Path, names: set[str]) -> Iterator[str]:
    """Yield the modules that an import really runs, without a package that only holds them."""
    for name in imported(path):
        if name in names:
            yield name
        elif name.rpartition(".")[0] in names:
            yield name.rpartition(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_has_a_telling_name_and_a_modest_length(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
