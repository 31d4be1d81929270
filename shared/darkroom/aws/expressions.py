"""Expressions that the jobs table is written and read with."""

from collections.abc import Iterable

from darkroom.aws.job_items import Item, attribute
from darkroom.jobs.filters import Filters
from darkroom.jobs.state import Origin
from darkroom.tables import LISTED_AS

STORED_AS = {"status": LISTED_AS}
"""The attributes that filters compare and that have another name than the filter."""


class Expression:
    """An update, a condition or a filter that grows, with the names and values of its placeholders.

    Every attribute name goes through a placeholder, for DynamoDB reserves `status` and many other words.
    """

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: Item = {}
        self._sets: list[str] = []
        self._removes: list[str] = []

    def name(self, name: str) -> str:
        """The placeholder of an attribute's name; of a path into a map (`line.rating`), those of its parts."""
        parts = name.split(".")
        self.names.update({f"#{part}": part for part in parts})
        return ".".join(f"#{part}" for part in parts)

    def value(self, value: object) -> str:
        """A new placeholder for a value."""
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = attribute(value)
        return placeholder

    def set(self, name: str, value: object) -> None:
        """Write an attribute."""
        self._sets.append(f"{self.name(name)} = {self.value(value)}")

    def append(self, name: str, values: list[str]) -> None:
        """Write texts behind those that a list has; it need not be there."""
        empty, more = self.value([]), self.value(values)
        self._sets.append(f"{self.name(name)} = list_append(if_not_exists({self.name(name)}, {empty}), {more})")

    def add(self, name: str, count: int) -> None:
        """Add to a number; it need not be there."""
        none = self.value(0)
        self._sets.append(f"{self.name(name)} = if_not_exists({self.name(name)}, {none}) + {self.value(count)}")

    def remove(self, *names: str) -> None:
        """Remove attributes."""
        self._removes += [self.name(name) for name in names]

    def update(self) -> str:
        """The UpdateExpression of everything that is set and removed."""
        parts = {"SET": self._sets, "REMOVE": self._removes}
        return " ".join(f"{verb} {', '.join(changes)}" for verb, changes in parts.items() if changes)

    def one_of(self, name: str, values: Iterable[str]) -> str:
        """The condition that an attribute has one of these values."""
        return f"{self.name(name)} IN ({', '.join(self.value(value) for value in values)})"

    def stands_at(self, origins: Iterable[Origin]) -> str:
        """The condition that a job stands at one of these origins, as it can be joined to others with AND: DynamoDB
        refuses parentheses around parentheses."""
        parts = []
        for origin in origins:
            part = f"{self.name('status')} = {self.value(origin.status)}"
            if origin.error_code:
                part += f" AND {self.name('error_code')} = {self.value(origin.error_code)}"
            parts.append(f"({part})")
        return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"


def filter_expression(expression: Expression, filters: Filters, partition: str) -> str:
    """What DynamoDB itself can leave out, so that it does not travel: words and LoRA names are compared in the
    function. `partition` is the partition attribute of the index: DynamoDB takes no attribute of the key in a filter.
    """
    allowed = {name: values for name, values in filters.compared_by_dynamodb.items() if name != partition}
    return " AND ".join(expression.one_of(STORED_AS.get(name, name), values) for name, values in allowed.items())
