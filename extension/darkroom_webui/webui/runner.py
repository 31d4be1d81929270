"""`ScriptRunner.run`: the one place through which every click on Generate goes, before anything is painted."""

from collections.abc import Callable
from typing import Any

_MARK = "darkroom_runs_first"
Take = Callable[[Any, Any, "tuple[Any, ...]"], Any]


def runner_of(is_img2img: bool) -> Any:
    """The runner of the scripts of one tab."""
    from modules import scripts

    return scripts.scripts_img2img if is_img2img else scripts.scripts_txt2img


def run_first(runner: Any, take: Take) -> None:
    """Call `take` with the runner, `p` and the arguments before each run of this runner. What it returns is the result;
    None leaves the run to the WebUI. A second call for the same runner changes nothing."""
    if getattr(runner, _MARK, False):
        return
    original = runner.run

    def run(p: Any, *args: Any, **kwargs: Any) -> Any:
        processed = take(runner, p, args)
        return original(p, *args, **kwargs) if processed is None else processed

    runner.run = run
    setattr(runner, _MARK, True)


def processed(p: Any, info: str) -> Any:
    """A result without pictures and with this text. The ✨ button puts the result in the place of the picture that it
    enlarges, so there the result is that picture."""
    from modules.processing import Processed

    first = getattr(p, "firstpass_image", None) if getattr(p, "txt2img_upscale", False) else None
    seed = p.seed if isinstance(p.seed, int) else -1
    subseed = p.subseed if isinstance(getattr(p, "subseed", None), int) else -1
    return Processed(p, [] if first is None else [first], seed, info, subseed=subseed)


def api_fields(is_img2img: bool) -> "list[str]":
    """The names of the fields of the WebUI's own API for a tab."""
    from modules.api import models

    model = models.StableDiffusionImg2ImgProcessingAPI if is_img2img else models.StableDiffusionTxt2ImgProcessingAPI
    return list(getattr(model, "model_fields", None) or model.__fields__)
