"""Words are found however they are written; names of files are told apart more strictly."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom import words
from darkroom.jobs.filters import Filters
from darkroom.jobs.model import JobLine
from darkroom.webui import spelling


def line(prompt: str) -> JobLine:
    return JobLine("0198d4a6-2b00-7000-8000-000000000001", "alice", "txt2img", "fail", prompt=prompt)


@pytest.mark.parametrize(
    ("q", "prompt"),
    [
        ("istanbul", "İstanbul at night"),
        ("İSTANBUL", "istanbul at night"),
        ("ISPARTA", "a street in ısparta"),
        ("diyarbakır", "DIYARBAKIR"),
        ("i\u0307stanbul", "Istanbul"),
        ("full", "Ｆｕｌｌ body"),
        ("Ｆｕｌｌ", "full body"),
        ("strasse", "Große Straße".replace("ß", "ẞ")),
        ("straße", "HAUPTSTRASSE"),
        ("film", "an old ﬁlm"),
        ("office", "an oﬃce"),
        ("パーティ", "ﾊﾟｰﾃｨ at night"),
        ("ﾊﾟｰﾃｨ", "パーティ"),
        ("ΣΊΣΥΦΟΣ", "Ο Σίσυφος"),
        ("σίσυφοσ", "Σίσυφος"),
        ("cafe\u0301", "a CAFÉ"),
        ("café", "a cafe\u0301"),
        ("2", "m²"),
        ("red lighthouse", "Lighthouse\u3000ＲＥＤ"),
        ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af"),
    ],
)
def test_a_word_is_found_in_any_case_width_and_encoding(q: str, prompt: str) -> None:
    assert Filters(q=q).match(line(prompt))


@pytest.mark.parametrize(("q", "prompt"), [("cafe", "café"), ("o", "ö"), ("カ", "ガ"), ("storm", "calm")])
def test_other_letters_stay_other_letters(q: str, prompt: str) -> None:
    assert not Filters(q=q).match(line(prompt))


@given(st.text())
def test_to_fold_twice_changes_nothing_and_case_is_gone(text: str) -> None:
    folded = words.folded(text)
    assert words.folded(folded) == folded
    assert words.folded(normalize("NFKC", text).casefold()) == folded


def test_names_of_two_files_are_not_taken_for_one_by_their_width() -> None:
    assert spelling.folded("ｆｉｌｍ.pt") != spelling.folded("film.pt")
    assert words.folded("ｆｉｌｍ.pt") == words.folded("film.pt")
