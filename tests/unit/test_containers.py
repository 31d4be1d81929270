"""Which container an endpoint gets: one of AWS's with the worker's package in it, or one of one's own."""

import hashlib
from dataclasses import replace

import pytest

from darkroom.endpoints.api import EndpointIn
from darkroom.endpoints.containers import BASES, StageWorker, has_gpu, is_ours
from darkroom.endpoints.model import EndpointSpec
from darkroom.endpoints.spec import Planner
from darkroom.errors import Invalid
from layers.worker import package
from tests.unit.fleet_stage import ANIME, PREFIX, Stage, refusal

PACKAGED = StageWorker(
    "ml.g5.xlarge", package="s3://models/worker/0123/", package_engine="diffusers", region="eu-west-1"
)
OWN = StageWorker("ml.g5.xlarge", "worker:1")


def spec(worker: StageWorker = PACKAGED, **request: object) -> EndpointSpec:
    asked = EndpointIn.model_validate({"name": "anime", **request})
    return Planner("test", worker, lambda name: PREFIX + name).spec("alice", asked)


def refused(worker: StageWorker = PACKAGED, **request: object) -> str:
    with pytest.raises(Invalid) as found:
        spec(worker, **request)
    return found.value.code


def test_a_stage_with_a_package_paints_on_a_gpu_in_the_container_of_aws() -> None:
    made = spec()
    assert (made.instance_type, made.engine) == ("ml.g5.xlarge", "diffusers")
    container = made.container
    registry = "763104351884.dkr.ecr.eu-west-1.amazonaws.com"
    assert container.image == f"{registry}/pytorch:2.13.0-cu133-amzn2023-sagemaker"
    assert container.package == "s3://models/worker/0123/"
    assert container.ami == "al2023-ami-sagemaker-inference-gpu-4-1"
    assert container.environment["BASH_ENV"] == "/opt/ml/model/boot.sh"


def test_a_preview_runs_without_a_gpu_and_its_machine_has_no_drivers() -> None:
    made = spec(engine="preview")
    assert (made.instance_type, made.engine, made.container.ami) == ("ml.m5.large", "preview", None)
    assert "-cpu-" in made.container.image
    assert spec(engine="preview", instance_type="ml.g5.xlarge").container.ami
    # To paint without a GPU is slow, and possible.
    assert spec(instance_type="ml.m5.xlarge").container.ami is None


def test_a_preview_in_a_container_of_ones_own_needs_no_gpu_either() -> None:
    made = spec(OWN, engine="preview")
    assert (made.instance_type, made.container.image, made.container.package) == ("ml.m5.large", "worker:1", None)


def test_a_container_of_ones_own_wins_and_nobody_knows_what_it_paints_with() -> None:
    for made in (spec(replace(PACKAGED, image="worker:1")), spec(image="worker:1")):
        assert (made.container.image, made.container.package, made.container.environment) == ("worker:1", None, {})
        assert (made.engine, made.container.ami) == (None, None)


def test_a_package_for_previews_paints_previews_and_says_so() -> None:
    worker = replace(PACKAGED, package_engine="preview")
    assert spec(worker).engine == "preview"
    assert spec(worker).instance_type == "ml.m5.large"
    assert refused(worker, engine="diffusers") == "engine_not_packaged"
    # A container of one's own may have more.
    assert spec(worker, engine="diffusers", image="worker:1").engine == "diffusers"


def test_a_stage_without_a_worker_says_what_to_do() -> None:
    with pytest.raises(Invalid, match="make worker") as found:
        spec(StageWorker("ml.g5.xlarge"))
    assert found.value.code == "image_missing"


