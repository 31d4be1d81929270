"""What a check is, and the list of all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from darkroom_cli.worker_check.session import Fails, NotTried, Refused, Session

Level = Literal["must", "should"]
Outcome = Literal["holds", "does not hold", "refused", "not tried"]


@dataclass(frozen=True)
class Check:
    """A rule of the contract, as a row of the table. `run` returns a remark ("" for none) where the rule holds, and
    raises Fails, Refused or NotTried otherwise. `must`: without it jobs fail, or people cannot do what they were
    promised. `should`: something is left out. `at_end`: it looks at the answers to all jobs."""

    name: str
    level: Level
    what: str
    run: Callable[[Session], str]
    at_end: bool = False


@dataclass(frozen=True)
class Row:
    """How a check went: `why` is a remark, or the reason and what to do."""

    name: str
    level: Level
    outcome: Outcome
    what: str
    why: str

    @property
    def breaks(self) -> bool:
        """Whether the worker does not keep the contract because of it."""
        return self.level == "must" and self.outcome == "does not hold"


def all_checks() -> list[Check]:
    """Every check, in the order of the table."""
    from darkroom_cli.worker_check import ending, health, painting, refusing, results, running, variations

    rooms = (health, painting, variations, results, refusing, running, ending)
    return [check for room in rooms for check in room.CHECKS]


def performed(session: Session, checks: list[Check], begun: Callable[[Check], None]) -> Iterator[Row]:
    """Runs checks; those that look at all answers come after the others. `begun` is called before each."""
    for check in sorted(checks, key=lambda check: check.at_end):
        begun(check)
        yield _row(check, session)


def _row(check: Check, session: Session) -> Row:
    outcome: Outcome = "holds"
    try:
        why = check.run(session)
    except Fails as fault:
        outcome, why = "does not hold", str(fault)
    except Refused as refusal:
        outcome, why = "refused", str(refusal)
    except NotTried as reason:
        outcome, why = "not tried", str(reason)
    return Row(check.name, check.level, outcome, check.what, why)
