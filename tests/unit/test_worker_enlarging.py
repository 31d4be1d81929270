"""How large the picture of an extras job gets: as the WebUI's scripts/postprocessing_upscale.py makes it."""

from typing import Any

import pytest

from worker.enlarging import EnlargingSettings, enlarged_size, enlarging_infotext
from worker.errors import JobError


def size(picture: tuple[int, int], **body: Any) -> tuple[int, int]:
    """Of the result."""
    return enlarged_size(picture, EnlargingSettings(upscaler_1="Lanczos", **body))[1]


@pytest.mark.parametrize(
    ("picture", "body", "result"),
    [
        ((64, 48), {}, (128, 96)),
        ((64, 48), {"upscaling_resize": 4}, (256, 192)),
        ((100, 100), {"upscaling_resize": 1.5}, (144, 144)),
        ((300, 300), {"upscaling_resize": 1 / 3}, (96, 96)),
        ((360, 360), {"upscaling_resize": 1.4}, (504, 504)),
        ((64, 64), {"upscaling_resize": 0.01}, (8, 8)),
        ((64, 48), {"resize_mode": 1}, (512, 512)),
        ((64, 48), {"resize_mode": 1, "upscaling_crop": False}, (680, 512)),
        ((64, 48), {"resize_mode": 1, "upscaling_resize_w": 500, "upscaling_resize_h": 300}, (500, 300)),
        ((64, 48), {"upscaling_resize": None, "upscaling_resize_w": 500}, (128, 96)),
    ],
)
def test_the_size_of_the_result(picture: tuple[int, int], body: dict[str, Any], result: tuple[int, int]) -> None:
    assert size(picture, **body) == result


@pytest.mark.parametrize("width", [1, 8, 33, 97, 333, 501, 8000])
def test_what_is_cut_out_has_the_shape_of_the_result_and_lies_in_the_middle(width: int) -> None:
    body = {"resize_mode": 1, "upscaling_resize_w": 501, "upscaling_resize_h": 333}
    (left, top, right, bottom), result = enlarged_size((width, 97), EnlargingSettings(upscaler_1="Lanczos", **body))
    assert result == (501, 333)
    assert (right - left) / (bottom - top) == pytest.approx(501 / 333)
    assert (left, top) == pytest.approx((width - right, 97 - bottom))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= 97


def test_a_result_without_bounds_is_refused() -> None:
    for body in (
        {"upscaling_resize": 8000},
        {"resize_mode": 1, "upscaling_resize_w": 8192, "upscaling_crop": False},
    ):
        with pytest.raises(JobError, match="pixels"):
            size((1, 64), **body)


def test_an_upscaler_counts_only_where_the_webui_uses_it() -> None:
    assert EnlargingSettings().upscalers == []
    assert EnlargingSettings(upscaler_2="Lanczos", extras_upscaler_2_visibility=1).upscalers == []
    one = EnlargingSettings(upscaler_1="Lanczos", upscaler_2="Nearest")
    assert one.upscalers == ["Lanczos"]
    assert one.model_copy(update={"extras_upscaler_2_visibility": 0.5}).upscalers == ["Lanczos", "Nearest"]


def test_the_infotext_is_the_webuis() -> None:
    body = {"resize_mode": 1, "upscaler_2": "Nearest", "extras_upscaler_2_visibility": 0.5}
    assert enlarging_infotext(EnlargingSettings(upscaler_1="Lanczos", **body)) == (
        "Postprocess upscale to: 512x512, Postprocess crop to: 512x512, "
        "Postprocess upscaler: Lanczos, Postprocess upscaler 2: Nearest"
    )
    assert enlarging_infotext(EnlargingSettings()) == ""
