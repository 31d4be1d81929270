"""Embeddings of each form, and what the text encoders make of tokens and of vectors in their place."""

import base64
import itertools
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from safetensors.torch import save_file

from tests.worker.files import loaded
from worker.engines.diffusers import embeddings, tiny_networks
from worker.engines.diffusers.families import Family
from worker.engines.diffusers.tokens import tokenizer
from worker.errors import JobError

VECTORS = torch.arange(64, dtype=torch.float32).reshape(2, 32) / 64
OLD_EMBEDDING = {"string_to_token": {"*": 265}, "string_to_param": {"*": VECTORS}, "name": "cat", "step": 3}


def written_pickle(folder: Path) -> Path:
    return tiny_networks.write_pickle(folder / "cat.pt", OLD_EMBEDDING)


def written_parameters(folder: Path) -> Path:
    params = torch.nn.ParameterDict({"*": torch.nn.Parameter(VECTORS)})
    return tiny_networks.write_pickle(folder / "cat.pt", {**OLD_EMBEDDING, "string_to_param": params})


def written_concept(folder: Path) -> Path:
    return tiny_networks.write_pickle(folder / "cat.bin", {"<cat>": VECTORS})


def written_safetensors(folder: Path) -> Path:
    save_file({"emb_params": VECTORS}, folder / "cat.safetensors")
    return folder / "cat.safetensors"


def as_json() -> bytes:
    return json.dumps({"string_to_param": {"*": {"TORCHTENSOR": VECTORS.tolist()}}, "name": "cat"}).encode()


def written_text_of_a_png(folder: Path) -> Path:
    text = PngImagePlugin.PngInfo()
    text.add_text("sd-ti-embedding", base64.b64encode(as_json()).decode())
    Image.new("RGB", (32, 32), "white").save(folder / "anything.png", pnginfo=text)
    return folder / "anything.png"


def strip(halves: np.ndarray, height: int) -> np.ndarray:
    """A strip of a picture that carries half of each byte, under the noise of the WebUI."""
    padded = np.zeros(-(-len(halves) // (height * 3)) * height * 3, np.uint8)
    padded[: len(halves)] = halves
    state, noise = 0, []
    for _ in padded:
        state = (1664525 * state + 1013904223) % 2**32
        noise.append(state % 255 & 0x0F)
    # The high bits are decoration; lit, so that the strip is not cut off as a black margin.
    return ((padded ^ np.array(noise, np.uint8)) | 0x50).reshape(height, -1, 3)


def written_pixels_of_a_png(folder: Path) -> Path:
    packed = np.frombuffer(zlib.compress(as_json(), 9), np.uint8)
    picture = np.full((32, 32, 3), 255, np.uint8)
    black = np.zeros((32, 1, 3), np.uint8)
    whole = np.concatenate([strip(packed & 0x0F, 32), black, picture, black, strip(packed >> 4, 32)], axis=1)
    Image.fromarray(whole).save(folder / "anything.png")
    return folder / "anything.png"


@pytest.mark.parametrize(
    "write",
    [
        written_pickle,
        written_parameters,
        written_concept,
        written_safetensors,
        written_text_of_a_png,
        written_pixels_of_a_png,
    ],
)
def test_an_embedding_is_read_from_each_of_its_forms(write: Any, tmp_path: Path) -> None:
    path = write(tmp_path)
    found = embeddings.read(path, path.name, pickles=True)
    assert found.name == "cat"
    vectors = found.for_model(loaded("tiny-sd15"))
    assert vectors is not None
    torch.testing.assert_close(vectors["clip_l"], VECTORS)
    assert found.for_model(loaded("tiny-sdxl")) is None


def test_an_embedding_of_sdxl_is_for_both_encoders(tmp_path: Path) -> None:
    save_file(tiny_networks.embedding(Family.SDXL), tmp_path / "cat.safetensors")
    found = embeddings.read(tmp_path / "cat.safetensors", "cat.safetensors")
    vectors = found.for_model(loaded("tiny-sdxl"))
    assert vectors is not None
    assert vectors.keys() == {"clip_l", "clip_g"}
    assert found.for_model(loaded("tiny-sd15")) is None


def test_what_is_no_embedding_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), "white").save(tmp_path / "photo.png")
    save_file({"a": VECTORS, "b": VECTORS + 1}, tmp_path / "two.safetensors")
    for name in ("photo.png", "two.safetensors"):
        with pytest.raises(JobError, match="no embedding"):
            embeddings.read(tmp_path / name, name)


def test_vectors_take_the_place_of_tokens_while_they_are_asked_for() -> None:
    encoder = loaded("tiny-sd15").encoders[0]
    tokens = torch.tensor([tokenizer()("a photo", padding="max_length", max_length=77)["input_ids"]])
    with torch.no_grad():
        plain = encoder(tokens)[0]
        with encoder.with_vectors([(0, 2, VECTORS)]):
            changed = encoder(tokens)[0]
        again = encoder(tokens)[0]
    assert torch.equal(changed[0][0, :2], plain[0][0, :2])
    places = encoder.text_model.embeddings.position_embedding.weight[2:4]
    torch.testing.assert_close(changed[0][0, 2:4], VECTORS + places)
    assert torch.equal(again[-1], plain[-1])


@pytest.mark.parametrize("name", ["tiny-sd15", "tiny-sdxl"])
def test_an_encoder_gives_every_layer_before_the_last_norm_and_the_vector_of_the_end(name: str) -> None:
    tokens = torch.tensor([tokenizer()("a photo", padding="max_length", max_length=77)["input_ids"]])
    encoder = loaded(name).encoders[-1]
    with torch.no_grad():
        layers, pooled = encoder(tokens)
        whole = encoder.text_model(input_ids=tokens).last_hidden_state
        assert len(layers) == 1 + encoder.text_model.config.num_hidden_layers
        torch.testing.assert_close(encoder.final_norm(layers[-1]), whole)
        # The end follows the start and two words.
        end = whole[:, 3]
        torch.testing.assert_close(pooled, end if encoder.text_projection is None else encoder.text_projection(end))
        for layer, (given, made) in enumerate(itertools.pairwise(layers)):
            assert not torch.allclose(given, made), layer


def test_tokens_are_those_of_clip() -> None:
    assert tokenizer()("a photo of a cat")["input_ids"] == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer()("Ünïcode, emoji 🐈!", add_special_tokens=False)["input_ids"][-1] == 256
