"""Extras and the second pass with upscaler files."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.worker.files import folder
from tests.worker.jobs import engine, file, photo, picture, pictures_of, request_of, task_of
from worker.engines import Painting
from worker.engines.diffusers import tiny, tiny_networks
from worker.engines.diffusers.upscaling import OVERLAP, TILE, Upscaling
from worker.errors import JobError
from worker.model_files import ModelFiles
from worker.store import Store

UPSCALER = "RealESRGAN_x2plus.safetensors"


@pytest.fixture(autouse=True, scope="module")
def _files() -> None:
    tiny.write(folder() / UPSCALER, tiny_networks.upscaler())


def extras(init: Image.Image, **fields: Any) -> Painting:
    models = {"upscaler": [file(UPSCALER).model_copy(update={"spellings": ["R-ESRGAN 2x+"]})]}
    request = request_of(job="extras", models=models, pictures={"init": init}, **fields)
    [painted] = engine().paint(task_of(request, {"init": init}))
    return painted


def test_a_picture_is_enlarged_by_the_file_that_the_webuis_name_means() -> None:
    painted = extras(photo((40, 24)), upscaler_1="R-ESRGAN 2x+", upscaling_resize=3)
    assert (painted.width, painted.height) == (120, 72)
    plain = extras(photo((40, 24)), upscaler_1="Lanczos", upscaling_resize=3)
    assert painted.content != plain.content
    assert "Postprocess upscaler: R-ESRGAN 2x+" in painted.infotext


def test_two_upscalers_are_mixed() -> None:
    def shades(**fields: Any) -> np.ndarray:
        return np.asarray(pictures_of([extras(photo((40, 24)), **fields)])[0], dtype=int)

    mixed = shades(upscaler_1="Lanczos", upscaler_2="R-ESRGAN 2x+", extras_upscaler_2_visibility=0.25)
    both = 0.75 * shades(upscaler_1="Lanczos") + 0.25 * shades(upscaler_1="R-ESRGAN 2x+")
    assert abs(mixed - both).max() <= 1


def test_tiles_show_no_seams() -> None:
    """A file that only repeats pixels must give the same picture, however many tiles it takes."""

    class Repeat(torch.nn.Module):
        scale = 2

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    looks: list[None] = []
    upscaling = Upscaling(request_of(), ModelFiles(Store()), "cpu", lambda: looks.append(None), pickles=False)
    init = photo((2 * TILE + 50, TILE + OVERLAP))
    larger = upscaling.once(init, Repeat())
    assert larger.tobytes() == init.resize((init.width * 2, init.height * 2), Image.Resampling.NEAREST).tobytes()
    assert len(looks) == 6


def test_hires_fix_can_use_a_file() -> None:
    models = {"upscaler": [file(UPSCALER).model_copy(update={"spellings": ["R-ESRGAN 2x+"]})]}
    with_file = picture(enable_hr=True, hr_upscaler="R-ESRGAN 2x+", models=models)
    assert with_file.size == (128, 128)
    assert with_file.tobytes() != picture(enable_hr=True, hr_upscaler="Lanczos").tobytes()


def test_faces_are_not_restored_and_that_is_said() -> None:
    with pytest.raises(JobError, match="codeformer_visibility"):
        extras(photo(), upscaler_1="Lanczos", codeformer_visibility=1)


def test_without_an_upscaler_the_size_stays_and_that_is_said() -> None:
    init = photo((40, 24))
    request = request_of(job="extras", pictures={"init": init})
    assert extras(init).width == 40
    assert engine().notices(task_of(request, {"init": init})) != []
