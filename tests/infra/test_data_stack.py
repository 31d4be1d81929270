"""Tables, buckets and the admin's secret."""

from typing import Any

import pytest

from darkroom import tables
from tests.infra.conftest import Synthesized

KEPT = ("AWS::DynamoDB::GlobalTable", "AWS::S3::Bucket", "AWS::SecretsManager::Secret")


def lasting(stage: Synthesized) -> list[dict[str, Any]]:
    return [resource for resource in stage.data["Resources"].values() if resource["Type"] in KEPT]


def bucket(stage: Synthesized, name: str) -> dict[str, Any]:
    (found,) = (b for key, b in stage.resources("AWS::S3::Bucket").items() if key.startswith(name))
    return found


def test_what_holds_data_stays_when_the_stack_of_prod_goes(prod: Synthesized) -> None:
    assert len(lasting(prod)) == 8
    assert {(r["DeletionPolicy"], r["UpdateReplacePolicy"]) for r in lasting(prod)} == {("Retain", "Retain")}
    for table in prod.resources("AWS::DynamoDB::GlobalTable").values():
        assert [replica["DeletionProtectionEnabled"] for replica in table["Replicas"]] == [True]
    assert prod.data_stack.termination_protection


def test_a_disposable_stage_leaves_nothing_behind(dev: Synthesized) -> None:
    assert {r["DeletionPolicy"] for r in lasting(dev)} == {"Delete"}
    for table in dev.resources("AWS::DynamoDB::GlobalTable").values():
        assert [replica["DeletionProtectionEnabled"] for replica in table["Replicas"]] == [False]
    assert not dev.data_stack.termination_protection


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Jobs", tables.JOBS),
        ("Models", tables.MODELS),
        ("Keys", tables.KEYS),
        ("PictureUses", tables.PICTURES),
        ("Usage", tables.USAGE),
    ],
)
def test_a_table_is_built_as_the_code_describes_it(prod: Synthesized, name: str, expected: tables.Table) -> None:
    (table,) = (t for key, t in prod.resources("AWS::DynamoDB::GlobalTable").items() if key.startswith(name))
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert keys(table) == [key for key in (expected.partition, expected.sort) if key]
    assert table.get("TimeToLiveSpecification", {}).get("AttributeName") == expected.ttl
    assert {
        index["IndexName"]: (*keys(index), tuple(index["Projection"]["NonKeyAttributes"]))
        for index in table.get("GlobalSecondaryIndexes", [])
    } == {index.name: (index.partition, index.sort, index.projected) for index in expected.indexes}
    for replica in table["Replicas"]:
        assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def keys(of: dict[str, Any]) -> list[str]:
    return [key["AttributeName"] for key in of["KeySchema"]]


def test_indexes_stay_under_the_limit_of_projected_attributes() -> None:
    """DynamoDB takes 100 over all indexes of a table."""
    assert sum(len(index.projected) for index in tables.JOBS.indexes) <= 100


def test_buckets_are_private_encrypted_and_take_tls_only(prod: Synthesized) -> None:
    buckets = prod.resources("AWS::S3::Bucket")
    policies = prod.resources("AWS::S3::BucketPolicy")
    assert {policy["Bucket"]["Ref"] for policy in policies.values()} == set(buckets)
    for properties in buckets.values():
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        assert "VersioningConfiguration" not in properties
    for policy in policies.values():
        (denied,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert denied["Action"] == "s3:*"
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_pictures_expire_and_model_files_do_not(prod: Synthesized, dev: Synthesized) -> None:
    def expiring(stage: Synthesized, name: str) -> dict[str, int]:
        rules = bucket(stage, name)["LifecycleConfiguration"]["Rules"]
        return {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}

    assert expiring(prod, "Pictures") == {"images/": 90, "jobs/": 90, "failures/": 90}
    assert expiring(dev, "Pictures") == {"images/": 7, "jobs/": 7, "failures/": 7}
    assert expiring(prod, "ModelFiles") == {}


def test_unfinished_uploads_are_thrown_away_after_two_days(prod: Synthesized) -> None:
    for properties in prod.resources("AWS::S3::Bucket").values():
        rules = properties["LifecycleConfiguration"]["Rules"]
        (rule,) = (rule for rule in rules if "AbortIncompleteMultipartUpload" in rule)
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}
        assert "Prefix" not in rule


def test_any_web_page_may_use_a_signed_link_and_read_the_etag_of_a_part(prod: Synthesized, dev: Synthesized) -> None:
    for stage in (prod, dev):
        for name in ("Pictures", "ModelFiles"):
            (rule,) = bucket(stage, name)["CorsConfiguration"]["CorsRules"]
            assert rule["AllowedOrigins"] == ["*"]
            assert rule["AllowedMethods"] == ["GET", "HEAD", "PUT", "POST"]
            assert rule["ExposedHeaders"] == ["ETag"]
        # A link is the permission: nobody gets in without one, from whatever page.
        policies = stage.data["Resources"].values()
        statements = [
            statement
            for policy in policies
            if policy["Type"] == "AWS::S3::BucketPolicy"
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]
        assert {statement["Effect"] for statement in statements} == {"Deny"}


def test_the_first_admins_key_is_made_by_aws(prod: Synthesized) -> None:
    (secret,) = prod.resources("AWS::SecretsManager::Secret").values()
    made = secret["GenerateSecretString"]
    assert made["SecretStringTemplate"] == '{"owner": "admin", "role": "admin"}'
    assert (made["GenerateStringKey"], made["PasswordLength"]) == ("secret", 48)
    assert set("\"'\\/:@ ".replace(" ", "")) <= set(made["ExcludeCharacters"])


def test_the_outputs_name_what_a_person_needs(prod: Synthesized) -> None:
    named = {name for name in prod.data["Outputs"] if not name.startswith("Exports")}
    assert named == {
        "JobsTable",
        "ModelsTable",
        "KeysTable",
        "PicturesTable",
        "UsageTable",
        "PicturesBucket",
        "ModelsBucket",
        "AdminSecretArn",
    }
