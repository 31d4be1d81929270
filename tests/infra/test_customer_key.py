"""The customer's key can be switched off in a way that leaves what it encrypted readable; any other way is refused."""

import json
from typing import Any

import pytest
from aws_cdk import App

from infra.deploying import Refused, refuse_to_lose_a_key
from infra.stage import NO_PACKAGE, Stage
from tests.infra.conftest import Synthesized, a_page, synthesized
from tests.infra.test_strict import KEY_ACTIONS


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    app = App(analytics_reporting=False, outdir=str(tmp_path_factory.mktemp("cdk.out")))
    stage = Stage.model_validate({"name": "strict", "worker_package": NO_PACKAGE, "customer_key": "kept"})
    (kept,) = synthesized(app, stage, page=a_page(tmp_path_factory.mktemp("page")))
    return kept


def test_a_key_that_is_kept_encrypts_nothing_more(kept: Synthesized) -> None:
    assert "SSESpecification" not in json.dumps(kept.resources("AWS::DynamoDB::GlobalTable"))
    for kind in ("S3::Bucket", "SQS::Queue", "SNS::Topic", "SecretsManager::Secret", "Logs::LogGroup"):
        found = kept.resources(f"AWS::{kind}")
        assert found
        assert "CustomerKey" not in json.dumps(found), kind


def test_a_key_that_is_kept_is_the_same_one_and_opens_what_it_encrypted(kept: Synthesized, strict: Synthesized) -> None:
    assert list(kept.resources("AWS::KMS::Key")) == list(strict.resources("AWS::KMS::Key"))
    roles = [role for role in kept.resources("AWS::IAM::Role").values() if "kms:Decrypt" in json.dumps(role)]
    assert len(roles) == len([r for r in strict.resources("AWS::IAM::Role").values() if "kms:Decrypt" in json.dumps(r)])
    statements = [s for role in roles for p in role["Policies"] for s in p["PolicyDocument"]["Statement"]]
    assert [set(s["Action"]) for s in statements if "kms:Decrypt" in s["Action"]] == [KEY_ACTIONS] * len(roles)
    # What the service stack took from the data stack, it goes on taking: CloudFormation refuses an export that goes.
    assert set(exports(strict)) >= {name for name in exports(kept) if "CustomerKey" in name} != set()


def exports(stage: Synthesized) -> dict[str, Any]:
    return {name: one for name, one in stage.data["Outputs"].items() if "Export" in one}


class Deployed:
    """What CloudFormation tells of the data stack."""

    def __init__(self, *kinds: str) -> None:
        self._kinds = kinds

    def get_paginator(self, name: str) -> "Deployed":
        assert name == "list_stack_resources"
        return self

    def paginate(self, StackName: str) -> list[dict[str, Any]]:  # noqa: N803 - boto3's name
        assert StackName == "Darkroom-prod-data"
        return [{"StackResourceSummaries": [{"ResourceType": kind, "PhysicalResourceId": "x"} for kind in self._kinds]}]


@pytest.mark.parametrize("wanted", [True, "kept"])
def test_a_key_may_stay_or_be_kept(wanted: bool | str) -> None:
    refuse_to_lose_a_key(Deployed("AWS::KMS::Key"), Stage.model_validate({"name": "prod", "customer_key": wanted}))


def test_a_deploy_that_would_forget_the_key_is_refused() -> None:
    with pytest.raises(Refused, match=r"customer_key.*kept"):
        refuse_to_lose_a_key(Deployed("AWS::S3::Bucket", "AWS::KMS::Key"), Stage(name="prod"))


def test_a_stage_that_never_had_a_key_needs_none() -> None:
    refuse_to_lose_a_key(Deployed("AWS::S3::Bucket"), Stage(name="prod"))
