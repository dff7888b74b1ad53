"""Let the thousands of apps of one test run share what each would work out anew, and alike."""

from typing import Any

from sqlalchemy import Engine
from werkzeug.routing import Rule

_builders: dict[tuple[Any, ...], Any] = {}
_compiled: dict[str, tuple[Any, Any]] = {}
_compile_builder = Rule._compile_builder


def _compile_builder_once(rule: Rule, append_unknown: bool = True) -> Any:
    about = (rule.rule, tuple(rule._trace), str(rule.defaults), append_unknown)
    if about not in _builders:
        _builders[about] = _compile_builder(rule, append_unknown)
    return _builders[about]


def share_rules() -> None:
    """Compile what builds a rule's address once for all apps: it knows nothing of the app."""
    Rule._compile_builder = _compile_builder_once  # type: ignore[assignment, method-assign]


def share_statements(engine: Engine) -> None:
    """Have an engine that has not connected yet use the statements that others have compiled."""
    if known := _compiled.get(engine.dialect.name):
        engine.dialect, engine._compiled_cache = known


def offer_statements(engine: Engine) -> None:
    """Let the engines to come use what this one, which has connected, compiles."""
    _compiled.setdefault(engine.dialect.name, (engine.dialect, engine._compiled_cache))
