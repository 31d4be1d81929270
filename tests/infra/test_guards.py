"""What AWS does and the local stack does not show by itself: Lambda ends loops, SageMaker publishes to a topic, and
other accounts may try to let it use a role."""

import json
from typing import Any

from infra.functions import FUNCTIONS
from tests.infra.conftest import Synthesized
from tests.infra.test_permissions import listed, role_of, statements, worker_role


def queues(role: dict[str, Any], action: str) -> set[str]:
    """The queues on which a role may do `action`, as text."""
    granted = [s["Resource"] for s in statements(role) if action in listed(s["Action"])]
    return {json.dumps(resource) for resources in granted for resource in listed(resources)}


def test_those_functions_may_loop_that_send_messages_to_the_queue_they_read_and_no_other(prod: Synthesized) -> None:
    roles = {name: role_of(prod, name) for name in FUNCTIONS}
    to_themselves = {
        name for name, role in roles.items() if queues(role, "sqs:SendMessage") & queues(role, "sqs:ReceiveMessage")
    }
    # Sending a dead letter again is no loop: that function is called by people.
    assert not queues(roles["dead_letters_api"], "sqs:SendMessage") & queues(
        roles["dead_letters_api"], "sqs:ReceiveMessage"
    )
    told = {name: prod.function(name).get("RecursiveLoop", "Terminate") for name in FUNCTIONS}
    assert to_themselves == {"checkpoint_imports", "job_deletions"}
    assert {name for name, loop in told.items() if loop == "Allow"} == to_themselves
    assert {loop for name, loop in told.items() if name not in to_themselves} == {"Terminate"}


def test_the_topic_is_encrypted_where_a_setting_says_so(
    prod: Synthesized, dev: Synthesized, strict: Synthesized
) -> None:
    plain, by_aws, by_customer = (
        next(topic for name, topic in stage.resources("AWS::SNS::Topic").items() if name.startswith("EventsResults"))
        for stage in (prod, dev, strict)
    )
    assert "KmsMasterKeyId" not in plain
    assert "alias/aws/sns" in json.dumps(by_aws["KmsMasterKeyId"])
    assert "CustomerKey" in json.dumps(by_customer["KmsMasterKeyId"])
    # What waits in queues is encrypted in any case.
    assert all(queue["SqsManagedSseEnabled"] for queue in prod.resources("AWS::SQS::Queue").values())


def test_sagemaker_uses_the_workers_role_for_this_account_alone(prod: Synthesized) -> None:
    (trusted,) = worker_role(prod)["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert trusted["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