@pytest.mark.parametrize(
    ("region", "registry"),
    [
        ("us-east-1", "763104351884.dkr.ecr.us-east-1.amazonaws.com"),
        ("ap-east-1", "871362719292.dkr.ecr.ap-east-1.amazonaws.com"),
        ("cn-north-1", "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_each_region_has_its_account(region: str, registry: str) -> None:
    assert spec(replace(PACKAGED, region=region)).container.image.startswith(f"{registry}/pytorch:")


def test_a_region_that_is_not_known_needs_the_address_of_the_container() -> None:
    worker = replace(PACKAGED, region="xx-south-9")
    assert refused(worker) == "region_unknown"
    told = replace(worker, gpu_image="mine/gpu:1", cpu_image="mine/cpu:1")
    assert [spec(told).container.image, spec(told, engine="preview").container.image] == ["mine/gpu:1", "mine/cpu:1"]
    assert spec(told).container.ami == BASES["pytorch"].ami


def test_ray_is_one_setting_apart() -> None:
    container = spec(replace(PACKAGED, base="ray")).container
    assert container.image.endswith("/ray:serve-ml-sagemaker-cuda-v1")
    assert container.environment["SM_RAYSERVE_APP"] == "darkroom_ray:app"
    assert container.environment["RAYSERVE_BACKEND_TIMEOUT"] == "3600"
    assert "BASH_ENV" not in container.environment
    assert (package.HERE / "contents" / "darkroom_ray.py").is_file()


def test_a_package_can_be_built_for_each_container() -> None:
    assert BASES.keys() == package.BASES.keys()


@pytest.mark.parametrize("base", BASES)
def test_no_container_of_aws_reports_to_aws_and_the_environment_fits(base: str) -> None:
    environment = BASES[base].environment
    assert environment["OPT_OUT_TRACKING"] == "true"
    assert all(len(value) <= 1024 for value in environment.values())


@pytest.mark.parametrize("instance_type", ["ml.m7g.large", "ml.c6gn.xlarge", "ml.r6gd.large", "ml.g5g.xlarge"])
def test_a_processor_that_the_package_is_not_for_is_refused(instance_type: str) -> None:
    assert refused(instance_type=instance_type) == "instance_type_not_possible"
    assert spec(OWN, instance_type=instance_type).instance_type == instance_type


@pytest.mark.parametrize("instance_type", ["ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g6e.2xlarge", "ml.p5.48xlarge"])
def test_types_with_a_gpu(instance_type: str) -> None:
    assert has_gpu(instance_type)
    assert spec(instance_type=instance_type).container.ami


@pytest.mark.parametrize("instance_type", ["ml.m5.large", "ml.c7i.xlarge", "ml.inf2.xlarge", "ml.t2.medium"])
def test_types_without_one(instance_type: str) -> None:
    assert not has_gpu(instance_type)


def test_another_package_base_or_image_makes_other_parts_and_the_same_the_same() -> None:
    changed = (
        PACKAGED,
        replace(PACKAGED, package="s3://models/worker/4567/"),
        replace(PACKAGED, base="ray"),
        replace(PACKAGED, gpu_image="mine/gpu:1"),
        OWN,
    )
    assert len({spec(worker).parts for worker in changed}) == len(changed)
    assert spec().parts == spec().parts == spec(engine="diffusers").parts
    assert spec(name=None).name != spec(replace(PACKAGED, package="s3://models/worker/4567/"), name=None).name


@pytest.mark.parametrize(
    ("worker", "request_", "waiting"),
    [
        (PACKAGED, {}, 1),
        (OWN, {"engine": "diffusers"}, 1),
        (StageWorker("ml.g5.xlarge", "1.dkr.ecr.eu-west-1.amazonaws.com/darkroom-worker:7"), {}, 1),
        (OWN, {}, 0),
    ],
)
def test_one_job_more_waits_in_darkrooms_own_worker_and_in_no_other(
    worker: StageWorker, request_: dict[str, str], waiting: int
) -> None:
    made = spec(worker, jobs_at_once=2, **request_)
    assert (made.at_once, made.waiting) == (2, waiting)
    assert made.tags["darkroom:jobs-at-once"] == "2"


@pytest.mark.parametrize(
    ("image", "ours"),
    [
        ("darkroom-worker", True),
        ("a/b/darkroom-worker:1", True),
        ("a/darkroom-worker@sha256:0", True),
        ("a/x:1", False),
    ],
)
def test_darkrooms_own_image_is_known_by_its_repository(image: str, ours: bool) -> None:
    assert is_ours(image) is ours


def test_an_endpoint_that_an_earlier_release_made_is_found_by_the_same_request(stage: Stage) -> None:
    """Names of parts as release 0.2 computed them, and its default type for every engine."""
    asked = EndpointIn(name="anime", engine="preview")
    for content, request in (
        ("ml.g5.xlarge\nworker:1\n1\n1\npreview", asked),
        ("ml.m5.large\nworker:1\n1\n1\npreview", asked),
        ("ml.g5.xlarge\nworker:1\n1\n1", ANIME),
    ):
        stage.sagemaker.endpoints = []
        stage.fleet.create("alice", request)
        stage.sagemaker.details[f"{PREFIX}anime"].config = f"{PREFIX}anime-{digest(content)}"
        assert stage.fleet.create("alice", request) == (f"{PREFIX}anime", False)
    stage.sagemaker.details[f"{PREFIX}anime"].config = f"{PREFIX}anime-{digest('something else')}"
    assert refusal(lambda: stage.fleet.create("alice", ANIME)) == "endpoint_exists"


def test_after_a_deploy_with_another_package_the_old_endpoint_is_told_apart(stage: Stage) -> None:
    stage.worker = PACKAGED
    stage.fleet.create("alice", ANIME)
    assert stage.fleet.create("alice", ANIME) == (f"{PREFIX}anime", False)
    stage.worker = replace(PACKAGED, package="s3://models/worker/4567/")
    assert refusal(lambda: stage.fleet.create("alice", ANIME)) == "endpoint_exists"


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:8]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_several_types_stand_in_their_order_of_preference() -> None:
    made = spec(instance_types=["ml.g5.xlarge", "ml.g4dn.xlarge"])
    assert (made.instance_type, made.fallbacks) == ("ml.g5.xlarge", ("ml.g4dn.xlarge",))
    other_order = spec(instance_types=["ml.g4dn.xlarge", "ml.g5.xlarge"])
    assert len({made.parts, other_order.parts, spec(instance_type="ml.g5.xlarge").parts}) == 3


def test_a_list_of_one_type_is_the_endpoint_of_that_type() -> None:
    for more in ({"name": "anime"}, {"name": None}):
        one, listed = spec(instance_type="ml.g4dn.xlarge", **more), spec(instance_types=["ml.g4dn.xlarge"], **more)
        assert one == listed


def test_endpoints_of_one_type_are_called_as_in_the_releases_before() -> None:
    called = {
        spec(worker, **request).parts
        for worker in (OWN, PACKAGED)
        for request in ({}, {"name": None, "engine": "preview", "jobs_at_once": 2, "max_instances": 3})
    }
    assert called == {
        "darkroom-test-anime-7348a045",
        "darkroom-test-3c76f631af3e-787bd9f2",
        "darkroom-test-anime-b224d856",
        "darkroom-test-c1bb736295e1-13378b38",
    }


def test_types_that_need_different_containers_are_refused() -> None:
    assert refused(instance_types=["ml.g5.xlarge", "ml.m5.xlarge"]) == "instance_types_mixed"
    # In a container of one's own it is one's own affair.
    assert spec(OWN, instance_types=["ml.g5.xlarge", "ml.m5.xlarge"]).fallbacks == ("ml.m5.xlarge",)
    with pytest.raises(Invalid) as arm:
        spec(instance_types=["ml.g5.xlarge", "ml.m7g.large"])
    assert [error.loc for error in arm.value.errors] == [("body", "instance_types")]
