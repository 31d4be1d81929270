"""The header of a safetensors file is read and checked, also when it was made to break the reader."""

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.checkpoints.model import part_count, part_size
from darkroom.checkpoints.safetensors import Header, NotSafetensors, header_length, read_header
from darkroom_client import upload
from tests.support.models import safetensors


def read(content: bytes) -> Header:
    length = header_length(content[:8])
    return read_header(content[8 : 8 + length], len(content) - 8 - length)


def test_base_model_and_trigger_words_are_read_from_the_header() -> None:
    spec = {"modelspec.architecture": "stable-diffusion-v1-5", "modelspec.trigger_phrase": "film grain, kodak"}
    assert read(safetensors(spec)) == Header("stable-diffusion-v1-5", ("film grain", "kodak"))
    training = {"ss_base_model_version": "sdxl", "ss_tag_frequency": json.dumps({"10_x": {"cat": 3, "ink ": 9}})}
    assert read(safetensors(training)) == Header("sdxl", ("ink", "cat"))
    assert read(safetensors()) == Header(None, ())


def test_half_a_surrogate_pair_in_the_metadata_is_replaced() -> None:
    header = read(safetensors({"modelspec.architecture": "\ud800x", "modelspec.trigger_phrase": "\udfff"}))
    json.dumps([header.base_model, *header.trigger_words], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x02\0\0\0\0\0\0\0",
        safetensors()[:-1],
        safetensors() + b"x",
        (2).to_bytes(8, "little") + b"[]",
        (9).to_bytes(8, "little") + b'{"a": {}}',
        (2**63).to_bytes(8, "little") + b"{}",
        b"<html>this is an error page</html>",
        b'\x40\0\0\0\0\0\0\0{"w":{"dtype":"U8","shape":[1],"data_offsets":[5,1]}}           ',
    ],
)
def test_a_file_that_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(NotSafetensors):
        read(content)


@given(st.binary(max_size=300), st.integers(0, 10**6))
def test_no_header_breaks_the_reading(text: bytes, size: int) -> None:
    with contextlib.suppress(NotSafetensors):
        read_header(text, size)


metadata = st.dictionaries(st.sampled_from(["ss_tag_frequency", "modelspec.trigger_phrase"]), st.text(max_size=40))


@given(metadata)
def test_no_metadata_breaks_the_reading(values: dict[str, str]) -> None:
    assert len(read(safetensors(values)).trigger_words) <= 8


@pytest.mark.parametrize("size", [16, 8 * 1024**2, 8 * 1024**2 + 1, 2 * 1024**3, 50 * 1024**3])
def test_every_file_fits_into_the_parts_that_s3_allows(size: int) -> None:
    assert 5 * 1024**2 <= part_size(size) <= 5 * 1024**3
    assert 1 <= part_count(size) <= 1024
    assert (part_count(size) - 1) * part_size(size) < size <= part_count(size) * part_size(size)


def test_the_file_that_the_page_on_the_first_deploy_makes_is_a_model_file(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "first-deploy.md").read_text()
    [program] = re.findall(r"^\$ python3 -c '(import pathlib; .*safetensors.*)'$", page, re.M)
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)  # noqa: S603 - the page is ours
    content = (tmp_path / "preview.safetensors").read_bytes()
    assert read(content).base_model is None
    assert len(content) >= upload.MIN_BYTES
