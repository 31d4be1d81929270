"""Packages in the layer whose `__init__` imports all they have give each name when somebody asks for it (PEP 562).

Powertools' packages import everything they offer: with its REST router come AppSync and, for that, asyncio. It is a
fifth of what `jobs_api` imports, and no function uses it.
"""

import ast
from pathlib import Path

PACKAGES = (
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/data_classes",
)
"""The packages that become lazy, as folders of the layer."""
_TEMPLATE = '''"""Changed by Darkroom (layers/dependencies/lazy.py): a name is imported when it is asked for."""

import importlib
{eager}
__all__ = {everything!r}
_PLACES = {places!r}


def __getattr__(name):
    if name not in _PLACES:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
    found = globals()[name] = getattr(importlib.import_module(_PLACES[name], __name__), name)
    return found
'''


class NotPlain(Exception):
    """A package does more at its import than import names, so it cannot be made lazy; the text names it."""


def make_lazy(packages: Path) -> None:
    """Rewrite the `__init__` of each of PACKAGES under the folder `packages`. Raises NotPlain for one that a newer
    version has changed."""
    for name in PACKAGES:
        file = packages / name / "__init__.py"
        text = rewritten(file.read_text(encoding="utf-8"), name)
        # A new file, since an installer may have linked the old one to its cache.
        file.unlink()
        file.write_text(text, encoding="utf-8")


def rewritten(text: str, name: str) -> str:
    """The text of a package's `__init__` in its lazy form. Raises NotPlain where it holds more than a docstring,
    `from … import …` and `__all__`."""
    package = name.replace("/", ".")
    places: dict[str, str] = {}
    eager: list[str] = []
    everything: object = None
    for statement in ast.parse(text).body:
        match statement:
            case ast.Expr(value=ast.Constant()):
                pass
            case ast.ImportFrom(module=str(module), names=aliases) if all(alias.asname is None for alias in aliases):
                for alias in aliases:
                    # Importing a module sets its name in the package, so one of that name would hide what it holds.
                    if module.rpartition(".")[2] == alias.name:
                        eager.append(ast.unparse(statement))
                    else:
                        places[alias.name] = "." * statement.level + module
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                everything = ast.literal_eval(value)
            case _:
                raise NotPlain(f"{package} does {ast.unparse(statement)!r} at its import. Take it out of PACKAGES.")
    return _TEMPLATE.format(eager="\n".join(eager), everything=everything, places=places)
