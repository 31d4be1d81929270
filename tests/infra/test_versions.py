"""Everything calls an alias of a version: layers and code of a function switch at once, and go back at once."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra import bundling
from infra.functions import ALIAS, AWAITED, FUNCTIONS, RELEASE_VARIABLE
from infra.service_stack import UNPACK
from tests.infra.conftest import Synthesized


def test_every_function_has_a_version_that_stays_and_an_alias_of_it(prod: Synthesized) -> None:
    versions = prod.resources("AWS::Lambda::Version")
    aliases = prod.resources("AWS::Lambda::Alias")
    assert len(versions) == len(aliases) == len(FUNCTIONS)
    for alias in aliases.values():
        name, attribute = alias["FunctionVersion"]["Fn::GetAtt"]
        assert (alias["Name"], attribute) == (ALIAS, "Version")
        assert versions[name]["FunctionName"] == alias["FunctionName"]
        kept = prod.service["Resources"][name]
        assert (kept["DeletionPolicy"], kept["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_whatever_calls_a_function_calls_its_alias(prod: Synthesized) -> None:
    """API and authorizer, queues and the schedule. CloudFormation itself calls the function that unpacks, for the
    address of that cannot be changed later."""
    functions = prod.resources("AWS::Lambda::Function")
    (unpack,) = (name for name, one in functions.items() if UNPACK in one["Handler"])
    callers = ("ApiGateway::Method", "ApiGateway::Authorizer", "Lambda::EventSourceMapping", "Events::Rule")
    called = json.dumps([prod.resources(f"AWS::{kind}") for kind in callers])
    assert not [name for name in functions if f'"{name}"' in called]
    assert sum(f'"{name}"' in called for name in prod.resources("AWS::Lambda::Alias")) == len(functions) - 1
    permitted = [one["FunctionName"] for one in prod.resources("AWS::Lambda::Permission").values()]
    assert permitted
    assert all("Ref" in one for one in permitted)
    assert {"Fn::GetAtt": [unpack, "Arn"]} in [
        one["ServiceToken"] for one in prod.resources("Custom::DarkroomUnpacked").values()
    ]


def releases(stage: Synthesized) -> set[str]:
    return {stage.function(name)["Environment"]["Variables"][RELEASE_VARIABLE] for name in FUNCTIONS}


def test_all_functions_of_a_deploy_are_of_one_release(prod: Synthesized, dev: Synthesized) -> None:
    (of_prod,), (of_dev,) = releases(prod), releases(dev)
    assert of_prod.startswith(prod.function("jobs_api")["Environment"]["Variables"]["DARKROOM_VERSION"] + "-")
    assert of_prod != of_dev


@pytest.mark.parametrize("changed", ["layers/dependencies/requirements.txt", "shared/darkroom/ids.py", "infra/api.py"])
def test_a_change_of_layers_code_or_stacks_is_another_release(monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    before = bundling.everything("3.11")
    read = Path.read_bytes

    def changed_bytes(path: Path) -> bytes:
        return read(path) + (b"#" if path == bundling.ROOT / changed else b"")

    monkeypatch.setattr(Path, "read_bytes", changed_bytes)
    assert bundling.everything("3.11") != before


def test_snapshots_are_one_setting_for_the_functions_that_a_person_waits_for(
    prod: Synthesized, strict: Synthesized
) -> None:
    def started(stage: Synthesized) -> dict[str, Any]:
        return {name: snap for name in FUNCTIONS if (snap := stage.function(name).get("SnapStart"))}

    assert started(prod) == {}
    assert started(strict) == {name: {"ApplyOn": "PublishedVersions"} for name in AWAITED}
    assert {"authorizer", "jobs_api"} <= AWAITED
    assert "sweeper" not in AWAITED
