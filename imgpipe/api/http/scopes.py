"""Name what an API key may be good for; every route declares which of it is enough."""

Scope = frozenset[str]

PUBLIC: Scope = frozenset()  # no key is asked for
READ: Scope = frozenset({"read"})
UPLOAD: Scope = frozenset({"upload"})
READ_OR_UPLOAD: Scope = READ | UPLOAD
ALL: Scope = frozenset({"all"})  # and what declares nothing


def spell(scope: Scope) -> str:
    """Write a scope for people."""
    return " or ".join(sorted(scope))
