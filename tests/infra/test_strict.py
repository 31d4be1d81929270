"""What a stage gets that asks for a firewall and for a key of its own; others get neither."""

import json
from typing import Any

import pytest

from infra.functions import FUNCTIONS
from tests.infra.conftest import Synthesized
from tests.infra.test_permissions import BASICS, EXPECTED, listed, role_of, statements, worker_role

KEY_ACTIONS = {
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}


def key_of(value: Any) -> bool:
    """Whether a property names the customer's key, here or by the other stack's export."""
    return "CustomerKey" in json.dumps(value)


def test_all_that_is_stored_is_encrypted_with_the_customers_key(strict: Synthesized) -> None:
    tables = strict.resources("AWS::DynamoDB::GlobalTable")
    assert len(tables) == 5
    for table in tables.values():
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
        assert key_of(table["Replicas"][0]["SSESpecification"]["KMSMasterKeyId"])
    for name, bucket in strict.resources("AWS::S3::Bucket").items():
        if name.startswith("Page"):
            continue  # The page's files are the same for everybody who opens it.
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert key_of(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"])
        assert rule["BucketKeyEnabled"] is True
    for kind, member in (
        ("AWS::SecretsManager::Secret", "KmsKeyId"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
    ):
        found = strict.resources(kind)
        assert found
        assert all(key_of(one.get(member)) for one in found.values()), kind


def test_the_key_is_turned_every_year_and_outlives_the_stack(strict: Synthesized) -> None:
    ((name, key),) = strict.resources("AWS::KMS::Key").items()
    assert key["EnableKeyRotation"] is True
    assert strict.data["Resources"][name]["DeletionPolicy"] == "Retain"


def test_services_that_use_the_key_in_their_own_name_do_so_for_this_account_alone(strict: Synthesized) -> None:
    (key,) = strict.resources("AWS::KMS::Key").values()
    by_service = [s for s in key["KeyPolicy"]["Statement"] if "Service" in s["Principal"]]
    assert len(by_service) == 2
    for statement in by_service:
        assert "AWS::AccountId" in json.dumps(statement["Condition"])
        assert not [action for action in listed(statement["Action"]) if "*" in action]


@pytest.mark.parametrize("name", [*sorted(FUNCTIONS), "worker"])
def test_every_role_uses_the_key_through_services_and_gets_nothing_else_by_it(strict: Synthesized, name: str) -> None:
    role = worker_role(strict) if name == "worker" else role_of(strict, name)
    (granted,) = (s for s in statements(role) if any(a.startswith("kms:") for a in listed(s["Action"])))
    assert set(listed(granted["Action"])) == KEY_ACTIONS
    assert key_of(granted["Resource"])
    assert set(granted["Condition"]) == {"StringEquals"}
    assert len(granted["Condition"]["StringEquals"]["kms:ViaService"]) == 5
    if name != "worker":
        assert {a for s in statements(role) for a in listed(s["Action"])} == EXPECTED[name] | BASICS | KEY_ACTIONS


def test_the_firewall_stands_before_the_stage_and_lets_pictures_and_prompts_through(strict: Synthesized) -> None:
    (association,) = strict.resources("AWS::WAFv2::WebACLAssociation").values()
    assert "/stages/" in json.dumps(association["ResourceArn"])
    (acl,) = strict.resources("AWS::WAFv2::WebACL").values()
    rules = {rule["Name"]: rule for rule in acl["Rules"]}
    assert rules["OneAddress"]["Action"] == {"Block": {}}
    assert rules["OneAddress"]["Statement"]["RateBasedStatement"]["Limit"] == 7500
    managed = rules["AWSManagedRulesCommonRuleSet"]["Statement"]["ManagedRuleGroupStatement"]
    counted = {rule["Name"] for rule in managed["RuleActionOverrides"] if rule["ActionToUse"] == {"Count": {}}}
    assert {"SizeRestrictions_BODY", "GenericRFI_BODY", "CrossSiteScripting_QUERYARGUMENTS"} <= counted


def test_the_firewall_keeps_no_samples_of_requests_as_they_hold_keys(strict: Synthesized) -> None:
    (acl,) = strict.resources("AWS::WAFv2::WebACL").values()
    seen = [acl["VisibilityConfig"], *(rule["VisibilityConfig"] for rule in acl["Rules"])]
    assert [one["SampledRequestsEnabled"] for one in seen] == [False] * len(seen)


def test_a_stage_that_does_not_ask_pays_for_neither(prod: Synthesized) -> None:
    assert not prod.resources("AWS::KMS::Key")
    assert not prod.resources("AWS::WAFv2::WebACL")
    for role in prod.resources("AWS::IAM::Role").values():
        assert not [a for s in statements(role) for a in listed(s["Action"]) if a.startswith("kms:")]
