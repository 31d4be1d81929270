"""The snapshot of what becomes of every fault at every AWS call: `make reliability` writes it."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.support.faults import Fault, Outcome, calls_of, faulty_stage, run
from tests.support.scenarios import SCENARIOS

SNAPSHOT = Path(__file__).parents[1] / "integration" / "snapshots" / "faults.md"
HEAD = """# What becomes of every fault at every AWS call

`make reliability` writes this file; docs/reliability.md explains it.
"""
FUNCTIONS = tuple(dict.fromkeys(scenario.function for scenario in SCENARIOS))


def outcomes(function: str) -> list[Outcome]:
    """Every fault at every call of one function."""
    with faulty_stage() as fresh:
        return [
            run(fresh, scenario, fault)
            for scenario in SCENARIOS
            if scenario.function == function
            for fault in calls_of(fresh, scenario)
        ]


def section(function: str, found: Iterable[Outcome]) -> str:
    """The table of one function; neighbouring calls of one operation that come out alike share a line."""
    lines = [
        f"## {function}",
        "",
        "| asked for | call | an answer is lost | the fault lasts |",
        "| --- | --- | --- | --- |",
    ]
    for _, of_scenario in groupby(found, key=lambda outcome: outcome.scenario.what):
        lines += rows(list(of_scenario))
    return "\n".join(lines) + "\n"


def rows(found: list[Outcome]) -> list[str]:
    """The lines of one scenario."""
    lines, what = [], found[0].scenario.what
    calls = [(name, list(of_call)) for name, of_call in groupby(found, key=lambda o: o.fault.name)]
    for (operation, passing, lasting), alike in groupby(
        calls, key=lambda each: (_operation(each[0]), *_words(each[1]))
    ):
        numbers = [int(name.rpartition(" ")[2]) for name, _ in alike]
        many = sum(_operation(name) == operation for name, _ in calls) > 1
        places = f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
        lines.append(f"| {what} | {operation}{f' {places}' if many else ''} | {passing} | {lasting} |")
        what = ""
    return lines


@dataclass(frozen=True)
class Recorded:
    """What the snapshot says of one call: in words, when an answer is lost, and when a fault of a kind lasts."""

    passing: str
    lasting: str

    def words(self, fault: Fault) -> str:
        """What becomes of a fault."""
        if not fault.lasts:
            return self.passing
        by_kind = dict(_KINDS.findall(self.lasting))
        return next((words for kinds, words in by_kind.items() if fault.kind in kinds.split(", ")), self.lasting)


_KINDS = re.compile(r"\*([^*]+)\*: (.*?)(?=; \*|$)")
_CALL = re.compile(r"(.+?)(?: (\d+)(?:-(\d+))?)?")


def recorded(function: str, what: str) -> dict[str, Recorded]:
    """What the snapshot says of a scenario, by the names of its calls; by the operation where there is one such call
    only."""
    section = SNAPSHOT.read_text().partition(f"## {function}\n")[2].partition("\n## ")[0]
    found: dict[str, Recorded] = {}
    here = ""
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("| ") and not line.startswith("|  |"):
            continue
        here = cells[0] or here
        if here == what and (call := _CALL.fullmatch(cells[1])):
            operation, first, last = call.groups()
            names = [f"{operation} {n}" for n in range(int(first), int(last or first) + 1)] if first else [operation]
            found |= {name: Recorded(cells[2], cells[3]) for name in names}
    return found


def _operation(call: str) -> str:
    return call.rpartition(" ")[0]


def _words(of_call: list[Outcome]) -> tuple[str, str]:
    """What became of a call whose fault passes, and whose fault lasts."""
    passing = [outcome.words for outcome in of_call if not outcome.fault.lasts]
    kinds: dict[str, list[str]] = {}
    for outcome in of_call:
        if outcome.fault.lasts:
            kinds.setdefault(outcome.words, []).append(outcome.fault.kind)
    every = len(kinds) == 1
    lasting = "; ".join(words if every else f"*{', '.join(found)}*: {words}" for words, found in kinds.items())
    return (passing or [""])[0], lasting


def _sections() -> Iterator[str]:
    for function in FUNCTIONS:
        found = outcomes(function)
        for outcome in found:
            if outcome.wrong:
                sys.exit(f"{function}, {outcome.scenario.what}: {outcome.fault} breaks the promise: {outcome.wrong}")
        yield section(function, found)


def main() -> None:
    """Write the snapshot anew."""
    os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
    SNAPSHOT.write_text("\n".join([HEAD, *_sections()]))


if __name__ == "__main__":
    main()
