"""The WebUI's language of prompts, as the engine that paints understands it."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engines.diffusers.prompts.attention import BREAK, Span, spans
from worker.engines.diffusers.prompts.chunks import LENGTH, Vocabulary, chunks
from worker.engines.diffusers.prompts.composition import Part, parts
from worker.engines.diffusers.prompts.networks import NetworkUse, read
from worker.engines.diffusers.prompts.schedule import PassSteps, Schedule, schedule
from worker.errors import JobError

# -- emphasis ------------------------------------------------------------------------------------------


def weighted(prompt: str) -> list[tuple[str, float]]:
    return [("BREAK", 0) if span is BREAK else (span.text, round(span.weight, 4)) for span in spans(prompt)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a pier", [("a pier", 1)]),
        ("", [("", 1)]),
        ("()", [("", 1)]),
        ("(a)", [("a", 1.1)]),
        ("((a))", [("a", 1.21)]),
        ("[a]", [("a", 0.9091)]),
        ("(a:1.2)", [("a", 1.2)]),
        ("(a: 1.2 )", [("a", 1.2)]),
        ("(a:-1)", [("a", -1)]),
        ("(a:.5)", [("a", 0.5)]),
        ("((a:2) b:3)", [("a", 6), (" b", 3)]),
        ("a (b [c] d:1.5) e", [("a ", 1), ("b ", 1.5), ("c", 1.3636), (" d", 1.5), (" e", 1)]),
        # A number counts for round brackets alone; in square ones it is text.
        ("[a:1.2]", [("a:1.2", 0.9091)]),
        ("a:1.2)", [("a:1.2)", 1)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("(a:b)", [("a:b", 1.1)]),
        (r"\(a\) \[b\]", [("(a) [b]", 1)]),
        (r"(a\\:1.3)", [("a\\", 1.3)]),
        (r"a\b", [(r"a\b", 1)]),
        ("(unclosed", [("unclosed", 1.1)]),
        ("[(unclosed", [("unclosed", 1)]),
        ("closed)", [("closed)", 1)]),
        ("([a)b]", [("a", 1), ("b", 0.9091)]),
        ("a BREAK b", [("a", 1), ("BREAK", 0), ("b", 1)]),
        ("BREAK", [("BREAK", 0)]),
        ("(a BREAK b:1.2)", [("a", 1.2), ("BREAK", 0), ("b", 1.2)]),
        ("BREAKFAST", [("BREAKFAST", 1)]),
        ("(a)(b)", [("ab", 1.1)]),
    ],
)
def test_brackets_say_how_much_words_count(prompt: str, expected: list[tuple[str, float]]) -> None:
    assert weighted(prompt) == expected


def test_emphasis_can_be_switched_off() -> None:
    assert spans("(a:1.2) BREAK", emphasis=False) == [Span("(a:1.2) BREAK")]


# -- AND -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat", [Part("a cat")]),
        ("a cat AND a dog", [Part("a cat "), Part(" a dog")]),
        ("a cat :1.2 AND a dog:.5", [Part("a cat", 1.2), Part(" a dog", 0.5)]),
        ("a cat:-1", [Part("a cat", -1)]),
        ("a cat: 2. AND", [Part("a cat", 2), Part("")]),
        ("sand AND Andes: b", [Part("sand "), Part(" Andes: b")]),
    ],
)
def test_and_joins_prompts_with_weights(prompt: str, expected: list[Part]) -> None:
    assert parts(prompt) == expected


# -- schedules -----------------------------------------------------------------------------------------


def texts(prompt: str, count: int = 10, **steps: object) -> list[tuple[int, str]]:
    found = schedule(prompt, PassSteps(count, **steps))  # type: ignore[arg-type]
    return list(zip(found.changes, found.texts, strict=True))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a pier", [(10, "a pier")]),
        ("sea [fog:3]", [(3, "sea "), (10, "sea fog")]),
        ("sea [fog: 3 ]", [(3, "sea "), (10, "sea fog")]),
        ("sea [[[fog]]:2]", [(2, "sea "), (10, "sea [[fog]]")]),
        ("[(fog:1.3):3]", [(3, ""), (10, "(fog:1.3)")]),
        ("sea [fog : sun : 1] day", [(1, "sea fog  day"), (10, "sea  sun  day")]),
        ("[x:[y:z:4]:2]!", [(2, "x!"), (4, "y!"), (10, "z!")]),
        ("sea [fog", [(10, "sea [fog")]),
        ("sea [fog:.5] day", [(5, "sea  day"), (10, "sea fog day")]),
        ("[fog|sun:.5]", [(10, "[fog|sun:.5]")]),
        ("(sea][:x [fog:3]", [(3, "(sea][:x "), (10, "(sea][:x fog")]),
        ("[a::4]", [(4, "a"), (10, "")]),
        ("[a:b:0]", [(10, "b")]),
        ("[a:b:1.5]", [(10, "a")]),
        ("[a:b:99]", [(10, "a")]),
        ("[a:b:-1]", [(10, "b")]),
        ("[a:b:c]", [(10, "[a:b:c]")]),
        ("[a:b:c:2]", [(10, "[a:b:c:2]")]),
        (r"[a\:b:c:0.5]", [(5, r"a\:b"), (10, "c")]),
        ("[a (b:c:0.5]", [(10, "[a (b:c:0.5]")]),
        # A stroke that is no alternation, and a backslash behind which nothing stands, are no schedules at all.
        ("a | b [c:d:0.5]", [(10, "a | b [c:d:0.5]")]),
        ("(a|b) [c:d:0.5]", [(10, "(a|b) [c:d:0.5]")]),
        ("[a:b:0.5] \\", [(10, "[a:b:0.5] \\")]),
    ],
)
def test_a_prompt_changes_at_its_steps(prompt: str, expected: list[tuple[int, str]]) -> None:
    assert texts(prompt) == expected


def test_words_take_turns() -> None:
    assert texts("[a|(b:1.1)]", 4) == [(1, "a"), (2, "(b:1.1)"), (3, "a"), (4, "(b:1.1)")]
    assert texts("[a|b|]c", 5) == [(1, "ac"), (2, "bc"), (3, "c"), (4, "ac"), (5, "bc")]
    assert texts("[[a|b]:c:2]", 4) == [(1, "a"), (2, "b"), (4, "c")]


def test_the_hires_pass_counts_on() -> None:
    """Shares from 1 and steps behind those of the first pass are its own."""
    assert texts("[a:b:.5]", 10, before=20) == [(10, "b")]
    assert texts("[a:b:1.5]", 10, before=20) == [(5, "a"), (10, "b")]
    assert texts("[a:b:25]", 10, before=20) == [(5, "a"), (10, "b")]
    assert texts("[a:b:5]", 10, before=20) == [(10, "b")]


def test_bodies_of_older_webuis_count_otherwise() -> None:
    assert texts("[a:b:1.0]", 10, old=True) == [(1, "a"), (10, "b")]
    assert texts("[a:b:.25]", 10, before=20, old=True) == [(2, "a"), (10, "b")]


def test_the_first_text_holds_for_one_call_more_as_in_the_webui() -> None:
    found = Schedule((3, 10), ("a", "b"))
    assert [found.texts[found.number_at(calls)] for calls in (0, 3, 4, 10, 11)] == ["a", "a", "b", "b", "b"]


# -- chunks --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vectors:
    vectors: int


COMMA = 267
NAME = (7, 8)
VOCABULARY = Vocabulary(lambda text: [int(word) for word in text.split()], COMMA, {NAME: Vectors(4)})


def ids(*counts: int) -> str:
    return " ".join(str(1000 + number) for number in range(*counts))


def test_a_short_prompt_is_one_chunk_and_none_is_an_empty_one() -> None:
    [chunk] = chunks([Span("5 6", 1.2), Span("9")], VOCABULARY)
    assert (chunk.ids, chunk.weights) == ((5, 6, 9), (1.2, 1.2, 1))
    assert [chunk.ids for chunk in chunks([Span("")], VOCABULARY)] == [()]


def test_a_long_prompt_goes_on_in_the_next_chunk() -> None:
    assert [len(chunk.ids) for chunk in chunks([Span(ids(75))], VOCABULARY)] == [75]
    assert [len(chunk.ids) for chunk in chunks([Span(ids(151))], VOCABULARY)] == [75, 75, 1]


def test_a_chunk_ends_at_a_comma_that_is_near() -> None:
    text = f"{ids(60)} {COMMA} {ids(60, 80)}"
    first, second = chunks([Span(text)], VOCABULARY)
    assert (len(first.ids), first.ids[-1], second.ids[0]) == (61, COMMA, 1060)
    assert [len(chunk.ids) for chunk in chunks([Span(text)], VOCABULARY, backtrack=0)] == [75, 6]
    far = f"{ids(50)} {COMMA} {ids(50, 80)}"
    assert [len(chunk.ids) for chunk in chunks([Span(far)], VOCABULARY)] == [75, 6]


def test_break_begins_a_chunk() -> None:
    assert [chunk.ids for chunk in chunks([Span("5"), BREAK, Span("6")], VOCABULARY)] == [(5,), (6,)]
    assert [chunk.ids for chunk in chunks([Span("5"), BREAK, BREAK], VOCABULARY)] == [(5,), ()]


def test_an_embedding_stands_for_its_name_and_is_never_cut() -> None:
    [chunk] = chunks([Span("5 7 8 9", 1.5)], VOCABULARY)
    assert chunk.ids == (5, 0, 0, 0, 0, 9)
    assert chunk.weights == (1.5,) * 6
    assert chunk.embeddings == ((1, Vectors(4)),)
    first, second = chunks([Span(f"{ids(73)} 7 8")], VOCABULARY)
    assert (len(first.ids), second.ids, second.embeddings) == (73, (0,) * 4, ((0, Vectors(4)),))


def test_an_embedding_behind_the_comma_moves_to_the_next_chunk() -> None:
    first, second = chunks([Span(f"{ids(64)} {COMMA} 7 8 {ids(64, 80)}")], VOCABULARY)
    assert (len(first.ids), first.embeddings) == (65, ())
    assert second.embeddings == ((0, Vectors(4)),)


# -- any prompt ----------------------------------------------------------------------------------------

HOSTILE = ["(", "[", "(a", "[a", "[a:", "[a|", "]", ")", ":", "|", "(a:1.1", "[[a:b:0.5]:", "\\", " ", ":\t", "BREAK "]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("end", ["", "]" * 100, ")" * 100], ids=["open", "squares closed", "rounds closed"])
def test_no_prompt_takes_long(piece: str, end: str) -> None:
    """Twenty thousand characters in whatever order; steps that grow with the square of that would take minutes, longer
    than a test may."""
    prompt = (piece * 20_000)[:20_000] + end
    found = schedule(prompt, PassSteps(20))
    for text in {found.texts[0], found.texts[-1]}:
        spans(text)
    parts(prompt)


@given(st.text(st.sampled_from("ab []():|\\.1,B"), max_size=60), st.integers(1, 12))
def test_every_step_of_any_prompt_has_one_text(prompt: str, count: int) -> None:
    found = schedule(prompt, PassSteps(count))
    assert found.changes[-1] == count
    assert list(found.changes) == sorted(set(found.changes))
    assert len(found.changes) == len(found.texts)
    for text in found.texts:
        made = chunks([Span("1 " * len(span.text), span.weight) for span in spans(text)], VOCABULARY)
        assert all(len(chunk.ids) == len(chunk.weights) <= LENGTH for chunk in made)


# -- tags ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "text", "uses"),
    [
        ("a pier <lora:film:0.8>", "a pier ", [NetworkUse("lora", "film", 0.8, 0.8)]),
        ("<lora:film>", "", [NetworkUse("lora", "film")]),
        ("<lyco:styles/film:1:0.5>", "", [NetworkUse("lora", "styles/film", 1, 0.5)]),
        ("<lora:film:0.8:0.4:16>", "", [NetworkUse("lora", "film", 0.8, 0.4, 16)]),
        ("<lora:film:te=0.2:unet=0.7:dyn=4>", "", [NetworkUse("lora", "film", 0.2, 0.7, 4)]),
        ("<lora:film:te=0.2>", "", [NetworkUse("lora", "film", 0.2, 0.2)]),
        ("<hypernet:ink:0.5>b", "b", [NetworkUse("hypernetwork", "ink", 0, 0.5)]),
        ("<lora:a:1><lora:a:1>", "", [NetworkUse("lora", "a"), NetworkUse("lora", "a")]),
        ("<other:x:1> <lora:> <b>", " <lora:> <b>", []),
        ("a # <lora:film:1>\nb", "a \nb", []),
    ],
)
def test_tags_say_which_files_count_how_much(prompt: str, text: str, uses: list[NetworkUse]) -> None:
    assert read(prompt) == (text, uses)


def test_a_number_that_is_none_is_refused_with_its_tag() -> None:
    with pytest.raises(JobError, match=r"In <lora:film:high>, 'high' is no number"):
        read("<lora:film:high>")
