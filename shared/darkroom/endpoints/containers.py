"""What an endpoint's container is made of: an image of one's own, or one of AWS's with the worker's package in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from darkroom.endpoints.model import Container
from darkroom.engines.model import EngineName
from darkroom.errors import FieldError, Invalid

OUR_WORKER = "darkroom-worker"
"""The repository of Darkroom's own worker's image."""
MODEL_FOLDER = "/opt/ml/model"
"""Where SageMaker puts a package (SageMaker Developer Guide, "Custom inference code with hosting services")."""
_DOMAINS = {"cn": "amazonaws.com.cn"}
_ACCOUNT = "763104351884"
_ACCOUNTS = {
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-east-2": "975050140332",
    "ap-northeast-1": _ACCOUNT,
    "ap-northeast-2": _ACCOUNT,
    "ap-northeast-3": "364406365360",
    "ap-south-1": _ACCOUNT,
    "ap-south-2": "772153158452",
    "ap-southeast-1": _ACCOUNT,
    "ap-southeast-2": _ACCOUNT,
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462",
    "ap-southeast-6": "633930458069",
    "ap-southeast-7": "590183813437",
    "ca-central-1": _ACCOUNT,
    "ca-west-1": "204538143572",
    "cn-north-1": "727897471807",
    "cn-northwest-1": "727897471807",
    "eu-central-1": _ACCOUNT,
    "eu-central-2": "380420809688",
    "eu-north-1": _ACCOUNT,
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "eu-west-1": _ACCOUNT,
    "eu-west-2": _ACCOUNT,
    "eu-west-3": _ACCOUNT,
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
    "mx-central-1": "637423239942",
    "sa-east-1": _ACCOUNT,
    "us-east-1": _ACCOUNT,
    "us-east-2": _ACCOUNT,
    "us-west-1": _ACCOUNT,
    "us-west-2": _ACCOUNT,
}
"""The accounts that hold AWS's Deep Learning Containers (github.com/aws/deep-learning-containers,
`docs/reference/region_availability.md`, August 2026)."""


@dataclass(frozen=True)
class Base:
    """A container of AWS: its images for a GPU and without one, the machine image that the driver for this GPU image
    comes with, and the environment that makes it start the worker."""

    gpu_image: str
    cpu_image: str
    ami: str
    environment: Mapping[str, str]


_QUIET = {"OPT_OUT_TRACKING": "true"}
"""AWS's containers report to AWS that they were started; with this they do not."""
BASES: Mapping[str, Base] = {
    # CUDA 13 needs a driver that only the newest machine image has (API reference, ProductionVariant,
    # InferenceAmiVersion). bash reads the file that BASH_ENV names before the container's own script.
    "pytorch": Base(
        "pytorch:2.13.0-cu133-amzn2023-sagemaker",
        "pytorch:2.13.0-cpu-amzn2023-sagemaker",
        "al2023-ami-sagemaker-inference-gpu-4-1",
        {"BASH_ENV": f"{MODEL_FOLDER}/boot.sh", **_QUIET},
    ),
    # CUDA 12.9; the machine image is the one that AWS's own guide names (`docs/ray/deployment/sagemaker.md`). Its
    # adapter gives a request up after 300 seconds, unless it is told otherwise.
    "ray": Base(
        "ray:serve-ml-sagemaker-cuda-v1",
        "ray:serve-ml-sagemaker-cpu-v1",
        "al2-ami-sagemaker-inference-gpu-3-1",
        {
            "SM_RAYSERVE_APP": "darkroom_ray:app",
            "RAYSERVE_BACKEND_TIMEOUT": "3600",
            "RAY_USAGE_STATS_ENABLED": "0",
            **_QUIET,
        },
    ),
}


@dataclass(frozen=True)
class StageWorker:
    """The worker of a stage, as its settings have it.

    `image` is a container of one's own, which wins. Else `package` is the prefix in S3 of the worker's package,
    `package_engine` the most that it can paint with, and `base` the container of AWS that it is for; `gpu_image` and
    `cpu_image` stand in for those of `base`. The instance types are for requests that name none.
    """

    instance_type: str
    image: str | None = None
    cpu_instance_type: str = "ml.m5.large"
    package: str | None = None
    package_engine: EngineName | None = None
    base: str = "pytorch"
    gpu_image: str | None = None
    cpu_image: str | None = None
    region: str = ""

    def engine(self, image: str | None, asked: EngineName | None) -> EngineName | None:
        """What an endpoint paints with: as asked; else, in a container of one's own, nobody knows. Raises Invalid
        `engine_not_packaged`."""
        if image or self.image or not self.package:
            return asked
        if asked == "diffusers" and self.package_engine == "preview":
            raise Invalid(
                "engine_not_packaged",
                "The worker's package of this stage paints previews only. Build it with `make worker`, and deploy.",
                (FieldError(("body", "engine"), "is not in the package of this stage"),),
            )
        return asked or self.package_engine

    def type_for(self, asked: str | None, engine: EngineName | None) -> str:
        """The instance type of an endpoint: a preview needs no GPU."""
        return asked or (self.cpu_instance_type if engine == "preview" else self.instance_type)

    def container(self, image: str | None, instance_type: str, field: str = "instance_type") -> Container:
        """The container for an instance type; `image` is what the request names, and `field` the field of it that names
        the type. Raises Invalid `image_missing`, `instance_type_not_possible` or `region_unknown`."""
        if own := image or self.image:
            return Container(own)
        if not self.package:
            raise Invalid(
                "image_missing",
                "This stage has no worker. Build its package with `make worker` and deploy again, or say which "
                "container is the worker: `image`, or the setting `worker_image` of the stage.",
                (FieldError(("body", "image"), "is needed, for the stage has neither a package nor `worker_image`"),),
            )
        if _is_arm(instance_type):
            why = f"{instance_type} has an ARM processor, and the worker's package is for x86"
            raise Invalid("instance_type_not_possible", f"{why}.", (FieldError(("body", field), why),))
        base, gpu = BASES[self.base], has_gpu(instance_type)
        told = self.gpu_image if gpu else self.cpu_image
        image = told or f"{self._registry()}/{base.gpu_image if gpu else base.cpu_image}"
        return Container(image, self.package, base.ami if gpu else None, base.environment)

    def _registry(self) -> str:
        account = _ACCOUNTS.get(self.region)
        if account is None:
            raise Invalid(
                "region_unknown",
                f"It is not known which account has AWS's containers in {self.region}: set the stage's "
                "`worker_base_image` and `worker_base_image_cpu`.",
            )
        domain = _DOMAINS.get(self.region.partition("-")[0], "amazonaws.com")
        return f"{account}.dkr.ecr.{self.region}.{domain}"


def has_gpu(instance_type: str) -> bool:
    """Whether a type has an NVIDIA GPU: the families g4dn, g5, g6, p3, p4d and so on."""
    return re.match(r"ml\.[gp]\d", instance_type) is not None


def _is_arm(instance_type: str) -> bool:
    """Whether a type has AWS's own processor: a `g` behind the number of its family, as in m7g, c6gn or g5g."""
    return re.match(r"ml\.[a-z]+\d+g", instance_type) is not None


def is_ours(image: str) -> bool:
    """Whether an image is Darkroom's own worker, by the name of its repository."""
    return re.split(r"[:@]", image.rpartition("/")[2])[0] == OUR_WORKER
