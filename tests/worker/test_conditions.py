"""From prompts to what the UNet is told, on tiny models."""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.worker.files import loaded
from worker.engines.diffusers.conditions import Condition, Conditions, Teller
from worker.engines.diffusers.models import Model
from worker.engines.diffusers.prompts.options import PromptOptions, prompt_options_of
from worker.engines.diffusers.prompts.schedule import PassSteps
from worker.errors import JobError

SIZE = (96, 64)
FAMILIES = ["tiny-sd15", "tiny-sd2", "tiny-sdxl", "tiny-sdxl-refiner"]


@cache
def model(name: str = "tiny-sd15") -> Model:
    return loaded(name)


def told(prompt: str, name: str = "tiny-sd15", negative: str = "", steps: int = 4, **options: Any) -> Conditions:
    embeddings = options.pop("embeddings", None)
    teller = Teller(model(name), PromptOptions(**options), embeddings)
    return teller.conditions(prompt, negative, PassSteps(steps), SIZE)


def words(prompt: str, name: str = "tiny-sd15", **options: Any) -> Tensor:
    [(_, condition)], _ = told(prompt, name, **options).at(1)
    return condition.words


def same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_told_words_of_its_own_width(name: str) -> None:
    [(weight, condition)], negative = told("a pier at night", name, "blurry").at(1)
    width = {"tiny-sdxl": 64}.get(name, 32)
    assert weight == 1
    assert condition.words.shape == negative.words.shape == (1, 77, width)
    assert (condition.pooled is not None) == ("sdxl" in name)


def test_the_words_are_those_that_transformers_reads_from_the_same_text() -> None:
    tokens = model().tokenizer("a pier at night", padding="max_length", max_length=77, return_tensors="pt")["input_ids"]
    layers, _ = model().encoders[0](tokens)
    assert same(words("a pier at night"), model().encoders[0].final_norm(layers[-1]))
    assert same(words("a pier at night", clip_skip=2), model().encoders[0].final_norm(layers[-2]))


def test_sdxl_takes_the_layer_before_the_last_whatever_clip_skip_says() -> None:
    assert same(words("a pier", "tiny-sdxl"), words("a pier", "tiny-sdxl", clip_skip=1))
    assert same(words("a pier", "tiny-sdxl"), words("a pier", "tiny-sdxl", clip_skip=3))
    assert not same(words("a pier", "tiny-sdxl"), words("a pier", "tiny-sdxl", clip_skip=3, sdxl_clip_l_skip=True))


def test_sdxl_is_told_the_size_and_the_refiner_a_score() -> None:
    [(_, condition)], _ = told("a", "tiny-sdxl", sdxl_crop_top=8).at(1)
    assert condition.ids is not None
    assert condition.ids.tolist() == [[64, 96, 8, 0, 64, 96]]
    [(_, condition)], negative = told("a", "tiny-sdxl-refiner").at(1)
    assert condition.ids is not None
    assert negative.ids is not None
    assert condition.ids.tolist() == [[64, 96, 0, 0, 6]]
    assert negative.ids.tolist() == [[64, 96, 0, 0, 2.5]]


def test_an_empty_negative_prompt_is_zeros_for_sdxl_alone() -> None:
    def negative(name: str, text: str = "") -> Condition:
        return told("a", name, text).at(1)[1]

    empty = negative("tiny-sdxl")
    assert not empty.words.any()
    assert empty.pooled is not None
    assert not empty.pooled.any()
    assert negative("tiny-sdxl", "blurry").words.any()
    assert negative("tiny-sd15").words.any()


def test_weights_change_words_and_keep_the_mean() -> None:
    plain, heavy = words("a (pier)"), words("a (pier:1.8)")
    assert not same(plain, heavy)
    assert heavy.mean().item() == pytest.approx(words("a pier").mean().item(), abs=1e-4)
    assert same(words("a (pier:1.8)", emphasis="Ignore"), words("a pier"))
    assert not same(words("a (pier:1.8)", emphasis="No norm"), heavy)
    assert same(words("(pier:1.8)", emphasis="None"), words(r"\(pier:1.8\)"))


def test_a_long_prompt_is_several_chunks_and_break_begins_one() -> None:
    assert words("pier " * 80).shape[1] == 2 * 77
    assert same(words("a pier BREAK at night"), torch.cat([words("a pier"), words("at night")], dim=1))


def test_and_tells_each_part_with_its_weight() -> None:
    conditions, _ = told("a pier AND a boat :0.5").at(1)
    assert [weight for weight, _ in conditions] == [1, 0.5]
    assert same(conditions[1][1].words, words("a boat"))


def test_words_change_with_the_steps() -> None:
    plan = told("a [pier:boat:0.5]", negative="[fog:2]")
    assert [same(plan.at(step)[0][0][1].words, words("a pier")) for step in (1, 2, 3, 4)] == [True, True, False, False]
    assert same(plan.at(4)[0][0][1].words, words("a boat"))
    assert same(plan.at(2)[1].words, words(""))
    assert same(plan.at(3)[1].words, words("fog"))


def test_the_words_that_take_turns_are_read_once() -> None:
    looks: list[None] = []
    teller = Teller(model(), PromptOptions(), step=lambda: looks.append(None))
    teller.conditions("[a|b]", "", PassSteps(100), SIZE)
    # Twice for each text: before it, and before its chunks.
    assert len(looks) == 6


@pytest.mark.parametrize("name", FAMILIES)
def test_an_embedding_stands_for_its_name_even_if_that_is_a_word(name: str) -> None:
    plain = words("a cat", name)
    vectors = {encoder.key: torch.full((2, 32), 0.5) for encoder in model(name).encoders}
    with_it = words("a cat", name, embeddings={"cat": vectors})
    assert not same(plain, with_it)
    assert same(words("a dog", name, embeddings={"cat": vectors}), words("a dog", name))
    assert same(words("a cat", name), plain)


def test_what_cannot_be_read_is_refused_by_name() -> None:
    with pytest.raises(JobError, match=r"CLIP_stop_at_last_layers"):
        prompt_options_of({"override_settings": {"CLIP_stop_at_last_layers": 99}})
    with pytest.raises(JobError, match="chunks"):
        words("BREAK " * 500)
    with pytest.raises(JobError, match="so large"):
        words(f"({'9' * 400}:{'9' * 400})")
