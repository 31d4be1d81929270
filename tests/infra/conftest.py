"""The stacks as templates, synthesized once: three stages side by side in one app."""

import json
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from cdk_nag import AwsSolutionsChecks

from infra.data_stack import DataStack
from infra.service_stack import ServiceStack
from infra.stacks import add_stacks
from infra.stage import NO_PACKAGE, Stage

ORIGINS = ("https://panel.example.com", "http://127.0.0.1:7860")


@dataclass(frozen=True)
class Synthesized:
    """One stage: its stacks, their templates and where the assets lie."""

    stage: Stage
    data_stack: DataStack
    service_stack: ServiceStack
    data: dict[str, Any]
    service: dict[str, Any]
    folder: Path

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of a type, over both stacks, by logical id."""
        return {
            name: resource["Properties"]
            for template in (self.data, self.service)
            for name, resource in template["Resources"].items()
            if resource["Type"] == kind
        }

    def function(self, name: str) -> dict[str, Any]:
        """The properties of the function `name`."""
        handler = f"functions.{name}.handler.handler"
        (found,) = (f for f in self.resources("AWS::Lambda::Function").values() if f["Handler"] == handler)
        return found

    def asset(self, key: str) -> Path:
        """The folder whose content is uploaded as `key`."""
        return self.folder / f"asset.{key.removesuffix('.zip')}"

    def layers(self) -> list[Path]:
        """The folders of the layers, dependencies first."""
        return [self.asset(layer["Content"]["S3Key"]) for layer in self.resources("AWS::Lambda::LayerVersion").values()]


@dataclass(frozen=True)
class Installations:
    """`prod` as it ships, `dev` with web origins, an encrypted topic and a topic for alarms, `local` for this machine's
    Python and CPU and without the page, and `strict` with all that guards more and costs more, alarms by mail, and a
    name of its own for the page."""

    prod: Synthesized
    dev: Synthesized
    local: Synthesized
    strict: Synthesized
    findings: list[str]


@pytest.fixture(scope="session")
def installations(tmp_path_factory: pytest.TempPathFactory) -> Installations:
    app = App(analytics_reporting=False, outdir=str(tmp_path_factory.mktemp("cdk.out")))
    stages = (
        Stage(name="prod", worker_package=NO_PACKAGE),
        Stage(
            name="dev",
            worker_package=NO_PACKAGE,
            disposable=True,
            origins=ORIGINS,
            retention_days=7,
            sns_key=True,
            alarm_topic="arn:aws:sns:us-east-1:123456789012:oncall",
        ),
        Stage.model_validate(
            {"name": "local", "disposable": True, "page": False, "worker_package": NO_PACKAGE, **this_machine()}
        ),
        Stage(
            name="strict",
            worker_package=NO_PACKAGE,
            waf=True,
            customer_key=True,
            page_domain="paint.example.com",
            page_certificate="arn:aws:acm:us-east-1:123456789012:certificate/0a1b-2c3d",
            snap_start=True,
            permissions_boundary="DarkroomBoundary",
            alarm_email="oncall@example.com",
            origins=ORIGINS[:1],
        ),
    )
    prod, dev, local, strict = synthesized(app, *stages, page=a_page(tmp_path_factory.mktemp("page")))
    report = AwsSolutionsChecks(app).validate_scope(app)
    findings = [
        f"{resource.construct_path}: {violation.rule_name}"
        for violation in report.violations
        for resource in violation.violating_resources
    ]
    return Installations(prod, dev, local, strict, findings)


def synthesized(app: App, *stages: Stage, page: Path) -> list[Synthesized]:
    """The stages, synthesized in this app with this build of the page."""
    stacks = [add_stacks(app, stage, page) for stage in stages]
    folder = Path(app.synth().directory)

    def template(stack: DataStack | ServiceStack) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((folder / stack.template_file).read_text())
        return found

    return [
        Synthesized(stage, data, service, template(data), template(service), folder)
        for stage, (data, service) in zip(stages, stacks, strict=True)
    ]


def a_page(folder: Path) -> Path:
    """What a build of the page consists of. The templates only say where it goes, so it needs no real one."""
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "assets").mkdir()
    (folder / "assets" / "index-1a2b3c4d.js").write_text("0;")
    return folder


def this_machine() -> dict[str, str]:
    """The settings that build the layer for the interpreter that runs the tests."""
    cpu = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    return {"architecture": cpu, "python": f"{sys.version_info.major}.{sys.version_info.minor}"}


@pytest.fixture(scope="session")
def prod(installations: Installations) -> Synthesized:
    return installations.prod


@pytest.fixture(scope="session")
def dev(installations: Installations) -> Synthesized:
    return installations.dev


@pytest.fixture(scope="session")
def strict(installations: Installations) -> Synthesized:
    return installations.strict


@pytest.fixture(scope="session")
def local(installations: Installations) -> Synthesized:
    return installations.local
