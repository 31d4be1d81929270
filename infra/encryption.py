"""The customer-managed KMS key of a stage with the setting `customer_key`."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from infra.stage import Stage

SERVICES = ("dynamodb", "s3", "secretsmanager", "sns", "sqs")
"""The services through which functions and the worker use the key; they never use it directly."""


def customer_key(stack: Stack, stage: Stage) -> kms.Key:
    """A key for everything that the stage stores. KMS rotates it every year. Unless the stage is disposable, it is kept
    when the stack is deleted.

    `permissions.py` says which roles of this account may use it. Services use it in their own name: SNS and
    EventBridge, which put messages into encrypted queues, CloudWatch Logs, and CloudWatch where alarms go to an
    encrypted topic of the stage (the guides of SNS, "Key management", of SQS, "Key management", and of
    CloudWatch Logs, "Encrypt log data").
    """
    key = kms.Key(
        stack,
        "CustomerKey",
        description=f"Darkroom {stage.name}: all that is stored",
        enable_key_rotation=True,
        # A deploy that only forgets the key must not delete it. A disposable stage is removed with all it has.
        removal_policy=RemovalPolicy.DESTROY if stage.disposable else RemovalPolicy.RETAIN,
    )
    putting = ["sns", "events", *(["cloudwatch"] if stage.alarm_email else [])]
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"{service}.amazonaws.com") for service in putting],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
        )
    )
    groups = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:*"
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=[
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
    )
    return key
