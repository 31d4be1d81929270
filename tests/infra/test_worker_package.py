"""The worker's package in a deploy: found, uploaded, unpacked, and named to the functions that make endpoints."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Annotations, Match, Template
from cdk_nag import AwsSolutionsChecks

from infra.bundling import BuildError
from infra.functions import FUNCTIONS
from infra.service_stack import ServiceStack
from infra.stacks import add_stacks
from infra.stage import NO_PACKAGE, Stage
from layers.files import digest_of
from layers.worker.package import sources_of
from tests.infra.conftest import Synthesized
from tests.infra.test_permissions import listed, reach, role_of, statements, worker_role

ROW = "Custom::DarkroomUnpacked"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two packages that are up to date, without their wheels."""
    folder = tmp_path_factory.mktemp("packages")
    for base, engine in (("pytorch", "diffusers"), ("ray", "preview")):
        written(folder, base, engine, sources_of(base, engine))
    return folder


def written(folder: Path, base: str, engine: str, sources: str) -> Path:
    part = folder / base / "part"
    part.mkdir(parents=True)
    (part / "boot.sh").write_text("exec python\n")
    about = {"base": base, "engine": engine, "python": "3.12", "sources": sources}
    (part / "package.json").write_text(json.dumps(about))
    return part.rename(folder / base / digest_of(part))


def synthesized(**settings: Any) -> tuple[App, ServiceStack, dict[str, Any]]:
    app = App(analytics_reporting=False)
    _, service = add_stacks(app, Stage.model_validate({"name": "prod", "page": False, **settings}))
    resources: dict[str, Any] = Template.from_stack(service).to_json()["Resources"]
    return app, service, resources


@pytest.fixture(scope="module")
def packaged(packages: Path) -> tuple[App, ServiceStack, dict[str, Any]]:
    return synthesized(worker_package=str(packages))


def variables(resources: dict[str, Any], function: str) -> dict[str, Any]:
    handler = f"functions.{function}.handler.handler"
    (found,) = (
        one["Properties"]
        for one in resources.values()
        if one["Type"] == "AWS::Lambda::Function" and one["Properties"]["Handler"] == handler
    )
    told: dict[str, Any] = found["Environment"]["Variables"]
    return told


def unpacking(resources: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    ((name, row),) = ((name, one) for name, one in resources.items() if one["Type"] == ROW)
    return name, row["Properties"]


def test_a_package_is_unpacked_under_its_digest_and_named_once_it_is_there(
    packaged: tuple[App, ServiceStack, dict[str, Any]], packages: Path
) -> None:
    _, _, resources = packaged
    name, asked = unpacking(resources)
    (folder,) = (packages / "pytorch").iterdir()
    assert (asked["Root"], asked["Prefix"], asked["Removable"]) == ("worker/", f"{folder.name}/", False)
    assert asked["SourceKey"].endswith(".zip")
    told = variables(resources, "endpoints_api")
    # Known to CloudFormation only when the function has answered.
    assert told["DARKROOM_PACKAGE_URI"] == {"Fn::GetAtt": [name, "Uri"]}
    assert told["DARKROOM_PACKAGE_ENGINE"] == "diffusers"
    assert told["DARKROOM_REGION"] == {"Ref": "AWS::Region"}
    assert "DARKROOM_PACKAGE_URI" not in variables(resources, "sweeper")


def test_ray_gets_the_package_that_was_built_for_it(packages: Path) -> None:
    _, _, resources = synthesized(worker_package=str(packages), worker_base="ray")
    (folder,) = (packages / "ray").iterdir()
    assert unpacking(resources)[1]["Prefix"] == f"{folder.name}/"
    told = variables(resources, "endpoints_api")
    assert (told["DARKROOM_PACKAGE_ENGINE"], told["DARKROOM_WORKER_BASE"]) == ("preview", "ray")


def test_the_function_reads_this_deploys_asset_and_no_other(
    packaged: tuple[App, ServiceStack, dict[str, Any]],
) -> None:
    _, _, resources = packaged
    roles = {name: one["Properties"] for name, one in resources.items() if one["Type"] == "AWS::IAM::Role"}
    (role,) = (one for name, one in roles.items() if name.startswith("UnpackAsset"))
    reading = reach(role, "s3:GetObject")
    assert ".zip" in reading
    assert "*" not in reading
    assert reach(role, "s3:PutObject").endswith('"/worker/*"]]}]')


def test_cdk_nag_finds_nothing(packaged: tuple[App, ServiceStack, dict[str, Any]]) -> None:
    app, _, _ = packaged
    assert [one.rule_name for one in AwsSolutionsChecks(app).validate_scope(app).violations] == []


def test_a_stage_without_a_package_keeps_what_is_unpacked_and_says_how_to_get_one() -> None:
    _, service, resources = synthesized(worker_package=NO_PACKAGE)
    _, asked = unpacking(resources)
    assert "SourceKey" not in asked
    assert variables(resources, "endpoints_api")["DARKROOM_PACKAGE_URI"] == ""
    Annotations.from_stack(service).has_info("*", Match.string_like_regexp(".*make worker.*"))


def test_a_container_of_ones_own_needs_no_package(packages: Path, tmp_path: Path) -> None:
    written(tmp_path, "pytorch", "preview", "older")
    for folder in (packages, tmp_path):
        _, service, resources = synthesized(worker_package=str(folder), worker_image="worker:1")
        assert "SourceKey" not in unpacking(resources)[1]
        assert Annotations.from_stack(service).find_info("*", Match.any_value()) == []


def test_a_package_that_is_older_than_its_sources_stops_the_deploy(tmp_path: Path) -> None:
    written(tmp_path, "pytorch", "preview", "older")
    with pytest.raises(BuildError, match="make worker ENGINE=preview BASE=pytorch"):
        synthesized(worker_package=str(tmp_path))


def test_what_a_stage_that_may_go_unpacked_goes_with_it(dev: Synthesized, prod: Synthesized) -> None:
    told = [next(iter(stage.resources(ROW).values()))["Removable"] for stage in (dev, prod)]
    assert told == [True, False]


def test_one_function_writes_packages_and_the_worker_reads_them(prod: Synthesized) -> None:
    able = [name for name in FUNCTIONS if "/worker/*" in reach(role_of(prod, name), "s3:PutObject")]
    assert able == ["unpack_asset"]
    worker = worker_role(prod)
    assert "/worker/*" in reach(worker, "s3:GetObject")
    assert "/worker/*" not in reach(worker, "s3:PutObject")


def test_compiled_code_is_read_and_written_by_the_worker_and_by_nobody_else(prod: Synthesized) -> None:
    worker = worker_role(prod)
    for action in ("s3:GetObject", "s3:PutObject"):
        assert "/compiled/*" in reach(worker, action)
    others = [role_of(prod, name) for name in FUNCTIONS]
    touched = [s for role in others for s in statements(role) if "/compiled/" in json.dumps(listed(s["Resource"]))]
    assert touched == []
