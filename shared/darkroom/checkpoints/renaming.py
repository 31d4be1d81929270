"""The rules for giving a model file another name."""

from dataclasses import replace
from unicodedata import normalize

from darkroom.checkpoints.model import Checkpoint, ModelKey
from darkroom.errors import Conflict, FieldError, Invalid
from darkroom.webui.spelling import stem

MAX_ALIASES = 100
"""How many former names a row keeps, the latest ones."""


def renamed_row(row: Checkpoint, target: ModelKey) -> Checkpoint:
    """The row under its new name. It names its object, and its old name is an alias."""
    old = normalize("NFC", row.key.name)
    aliases = dict.fromkeys([*(alias for alias in row.aliases if alias != old), old])
    aliases.pop(target.name, None)
    return replace(row, key=target, object=row.object_key, aliases=tuple(aliases)[-MAX_ALIASES:])


def check_rename(row: Checkpoint, to: str, other: str | None) -> None:
    """Check that a file may be called `to`; `other` is the name of the file that is called so, in any case.

    An alias of another file is no reason to refuse: a name counts before an alias, and jobs are repeated by the object
    that they used. Raises Conflict `not_active` or `checkpoint_exists`, Invalid `format_differs`.
    """
    if row.status != "active":
        raise Conflict("not_active", f"{row.key.name} is {row.status}; only a file that is active can be renamed.")
    extension = row.key.name[len(stem(row.key.name)) :]
    if to[len(stem(to)) :].lower() != extension.lower():
        why = f"must end in {extension}, as {row.key.name} does: a new name does not change the format"
        raise Invalid("format_differs", f"{to} {why}.", (FieldError(("body", "to"), why),))
    if other is not None:
        raise taken(other)


def taken(name: str) -> Conflict:
    """The refusal of a name that another file has."""
    return Conflict("checkpoint_exists", f"{name} is on the shelf already; choose another name, or delete it first.")
