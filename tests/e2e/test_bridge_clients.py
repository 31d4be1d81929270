"""Programs that others wrote, unchanged, against the bridge and the stack behind it."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import webuiapi
from PIL import Image

from tests.e2e.conftest import Running
from tests.support.bridges import bridged

SIZE = {"width": 64, "height": 64, "steps": 3}


@pytest.fixture
def bridge(darkroom: Running, tmp_path: Path) -> Iterator[str]:
    with bridged(darkroom.stack.api, darkroom.key, folder=tmp_path / "bridge") as address:
        yield address


@pytest.fixture
def webui(bridge: str) -> webuiapi.WebUIApi:
    return webuiapi.WebUIApi(baseurl=f"{bridge}/sdapi/v1")


def picture(colour: str = "navy", size: tuple[int, int] = (64, 64)) -> Image.Image:
    return Image.new("RGB", size, colour)


def test_webuiapi_paints_from_a_text(webui: webuiapi.WebUIApi, darkroom: Running) -> None:
    result = webui.txt2img(prompt="a pier", negative_prompt="fog", seed=7, batch_size=2, **SIZE)
    assert [image.size for image in result.images] == [(64, 64), (64, 64)]
    assert result.info["all_seeds"] == [7, 8]
    assert result.info["infotexts"] == [image.text["parameters"] for image in result.images]
    assert result.info["prompt"] == "a pier"
    assert result.parameters["negative_prompt"] == "fog"
    assert result.parameters["cfg_scale"] == 7.0
    job = darkroom.client.job(next(darkroom.client.history(limit=1))["id"])
    stored = [darkroom.client.download(image["url"]) for image in job["images"]]
    assert [base64.b64decode(image) for image in result.json["images"]] == stored


def test_webuiapi_paints_over_a_picture_and_inside_a_mask(webui: webuiapi.WebUIApi, darkroom: Running) -> None:
    start = picture()
    result = webui.img2img(images=[start], prompt="a pier", seed=3, denoising_strength=0.5, **SIZE)
    assert result.image.size == (64, 64)
    assert result.info["denoising_strength"] == 0.5
    assert result.parameters["init_images"] is None
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    result = webui.img2img(images=[start], mask_image=mask, prompt="a pier", seed=3, **SIZE)
    assert next(darkroom.client.history(limit=1))["mode"] == "inpaint"
    assert result.image.convert("RGB").getpixel((60, 32)) == start.getpixel((60, 32))


def test_webuiapi_enlarges_describes_and_reads(webui: webuiapi.WebUIApi) -> None:
    one = webui.extra_single_image(image=picture(), upscaler_1="Lanczos", upscaling_resize=2)
    assert one.image.size == (128, 128)
    many = webui.extra_batch_images(
        images=[picture("red"), picture("lime", (32, 64))], upscaler_1="Nearest", upscaling_resize=2
    )
    assert [image.size for image in many.images] == [(128, 128), (64, 128)]
    assert many.images[0].convert("RGB").getpixel((5, 5)) == (255, 0, 0)
    for model in ("clip", "deepdanbooru"):
        assert webui.interrogate(image=picture(), model=model).info
    painted = webui.txt2img(prompt="a pier", seed=9, **SIZE)
    read = webui.png_info(painted.image)
    assert read.info.startswith("a pier\n")
    assert read.json["parameters"]["Seed"] == "9"
    assert read.json["parameters"]["Size-1"] == "64"


def test_webuiapi_with_a_key_of_its_own_paints_twice_as_large(bridge: str, darkroom: Running) -> None:
    webui = webuiapi.WebUIApi(baseurl=f"{bridge}/sdapi/v1", username="anybody", password=darkroom.key)
    result = webui.txt2img(
        prompt="a pier", enable_hr=True, hr_scale=2, hr_upscaler=webuiapi.HiResUpscaler.Latent, **SIZE
    )
    assert result.image.size == (128, 128)
    assert (result.info["width"], result.info["extra_generation_params"]["Hires upscale"]) == (64, "2.0")
    assert webui.custom_get("sdapi/v1/no-such-list") == {"detail": "Not Found"}
    with pytest.raises(RuntimeError, match="422"):
        webui.txt2img(prompt="a pier", width=9000)
    stranger = webuiapi.WebUIApi(baseurl=f"{bridge}/sdapi/v1", username="anybody", password="wrong")
    with pytest.raises(RuntimeError, match="401"):
        stranger.txt2img(prompt="a pier")


def test_webuiapi_lists_everything(webui: webuiapi.WebUIApi) -> None:
    assert webui.has_controlnet
    assert "Euler a" in webui.util_get_sampler_names()
    assert "karras" in webui.util_get_scheduler_names()
    [model] = [model for model in webui.get_sd_models() if model["model_name"] == "v1-5-pruned-emaonly"]
    assert model["title"] in webui.util_get_model_names()
    assert "Lanczos" in [each["name"] for each in webui.get_upscalers()]
    assert "Latent" in [each["name"] for each in webui.get_latent_upscale_modes()]
    for rows in (
        webui.get_sd_vae(),
        webui.get_loras(),
        webui.get_hypernetworks(),
        webui.get_face_restorers(),
        webui.get_realesrgan_models(),
        webui.get_prompt_styles(),
    ):
        assert isinstance(rows, list)
    assert set(webui.get_embeddings()) == {"loaded", "skipped"}
    assert webui.get_cmd_flags()["api"] is True
    assert set(webui.get_memory()) == {"ram", "cuda"}
    assert webui.refresh_checkpoints() is None
    assert webui.controlnet_version() == 3
    assert "canny" in webui.controlnet_module_list()
    assert webui.controlnet_model_list() == []
    with pytest.raises(RuntimeError, match="501"):
        webui.controlnet_detect([picture()], module="canny")


def test_webuiapi_chooses_a_checkpoint_and_looks_at_progress(webui: webuiapi.WebUIApi) -> None:
    webui.util_set_model("v1-5-pruned")
    assert webui.util_get_current_model().startswith("v1-5-pruned-emaonly.safetensors")
    webui.set_options({"CLIP_stop_at_last_layers": 2, "outdir_samples": "/somewhere"})
    assert webui.get_options()["outdir_samples"] == "/somewhere"
    result = webui.txt2img(prompt="a pier", **SIZE)
    assert result.info["clip_skip"] == 2
    assert webui.get_progress()["progress"] == 0
    webui.util_wait_for_ready()
    assert webui.interrupt() == {}
    assert webui.skip() is None


def test_the_openai_client_paints_edits_and_lists(bridge: str, darkroom: Running) -> None:
    client = openai.OpenAI(base_url=f"{bridge}/v1", api_key=darkroom.key, max_retries=0)
    model = next(model.id for model in client.models.list() if model.id.startswith("v1-5"))
    assert client.models.retrieve(model).owned_by == "admin"
    made = client.images.generate(prompt="a pier", model=model, n=2, size="64x64", extra_body={"steps": 3})
    assert [opened(image).size for image in made.data or []] == [(64, 64), (64, 64)]
    linked = client.images.generate(prompt="a pier", size="64x64", response_format="url", extra_body={"steps": 3})
    assert darkroom.client.download((linked.data or [])[0].url or "").startswith(b"\x89PNG")
    transparent = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    transparent.paste((0, 0, 0, 0), (0, 0, 32, 64))
    edited = client.images.edit(image=png(picture()), mask=png(transparent), prompt="a pier", extra_body={"steps": 3})
    assert opened((edited.data or [])[0]).getpixel((60, 32)) == picture().getpixel((60, 32))
    with pytest.raises(openai.NotFoundError, match="dall-e-3"):
        client.images.generate(prompt="a pier", model="dall-e-3")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-not-a-key").models.list()


def opened(image: Any) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(image.b64_json)), formats=["png"]).convert("RGB")


def png(image: Image.Image) -> tuple[str, bytes, str]:
    out = io.BytesIO()
    image.save(out, "PNG")
    return "picture.png", out.getvalue(), "image/png"
