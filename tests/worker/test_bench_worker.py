"""The bench of the worker, with tiny models: the same code as on a GPU. No figure is judged here."""

import re

import pytest

from bench import worker, worker_models, worker_parts, worker_speed
from bench.worker_rows import Row
from worker.engines.diffusers.families import Family

pytestmark = pytest.mark.timeout(900)

SETTINGS = ("SD1.5 64x64 batch 1", "SDXL 64x64 batch 1", "SDXL 64x64 batch 4")
SPEEDS = (
    "plain diffusers",
    "first of its shape",
    "then",
    "compiled",
    "seconds to compile",
    "ready from what is kept",
)


def test_the_tiny_bench_fills_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert worker.main(["--tiny"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r".+, torch \S+, diffusers \S+, \d{4}-\d\d-\d\d", lines[0])
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[3:]]
    figures = {name: figure for name, figure, *_ in cells}
    for setting in SETTINGS:
        for speed in SPEEDS:
            assert figures[f"{setting}, {speed}"]
    ratios = [float(found) for found in re.findall(r"([\d.]+) x\b", " ".join(figures.values()))]
    assert len(ratios) > 6
    assert min(ratios) > 0
    [lora] = [figure for name, figure in figures.items() if name.startswith("LoRA") and "merged" in name]
    assert lora.endswith("every bit as before")
    assert sum(name.startswith("PNG of 64x64") for name in figures) == 2
    assert sum("memory" in name or "limit" in name for name in figures) == 2
    # A processor is no card.
    assert {verdict for *_, verdict in cells} == {""}


def test_a_budget_that_is_missed_is_said_and_is_no_failure() -> None:
    rows = [Row("one", "1.9 x", ">= 2.0 x", met=False), Row("two", "2.1 x", ">= 2.0 x", met=True), Row("three", "1")]
    _, _, one, two, three = worker.table(rows).splitlines()
    assert one.endswith("| missed on this card |")
    assert two.rstrip("| ").endswith("met")
    assert three.rstrip("| ").endswith("1")


def test_a_part_that_does_not_exist_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        worker.main(["--tiny", "--only", "sd15,sd3"])
    assert "sd3" in capsys.readouterr().err


def test_the_large_models_have_the_sizes_of_the_real_ones() -> None:
    import torch
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    # The published numbers of parameters.
    for sizes, parameters in ((worker_models.SD15, 859_520_964), (worker_models.SDXL, 2_567_463_684)):
        with torch.device("meta"):
            unet = UNet2DConditionModel(**worker_models.unet_config(sizes))
        assert sum(each.numel() for each in unet.parameters()) == parameters
    budgets = {name: (each.first, each.compiled) for name, each in worker_speed.settings(tiny=False).items()}
    assert budgets == {"sd15": (2.0, 3.3), "sdxl": (1.5, 1.8), "sdxl4": (None, 1.15)}
    assert (worker_parts.LORA_SECONDS, worker_parts.ROOM, worker_models.SDXL.family) == (0.1, 12, Family.SDXL)
