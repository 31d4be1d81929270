"""Prompts that change while a picture is painted: `[from:to:when]`, `[to:when]`, `[from::when]` and `[a|b]`.

As in the WebUI 1.10 (modules/prompt_parser.py, `get_learned_conditioning_prompt_schedules`). `when` with a point is a
share of the steps, without one the number of a step; in the hires pass, shares from 1 and steps behind those of the
first pass count from its beginning. Square brackets that are no schedule are emphasis and stay as they are. A stroke
outside of `[a|b]` switches all schedules of its prompt off.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

_PIECE = re.compile(r"\\.|[\[\]():|]|[^\\\[\]():|]+|\\", re.DOTALL)
_WHEN = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*", re.ASCII)


@dataclass(frozen=True)
class PassSteps:
    """How `when` is counted: the steps of this pass and, in the hires pass, those of the first one (else None). `old`
    is the WebUI's setting `use_old_scheduling`: every number below 1 is a share of this pass, others are its steps."""

    count: int
    before: int | None = None
    old: bool = False

    def at(self, when: str) -> int:
        """The last step of what stands before `when`."""
        value = float(when)
        if self.old:
            step = value * self.count if value < 1 else value
        elif "." in when:
            step = (value - (0.0 if self.before is None else 1.0)) * self.count
        else:
            step = value - (self.before or 0)
        return int(max(-1.0, min(step, self.count)))


@dataclass(frozen=True)
class Schedule:
    """The texts of a prompt: `changes[n]` is the last step, from 1 on, in which `texts[n]` holds."""

    changes: tuple[int, ...]
    texts: tuple[str, ...]

    def number_at(self, calls: int) -> int:
        """The number of the text that holds when the model was asked `calls` times before. The WebUI counts the steps
        of its schedules from 1 and the model's calls from 0, so each text holds for one call more than it says."""
        return min(bisect_left(self.changes, calls), len(self.texts) - 1)


@dataclass
class _Group:
    """A bracket that is open: the parts between its separators."""

    opening: str
    parts: list["_Nodes"] = field(default_factory=lambda: [[]])
    marks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Scheduled:
    before: "_Nodes"
    after: "_Nodes"
    last: int


@dataclass(frozen=True)
class _Alternating:
    options: list["_Nodes"]


# A list in a list is text within brackets. It stays as deep as it stands: to flatten it at each bracket would take the
# square of the depth.
_Nodes = list["str | _Scheduled | _Alternating | _Nodes"]


class _NoSchedules(Exception):
    """The prompt holds what the WebUI's grammar does not know; it then takes the whole prompt as it stands."""


def schedule(prompt: str, steps: PassSteps) -> Schedule:
    """The texts of a prompt over the steps of a pass; neighbours of the same text are one."""
    try:
        nodes = _parse(prompt, steps)
    except _NoSchedules:
        return Schedule((steps.count,), (prompt,))
    found: list[tuple[int, str]] = []
    for last in _changes(nodes, steps.count):
        text = "".join(_said(nodes, last))
        if found and found[-1][1] == text:
            found.pop()
        found.append((last, text))
    return Schedule(tuple(last for last, _ in found), tuple(text for _, text in found))


def _parse(prompt: str, steps: PassSteps) -> _Nodes:
    """The prompt as text with schedules in it. A stack of open brackets, not recursion: prompts nest as they like.

    Raises _NoSchedules.
    """
    stack, squares = [_Group("")], 0
    for piece in _PIECE.findall(prompt):
        if piece in ("[", "("):
            stack.append(_Group(piece))
            squares += piece == "["
        elif piece == "]" and squares:
            # A round bracket that nothing closes is text of the square one around it.
            while stack[-1].opening != "[":
                _as_text(stack, "")
            _close_square(stack, steps)
            squares -= 1
        elif piece == ")" and stack[-1].opening == "(":
            _as_text(stack, ")")
        elif piece in (":", "|") and len(stack) > 1:
            stack[-1].marks.append(piece)
            stack[-1].parts.append([])
        elif piece in ("|", "\\"):
            raise _NoSchedules
        else:
            stack[-1].parts[-1].append(piece)
    while len(stack) > 1:
        _as_text(stack, "")
    return stack[0].parts[0]


def _close_square(stack: list[_Group], steps: PassSteps) -> None:
    group = stack[-1]
    when = _WHEN.fullmatch("".join(each if isinstance(each, str) else "?" for each in group.parts[-1]))
    if group.marks and set(group.marks) == {"|"}:
        stack.pop()
        stack[-1].parts[-1].append(_Alternating(group.parts))
    elif group.marks in ([":"], [":", ":"]) and when:
        stack.pop()
        before = group.parts[0] if len(group.marks) == 2 else []
        stack[-1].parts[-1].append(_Scheduled(before, group.parts[-2], steps.at(when[1])))
    else:
        _as_text(stack, "]")


def _as_text(stack: list[_Group], closing: str) -> None:
    """The innermost open bracket is nothing but text. Raises _NoSchedules if there is a stroke in it."""
    group = stack.pop()
    if "|" in group.marks:
        raise _NoSchedules
    nodes: _Nodes = [group.opening, group.parts[0]]
    for mark, part in zip(group.marks, group.parts[1:], strict=True):
        nodes += [mark, part]
    stack[-1].parts[-1].append([*nodes, closing])


def _changes(nodes: _Nodes, count: int) -> list[int]:
    """The steps after which the text may change, and the last of all."""
    changes, left = {count}, [*nodes]
    while left:
        node = left.pop()
        if isinstance(node, _Scheduled):
            if 1 <= node.last < count:
                changes.add(node.last)
            left += [node.before, node.after]
        elif isinstance(node, _Alternating):
            changes.update(range(1, count + 1))
            left += node.options
        elif isinstance(node, list):
            left += node
    return sorted(changes)


def _said(nodes: _Nodes, step: int) -> Iterator[str]:
    """The text of a step."""
    left = [*reversed(nodes)]
    while left:
        node = left.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, _Scheduled):
            left.append(node.before if step <= node.last else node.after)
        elif isinstance(node, _Alternating):
            left.append(node.options[(step - 1) % len(node.options)])
        else:
            left += reversed(node)
