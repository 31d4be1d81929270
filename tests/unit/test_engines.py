"""What engines take: the refusals, and the copy that the command line prints."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from darkroom.engines.__main__ import as_json
from darkroom.engines.check import refusals
from darkroom.jobs.types import JobType
from darkroom_cli.commands.worker import TABLE
from darkroom_cli.main import app
from worker.engines import ENGINES

OFF: dict[str, Any] = {"alwayson_scripts": {"ADetailer": {"args": [False, {"ad_model": "None"}]}}}


def refused(parameters: dict[str, Any], job_type: JobType = "txt2img", engine: str = "diffusers") -> list[str]:
    return [".".join(map(str, each.loc[2:])) for each in refusals(engine, job_type, parameters)]


@pytest.mark.parametrize(
    ("parameters", "fields"),
    [
        ({"sampler_name": "Heun++ 3"}, ["sampler_name"]),
        ({"sampler_index": "Heun++ 3"}, ["sampler_index"]),
        ({"scheduler": "Turbo"}, ["scheduler"]),
        ({"enable_hr": True, "hr_sampler_name": "DEIS", "hr_scheduler": "GITS"}, ["hr_sampler_name", "hr_scheduler"]),
        ({"alwayson_scripts": {"ADetailer": {"args": [True]}}}, ["alwayson_scripts.ADetailer"]),
        ({"script_name": "X/Y/Z plot", "script_args": []}, ["script_name"]),
        ({"steps": 1001}, ["steps"]),
        ({"hr_second_pass_steps": 5000}, ["hr_second_pass_steps"]),
        ({"width": 8192, "height": 4096}, ["width"]),
        ({"enable_hr": True, "hr_scale": 8, "width": 1024, "height": 1024}, ["hr_scale"]),
        ({"enable_hr": True, "hr_resize_x": 8192, "hr_resize_y": 4096}, ["hr_resize_x"]),
        ({"enable_hr": True, "hr_resize_y": 8192, "width": 1024, "height": 1024}, ["hr_resize_y"]),
        ({"restore_faces": True}, ["restore_faces"]),
        ({"override_settings": {"samples_format": "avif"}}, ["override_settings.samples_format"]),
    ],
)
def test_what_an_engine_does_not_take_is_refused_by_its_name(parameters: dict[str, Any], fields: list[str]) -> None:
    assert refused(parameters) == fields


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        OFF,
        {"sampler_name": "dpm++ 2m KARRAS", "scheduler": "sgm_uniform"},
        {"sampler_name": "k_dpmpp_2m_ka"},
        {"sampler_name": None, "scheduler": None},
        {"enable_hr": True, "hr_sampler_name": "Use same sampler", "hr_scheduler": "Use same scheduler"},
        {"enable_hr": False, "hr_sampler_name": "DEIS", "hr_scale": 8, "width": 2048, "height": 2048},
        {"steps": "9999", "width": "a lot", "restore_faces": "no", "override_settings": {"samples_format": "JPG"}},
        {"alwayson_scripts": {"ControlNet": {"args": [{"enabled": True, "module": "canny"}]}}},
        {"script_name": "  "},
    ],
)
def test_what_it_takes_or_judges_itself_is_let_through(parameters: dict[str, Any]) -> None:
    assert refused(parameters) == []


def test_a_picture_to_start_from_decides_the_size_that_nobody_says() -> None:
    assert refused({"width": 8192}, "img2img") == []
    assert refused({"width": 8192, "height": 4096}, "img2img") == ["width"]


def test_extras_have_their_own_faces() -> None:
    assert refused({"gfpgan_visibility": 0.5, "steps": 5000}, "extras") == ["gfpgan_visibility"]


def test_previews_and_unknown_engines_take_every_name() -> None:
    odd = {"sampler_name": "DEIS", "scheduler": "Turbo", "script_name": "plot", "script_args": [], "steps": 5000}
    assert refused(odd, engine="preview") == refused(odd, engine="somebody's own") == []


def test_the_table_has_every_engine_of_the_worker() -> None:
    assert set(json.loads(as_json())) == set(ENGINES)


def test_the_command_line_carries_the_table_as_it_is() -> None:
    assert TABLE.read_text() == as_json(), "run `make capabilities`"


def test_the_command_line_prints_what_an_engine_takes() -> None:
    runner = CliRunner()
    told = runner.invoke(app, ["worker", "capabilities", "diffusers", "--json"])
    assert told.exit_code == 0
    assert json.loads(told.output)["steps"] == 1000
    lines = runner.invoke(app, ["worker", "capabilities"]).output.splitlines()
    assert "preview\tsamplers\tany" in lines
    assert "diffusers\tsteps\tat most 1,000" in lines
    assert any(line.startswith("diffusers\tschedulers\tAutomatic, Uniform, Karras") for line in lines)
    wrong = runner.invoke(app, ["worker", "capabilities", "comfy"])
    assert (wrong.exit_code, "diffusers, preview" in wrong.output) == (1, True)
