"""One walk through all views of the panel in each language, and the texts behind it."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.extension.conftest import ROOT, Stage, log_in, start_webui
from tests.extension.looks import Tab

CHECKPOINT = "v1-5-pruned-emaonly.safetensors"
LANGUAGES = {"None": None, "zh-Hans": "zh-Hans", "ja_JP": "ja"}
"""What the WebUI's setting names, and our file; the last is the name of another extension's file."""
FOLDED = ("filter", "networks_box", "models_box", "account_box")
LABELS = (
    "Stable Diffusion Checkpoint Used on Cloud",
    "SD VAE Used on Cloud",
    "Select Cloud SageMaker Endpoint",
    "Interrogate CLIP on cloud",
    "Interrogate DeepBooru on cloud",
    "Inference Job: Time-Type-Status-UUID",
    "Show All",
    "Newer",
    "Older",
    "Advanced Inference Job filter",
    "Endpoint",
    "From (such as 2026-11-27)",
    "To (such as 2026-11-27)",
    "Words of the prompt",
    "Apply filter",
    "Clear filter",
    "Extra networks on the cloud",
    "Extra network",
    "Add to prompt",
    "Models on this machine only",
    "Compare with the cloud",
    "Models to upload",
    "Upload to the cloud",
    "Address and key",
    "Address of the stage",
    "Key",
    "Connect",
    "Forget address and key",
)
"""Every text that the panel shows when all its parts are open."""


def texts(language: str | None) -> dict[str, str]:
    """The translations of a language; English has none."""
    if language is None:
        return {}
    found: dict[str, str] = json.loads((ROOT / "extension" / "localizations" / f"{language}.json").read_text("utf-8"))
    return found


def test_every_text_of_the_panel_is_translated_into_both_languages() -> None:
    chinese, japanese = texts("zh-Hans"), texts("ja")
    assert list(chinese) == list(japanese)
    for words in (
        *LABELS,
        "Amazon SageMaker Inference",
        "Generate on Cloud",
        "off",
        "sending",
        "in_progress",
        "succeed",
    ):
        assert chinese[words], words
        assert japanese[words], words


@pytest.mark.parametrize("setting", LANGUAGES)
def test_a_walk_through_all_views(setting: str, tmp_path: Path, page: Page, stage: Stage) -> None:
    said = texts(LANGUAGES[setting])

    def words(english: str) -> str:
        return said.get(english, english)

    other = tmp_path / "other-extension" / "localizations"
    other.mkdir(parents=True)
    (other / "ja_JP.json").write_text('{"Width": "幅"}', encoding="utf-8")
    webui = start_webui(tmp_path / "webui", others=[other.parent], localization=setting)
    try:
        tab = Tab(page, "img2img").open(webui.url)
        expect(tab.part("panel")).to_contain_text(words("Amazon SageMaker Inference"))
        expect(tab.part("message")).to_contain_text(words("Enter the address and the key of your stage."))
        for name in FOLDED:
            tab.unfold(name)
        for label in LABELS:
            expect(tab.part("panel").get_by_text(words(label), exact=True).first).to_be_visible()
        log_in(webui, stage.api, stage.key)
        _walk(tab, words)
    finally:
        webui.stop()


def _walk(tab: Tab, words: Any) -> None:
    tab.press("refresh_checkpoint")
    tab.choose("checkpoint", CHECKPOINT)
    expect(tab.button).to_have_text(words("Generate on Cloud"))
    first = Tab(tab.page, "txt2img")
    first.turn_to()
    first.part("panel").locator(".label-wrap").first.click()
    first.press("refresh_checkpoint")
    first.choose("checkpoint", CHECKPOINT)
    first.write("prompt", "a pier in every language")
    job_id = first.generate()
    first.shown(job_id)
    line = first.part("tickets").locator(f"[data-job='{job_id}']")
    expect(line).to_contain_text(words("succeed"))
    first.press("refresh_job")
    first.choose("job", job_id)
    expect(first.info).to_contain_text("a pier in every language")
    first.unfold("filter")
    first.write("darkroom_words", "nobody ever asked for this")
    first.press("search")
    expect(first.part("message")).to_contain_text(words("No job is found."))
    first.choose("checkpoint", "off" if words("off") == "off" else words("off"))
    expect(first.button).to_have_text("Generate")
