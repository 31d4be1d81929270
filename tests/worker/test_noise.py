"""Noise is counted from seeds as the WebUI counts it, and is the same on every machine."""

from typing import Literal

import numpy as np
import pytest
import torch
import torchsde
from torch import Tensor

from worker.engines.diffusers.sampling.brownian import BrownianTree
from worker.engines.diffusers.sampling.noise import ImageNoise, NoiseSource, Variation, slerp
from worker.engines.diffusers.sampling.philox import PhiloxGenerator, Words, philox

DEVICE = torch.device("cpu")
CPU = NoiseSource("CPU", DEVICE)
SHAPE = (4, 8, 8)


def torch_noise(seed: int, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def counter_of(words: tuple[int, int, int, int]) -> tuple[Words, Words, Words, Words]:
    first, second, third, fourth = (np.array([word], dtype=np.uint64) for word in words)
    return first, second, third, fourth


def test_philox_has_the_published_known_answers() -> None:
    # Random123, the authors' library: kat_vectors, philox4x32 with 10 rounds.
    full = 0xFFFFFFFF
    for counter, key, answer in [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((full, full, full, full), (full, full), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ]:
        words = philox(counter_of(counter), key)
        assert tuple(int(word[0]) for word in words) == answer


def test_philox_gives_the_numbers_of_torch_on_a_graphics_card() -> None:
    # What randn of shape (3, 4) gives on a card after the seed 0.
    known = [-0.9247, -0.4253, -2.6438, 0.1452, -0.1209, -0.5797, -0.6229, -0.3284, -1.0745, -0.3631, -1.6711, 2.2655]
    assert PhiloxGenerator(0).randn((3, 4)).flatten().tolist() == pytest.approx(known, abs=1e-4)


def test_philox_takes_large_seeds_and_goes_on_with_other_numbers() -> None:
    generator = PhiloxGenerator(2**33 + 5)
    first, second = generator.randn((4000,)), generator.randn((4000,))
    assert not torch.equal(first, second)
    assert not torch.equal(first, PhiloxGenerator(5).randn((4000,)))
    assert torch.equal(first, PhiloxGenerator(2**33 + 5).randn((4000,)))
    assert float(first.mean()) == pytest.approx(0, abs=0.05)
    assert float(first.std()) == pytest.approx(1, abs=0.05)


def test_a_card_that_is_asked_for_and_not_there_is_calculated() -> None:
    gpu, philox_source = NoiseSource("GPU", DEVICE), NoiseSource("NV", DEVICE)
    assert torch.equal(gpu.randn(7, SHAPE), philox_source.randn(7, SHAPE))
    assert torch.equal(CPU.randn(7, SHAPE), torch_noise(7))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")
def test_a_card_gives_what_is_calculated_for_it() -> None:
    card = NoiseSource("GPU", torch.device("cuda")).randn(7, (4, 64, 64)).cpu()
    assert torch.allclose(card, NoiseSource("NV", DEVICE).randn(7, (4, 64, 64)), atol=1e-5)


@pytest.mark.parametrize("kind", ["CPU", "GPU", "NV"])
def test_each_picture_has_the_noise_that_it_has_alone(kind: Literal["CPU", "GPU", "NV"]) -> None:
    source = NoiseSource(kind, DEVICE)
    batch = ImageNoise(SHAPE, [3, 4], source)
    alone = ImageNoise(SHAPE, [4], source)
    assert torch.equal(batch.first()[1], alone.first()[0])
    for _ in range(2):
        assert torch.equal(batch.next()[1], alone.next()[0])


def test_later_noise_goes_on_where_the_first_ended() -> None:
    noise = ImageNoise(SHAPE, [3], CPU)
    generator = torch.Generator().manual_seed(3)
    for drawn in (noise.first(), noise.next(), noise.next()):
        assert torch.equal(drawn[0], torch.randn(SHAPE, generator=generator))


def test_the_delta_is_added_to_the_seeds_of_all_noise_but_the_first() -> None:
    noise = ImageNoise(SHAPE, [3], CPU, delta=31337)
    assert torch.equal(noise.first()[0], torch_noise(3))
    assert torch.equal(noise.next()[0], torch_noise(31340))


def test_a_variation_lies_between_the_noises_of_seed_and_subseed() -> None:
    def first(strength: float) -> Tensor:
        return ImageNoise(SHAPE, [3, 3], CPU, variation=Variation([10, 11], strength)).first()

    assert torch.equal(first(0.0)[0], torch_noise(3))
    assert torch.allclose(first(1.0)[1], torch_noise(11), atol=1e-5)
    half = first(0.5)
    assert torch.allclose(half[0], slerp(0.5, torch_noise(3), torch_noise(10)))
    assert float(half.std()) == pytest.approx(1, abs=0.1)
    assert not torch.allclose(half[0], half[1])


def test_a_picture_without_a_subseed_varies_by_seed_zero() -> None:
    noise = ImageNoise(SHAPE, [3, 4], CPU, variation=Variation([10], 1.0)).first()
    assert torch.allclose(noise[1], torch_noise(0), atol=1e-5)


def test_almost_the_same_noise_is_blended_linearly() -> None:
    noise = torch_noise(1)
    assert torch.allclose(slerp(0.3, noise, noise), noise)


def test_the_noise_of_a_smaller_size_is_put_into_the_middle() -> None:
    noise = ImageNoise((4, 8, 12), [3], CPU, resize_from=(64, 32)).first()[0]
    assert torch.equal(noise[:, 2:6, 2:10], torch_noise(3, (4, 4, 8)))
    around = torch_noise(3, (4, 8, 12))
    assert torch.equal(noise[:, :2], around[:, :2])
    assert torch.equal(noise[:, :, :2], around[:, :, :2])


def test_the_noise_of_a_larger_size_is_cut() -> None:
    noise = ImageNoise((4, 4, 8), [3], CPU, resize_from=(96, 64)).first()[0]
    assert torch.equal(noise, torch_noise(3, (4, 8, 12))[:, 2:6, 2:10])


def test_a_resized_noise_varies_at_its_own_size() -> None:
    varied = ImageNoise((4, 8, 8), [3], CPU, resize_from=(32, 32), variation=Variation([9], 1.0)).first()[0]
    assert torch.allclose(varied[:, 2:6, 2:6], torch_noise(9, (4, 4, 4)), atol=1e-5)


PARTS = [(9.0, 14.6146), (3.3, 9.0), (1.0, 3.3), (0.0292, 1.0), (2.0, 2.5), (14.0, 14.6146), (0.0292, 14.6146)]


def test_a_brownian_path_is_that_of_torchsde() -> None:
    theirs = torchsde.BrownianTree(0.0292, torch.zeros(SHAPE), 14.6146, entropy=5)
    ours = BrownianTree(lambda seed: torch_noise(seed), 0.0292, 14.6146, 5)
    for start, end in PARTS:
        assert torch.equal(ours.between(start, end), theirs(start, end))


def test_parts_of_a_brownian_path_fit_together_in_any_order() -> None:
    path = BrownianTree(lambda seed: torch_noise(seed), 0.0292, 14.6146, 5)
    parts = [path.between(start, end) for start, end in PARTS[3::-1]]
    assert torch.allclose(sum(parts), path.between(0.0292, 14.6146), atol=1e-5)
    assert torch.equal(path.between(1.0, 1.0), torch.zeros(SHAPE))
    assert torch.equal(path.between(14.0, 99.0), path.between(14.0, 14.6146))


def test_brownian_noise_is_standard_normal_and_each_pictures_own() -> None:
    between = ImageNoise((4, 32, 32), [3, 4], CPU).brownian(0.0292, 14.6146)
    noise = between(torch.tensor(5.0), torch.tensor(2.0))
    assert float(noise.std()) == pytest.approx(1, abs=0.05)
    alone = ImageNoise((4, 32, 32), [4], CPU).brownian(0.0292, 14.6146)
    assert torch.equal(noise[1], alone(torch.tensor(5.0), torch.tensor(2.0))[0])
    assert torch.equal(between(torch.tensor(2.0), torch.tensor(5.0)), -noise)
