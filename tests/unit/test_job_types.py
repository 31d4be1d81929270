"""The tables of job types, statuses and model kinds, and that no other module repeats them."""

import ast
from pathlib import Path
from typing import get_args

import darkroom
from darkroom.checkpoints.model import JOB_KINDS, KINDS, TAGS
from darkroom.checkpoints.purposes import NEEDS, PURPOSES
from darkroom.jobs.api import ModelsIn
from darkroom.jobs.model import MODEL_KINDS
from darkroom.jobs.state import STATUSES
from darkroom.jobs.types import JOB_TYPES, JobType, Mode, implied_mode
from darkroom_client.answers import Kind as ClientKind
from darkroom_client.answers import Purpose as ClientPurpose
from darkroom_client.model_files import FOLDERS

JOBS = Path(darkroom.__path__[0]) / "jobs"


def test_the_table_has_every_job_type_and_every_mode() -> None:
    assert tuple(JOB_TYPES) == get_args(JobType)
    assert {mode for rules in JOB_TYPES.values() for mode in rules.modes} == set(get_args(Mode))


def test_pictures_imply_the_mode() -> None:
    assert implied_mode("img2img", {"init"}) == "img2img"
    assert implied_mode("img2img", {"init", "mask", "sketch"}) == "inpaint"
    assert implied_mode("img2img", {"init", "sketch"}) == "inpaint_sketch"
    assert implied_mode("txt2img", {"init", "mask"}) is None


def test_a_request_may_name_every_kind_of_model_file() -> None:
    assert set(ModelsIn.model_fields) == set(MODEL_KINDS)


def test_every_tag_of_a_prompt_names_a_kind() -> None:
    assert set(TAGS.values()) <= set(KINDS)


def test_the_client_knows_every_kind_and_a_folder_of_each() -> None:
    assert get_args(ClientKind) == KINDS
    assert set(FOLDERS.values()) == set(JOB_KINDS)


def test_no_other_module_of_jobs_has_a_status_or_a_job_type_as_text() -> None:
    """model.py has `cancelled` as the name of a marker and as the code of a worker's error."""
    names = {*STATUSES, *get_args(JobType)}
    for path in JOBS.glob("*.py"):
        if path.name not in ("state.py", "types.py", "model.py"):
            constants = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
            assert names.isdisjoint(value for value in constants if isinstance(value, str)), path.name


def test_the_client_knows_every_purpose_of_a_file_for_an_engine() -> None:
    assert get_args(ClientPurpose) == PURPOSES
    assert set(NEEDS) == set(PURPOSES)
    assert {need.job_type for need in NEEDS.values() if need.job_type} <= set(JOB_TYPES)
