"""The table of the engines against the engine `diffusers` itself: names, aliases, limits. Needs no torch."""

from typing import Any

import pytest

from darkroom.engines.capabilities import ENGINES
from darkroom.engines.check import refusals
from darkroom.jobs.contract import WorkRequest
from worker.engines.diffusers import plan
from worker.engines.diffusers.control.names import PREPROCESSORS
from worker.engines.diffusers.sampling import names
from worker.errors import JobError
from worker.parameters import settings_of
from worker.picture_files import file_options

TABLE = ENGINES["diffusers"]


def test_samplers_and_schedules_are_those_of_the_engine() -> None:
    assert TABLE.samplers is not None
    assert TABLE.schedulers is not None
    assert [each.name for each in TABLE.samplers] == [each.name for each in names.SAMPLERS]
    assert [(each.name, each.aliases[0]) for each in TABLE.schedulers] == [
        (each.label, each.name) for each in names.SCHEDULERS
    ]


def test_limits_scripts_and_formats_are_those_of_the_engine() -> None:
    assert (TABLE.steps, TABLE.pixels) == (plan.MOST_STEPS, plan.MOST_PIXELS)
    assert set(TABLE.scripts or ()) == plan.KNOWN_SCRIPTS
    for form in TABLE.formats:
        file_options({"samples_format": form})
    with pytest.raises(JobError):
        file_options({"samples_format": "avif"})


def test_preprocessors_are_those_of_the_engine() -> None:
    assert list(TABLE.preprocessors or ()) == list(PREPROCESSORS)


def takes(parameters: dict[str, Any]) -> bool:
    """Whether the engine itself takes a job."""
    request = WorkRequest.model_validate(
        {"job_id": "j", "type": "txt2img", "parameters": parameters, "output": "s3://b/jobs/j/output/"}
    )
    try:
        plan.plan_of(request, settings_of(request))
        file_options(parameters.get("override_settings") or {})
    except JobError:
        return False
    return True


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"sampler_name": "Heun++ 3"},
        {"sampler_name": "DPM++ 2M SGMUniform"},
        {"sampler_name": "k_euler_a_exp"},
        {"sampler_name": "k_euler_a_ka ka"},
        {"scheduler": "Turbo"},
        {"scheduler": " beta "},
        {"enable_hr": True, "hr_scheduler": "GITS"},
        {"enable_hr": True, "hr_scheduler": "Use same scheduler"},
        {"hr_scheduler": "GITS"},
        {"steps": 1000},
        {"steps": 1001},
        {"width": 4096, "height": 4096},
        {"width": 4104, "height": 4096},
        {"width": 4103, "height": 4096},
        {"enable_hr": True, "hr_scale": 4, "width": 1024, "height": 1024},
        {"enable_hr": True, "hr_scale": 4.1, "width": 1024, "height": 1024},
        {"enable_hr": True, "hr_resize_x": 8192, "width": 512, "height": 256},
        {"enable_hr": True, "hr_resize_x": 4096, "width": 512, "height": 256},
        {"enable_hr": True, "hr_resize_x": 8192, "hr_resize_y": 4096},
        {"script_name": "plot", "script_args": []},
        {"alwayson_scripts": {"Refiner": {"args": [False, "None", 0.8]}}},
        {"alwayson_scripts": {"Dynamic Thresholding": {"args": [True, 7]}}},
        {"restore_faces": True},
        {"override_settings": {"samples_format": "webp"}},
        {"override_settings": {"samples_format": "gif"}},
    ],
)
def test_both_agree_about_a_job(parameters: dict[str, Any]) -> None:
    assert (refusals("diffusers", "txt2img", parameters) == ()) == takes(parameters)
