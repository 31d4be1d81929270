"""Queries as people write them against a plain walk over all jobs: spellings, words and dates drawn at random."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom import ids
from darkroom.checkpoints.resolver import ModelResolver
from darkroom.endpoints.service import Endpoints
from darkroom.jobs.api import HistoryQuery
from darkroom.jobs.filters import Filters
from darkroom.jobs.history import fill, plan
from darkroom.jobs.model import JobLine
from darkroom.jobs.query import filters_of, named
from darkroom.webui.spelling import KnownFile
from tests.support.memory import MemoryHistory

PREFIX = "darkroom-test-"
FIRST = datetime(2026, 11, 27, 2, 31, tzinfo=UTC)
SHA = "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa"
SHELF = {
    "stable-diffusion": [
        KnownFile("v1-5.safetensors", "SD15", ("base",), SHA, "81761151"),
        KnownFile("Café.safetensors"),
    ],
    "lora": [KnownFile("film_grain.safetensors", "styles", ("FilmGrainXL",)), KnownFile("ink.pt")],
}
CHECKPOINTS = {
    # Each file that jobs were made with, and what people write for it. `gone.ckpt` is on the shelf no more.
    "v1-5.safetensors": (
        "v1-5.safetensors",
        "v1-5",
        "V1-5",
        "SD15/v1-5.safetensors [6ce0161689]",
        "6ce0161689",
        "base",
    ),
    "Café.safetensors": ("Café.safetensors", "café", "CAFE\u0301", "Cafe\u0301.safetensors"),
    "gone.ckpt": ("gone.ckpt", "gone", "SD15\\gone.ckpt", "gone.ckpt [0123456789]"),
}
LORAS = {
    "film_grain.safetensors": ("film_grain", "FILM_GRAIN", "styles/film_grain", "FilmGrainXL", "filmgrainxl"),
    "ink.pt": ("ink", "Ink.PT"),
    "Gone.safetensors": ("gone", "GONE.safetensors", "Gone"),
}
ENDPOINTS = ("preview", "a", "gone")
WORDS = {
    "İstanbul": ("istanbul", "ISTANBUL", "ıstanbul"),
    "Ｆｕｌｌ": ("full", "FULL", "ｆｕｌｌ"),
    "Straße": ("strasse", "STRASSE", "straße"),
    "ﾊﾟｰﾃｨ": ("パーティ", "ﾊﾟｰﾃｨ"),
    "naïve": ("NAÏVE", normalize("NFD", "naïve")),
}
PATTERNS = (
    "%Y",
    "%Y-%m",
    "%G-W%V",
    "%G-W%V-%u",
    "%Y-%j",
    "%Y-%m-%d",
    "%Y-%m-%dT%H",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S",
)
RESOLVER = ModelResolver(SimpleNamespace(known_files=lambda kind: SHELF[kind]))
STAGE = Endpoints(SimpleNamespace(all=list), None, None, PREFIX)  # type: ignore[arg-type]

moments = st.sampled_from([0, 5, 59, 60, 3600, 86_400, 3 * 86_400, 8 * 86_400, 40 * 86_400, 400 * 86_400]).map(
    lambda seconds: FIRST + timedelta(seconds=seconds)
)


@st.composite
def lines(draw: Any) -> list[JobLine]:
    return [
        JobLine(
            id=ids.first_of(draw(moments))[:14] + f"7000-8000-{number:012d}",
            owner=draw(st.sampled_from(["alice", "Alice"])),
            type="txt2img",
            status=draw(st.sampled_from(["succeed", "fail"])),
            endpoint=PREFIX + draw(st.sampled_from(ENDPOINTS)),
            checkpoint=draw(st.none() | st.sampled_from(list(CHECKPOINTS))),
            prompt=" ".join(draw(st.lists(st.sampled_from(list(WORDS)), max_size=3))) or None,
            lora=tuple(draw(st.lists(st.sampled_from(list(LORAS)), max_size=2, unique=True))),
        )
        for number in range(draw(st.integers(0, 25)))
    ]


def spelled(table: dict[str, tuple[str, ...]]) -> st.SearchStrategy[tuple[str, str] | None]:
    """What is meant, with one way to write it."""
    return st.none() | st.sampled_from([(meant, text) for meant, texts in table.items() for text in texts])


questions = st.fixed_dictionaries(
    {
        "checkpoint": spelled(CHECKPOINTS),
        "lora": spelled(LORAS),
        "endpoint": spelled({name: (name, PREFIX + name) for name in ENDPOINTS}),
        "q": spelled(WORDS),
        "owner": spelled({"alice": ("alice",), "Alice": ("Alice",)}),
        "from": st.none() | st.tuples(moments, st.sampled_from(PATTERNS)),
        "to": st.none() | st.tuples(moments, st.sampled_from(PATTERNS)),
    }
)


def is_meant(line: JobLine, asked: dict[str, Any]) -> bool:
    """Whether a line answers a question, told from what is meant and by no code of the filters. A time lies in a period
    when both are written the same; such texts, but for those of weeks, sort by time."""
    made = ids.created_at(line.id)
    meant = {name: value[0] for name, value in asked.items() if value}
    return (
        meant.get("checkpoint", line.checkpoint) == line.checkpoint
        and ("lora" not in meant or meant["lora"] in line.lora)
        and ("endpoint" not in meant or line.endpoint == PREFIX + meant["endpoint"])
        and ("q" not in meant or meant["q"] in (line.prompt or "").split())
        and meant.get("owner", line.owner) == line.owner
        and (asked["from"] is None or made.strftime(asked["from"][1]) >= asked["from"][0].strftime(asked["from"][1]))
        and (asked["to"] is None or made.strftime(asked["to"][1]) <= asked["to"][0].strftime(asked["to"][1]))
    )


@settings(max_examples=300, deadline=None)
@given(lines(), questions, st.sampled_from([1, 3]))
def test_a_query_finds_just_the_jobs_that_are_meant(made: list[JobLine], asked: dict[str, Any], shards: int) -> None:
    low, high = (asked[name] and asked[name][0].strftime(asked[name][1]) for name in ("from", "to"))
    if low and high and asked["from"][0] > asked["to"][0]:
        high = None
        asked = {**asked, "to": None}
    history = MemoryHistory(shards)
    for line in made:
        history.put(line)
    texts = {name: asked[name][1] for name in ("checkpoint", "lora", "endpoint", "q", "owner") if asked[name]}
    query = HistoryQuery(filters=Filters(**texts), from_=low, to=high)
    filters = named(filters_of(query), RESOLVER, STAGE)
    page = fill(history.read, filters, plan(filters, shards), 100)
    expected = sorted((line.id for line in made if is_meant(line, asked)), reverse=True)
    assert [line.id for line in page.lines] == expected


@pytest.mark.parametrize("text", ["v1-5.safetensors", "v1-5", "V1-5", "SD15/v1-5", "gone", "nowhere"])
@pytest.mark.parametrize("count", [30, 3000])
def test_a_spelling_with_many_names_examines_one_item_for_each_line(text: str, count: int) -> None:
    history = MemoryHistory()
    for number in range(count):
        made = ids.first_of(FIRST + timedelta(seconds=number))[:14] + f"7000-8000-{number:012d}"
        name = ("v1-5.safetensors", "gone.ckpt", "other.ckpt")[number % 3]
        history.put(JobLine(made, "alice", "txt2img", "succeed", "a", checkpoint=name))
    filters = named(Filters(checkpoint=text), RESOLVER, STAGE)
    page = fill(history.read, filters, plan(filters, 1), 10)
    assert len(page.lines) == (0 if text == "nowhere" else 10)
    assert page.examined == len(page.lines)
