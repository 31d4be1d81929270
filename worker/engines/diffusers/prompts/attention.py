"""Emphasis: `(a)`, `((a))`, `[a]`, `(a:1.2)`, escapes and BREAK, as the WebUI reads them (modules/prompt_parser.py)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

FACTORS = {"(": 1.1, "[": 1 / 1.1}
"""What a pair of brackets multiplies the weight of its words by, unless it says a number."""
_OPENED_BY = {")": "(", "]": "["}
_BLANKS = r"[ \t\r\n\f\v]*"
_PIECE = re.compile(
    rf"""
    \\(?P<escaped>[\\()\[\]])               # a bracket or backslash that stands for itself
    | (?P<open>[(\[])
    | :{_BLANKS}(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)){_BLANKS}(?P<end>\))
    | (?P<close>[)\]])
    | (?P<text>[^\\()\[\]:]+ | .)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_BREAK = re.compile(r"\bBREAK\b")


@dataclass(frozen=True)
class Span:
    """A stretch of a prompt and the weight of its words, 1 for plain ones."""

    text: str
    weight: float = 1.0


BREAK = Span("", 0.0)
"""Stands where the next chunk of tokens begins."""


def spans(prompt: str, emphasis: bool = True) -> list[Span]:
    """The stretches of a prompt, one after the other, with BREAK between them where the prompt says so.

    Brackets that are never closed count to the end, as in the WebUI. A prompt without words is one empty span. Without
    `emphasis` (the WebUI's setting `emphasis: None`) the prompt is one span as it stands.
    """
    if not emphasis:
        return [Span(prompt)]
    return _merged(_weighted(list(_PIECE.finditer(prompt)))) or [Span("")]


def _weighted(pieces: list[re.Match[str]]) -> Iterator[Span]:
    """Every piece of text with its weight. Round and square brackets are counted apart: they may cross each other."""
    factors = _factors(pieces)
    # The weights outside of each open bracket, and the current one last.
    weights = {"(": [1.0], "[": [1.0]}
    for number, piece in enumerate(pieces):
        if piece["open"]:
            stack = weights[piece["open"]]
            stack.append(stack[-1] * factors[number])
        elif (kind := _closes(piece)) and len(weights[kind]) > 1:
            weights[kind].pop()
        else:
            weight = weights["("][-1] * weights["["][-1]
            yield from _broken(piece["escaped"] or piece[0], weight)


def _factors(pieces: list[re.Match[str]]) -> dict[int, float]:
    """The factor of each bracket, by the number of the piece that opens it: it stands where the bracket closes."""
    factors: dict[int, float] = {}
    opened: dict[str, list[int]] = {"(": [], "[": []}
    for number, piece in enumerate(pieces):
        if piece["open"]:
            opened[piece["open"]].append(number)
            factors[number] = FACTORS[piece["open"]]
        elif (kind := _closes(piece)) and opened[kind]:
            at = opened[kind].pop()
            if piece["number"]:
                factors[at] = float(piece["number"])
    return factors


def _closes(piece: re.Match[str]) -> str | None:
    """The bracket that this piece would close, if such a one is open."""
    return _OPENED_BY.get(piece["close"] or piece["end"] or "")


def _broken(text: str, weight: float) -> Iterator[Span]:
    """A text with BREAK where it says so, without the blanks around that word."""
    parts = _BREAK.split(text)
    for number, part in enumerate(parts):
        if number:
            yield BREAK
            part = part.lstrip()
        yield Span(part.rstrip() if number < len(parts) - 1 else part, weight)


def _merged(found: Iterable[Span]) -> list[Span]:
    """Neighbours of one weight as one span, without those that say nothing."""
    merged: list[tuple[list[str], Span]] = []
    for span in found:
        last = merged[-1][1] if merged else None
        if span is not BREAK and last is not None and last is not BREAK and last.weight == span.weight:
            merged[-1][0].append(span.text)
        elif span is BREAK or span.text:
            merged.append(([span.text], span))
    return [BREAK if span is BREAK else Span("".join(texts), span.weight) for texts, span in merged]
