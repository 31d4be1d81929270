"""What stays when a release replaces the service: the five tables, the two buckets and the first admin key."""

import json
import string
from typing import cast

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack, Tags
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from darkroom import tables
from infra.deployed import stack_names
from infra.encryption import customer_key
from infra.stage import Stage

PICTURE_PREFIXES = ("images/", "jobs/", "failures/")
"""The prefixes in the pictures bucket: uploads, files of jobs, and SageMaker's error messages of failed jobs."""


_ANY_PAGE = s3.CorsRule(
    allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD, s3.HttpMethods.PUT, s3.HttpMethods.POST],
    allowed_origins=["*"],
    allowed_headers=["*"],
    # A client needs the ETag of each part to complete a multipart upload.
    exposed_headers=["ETag"],
    max_age=3600,
)
"""Web pages of any origin may use a bucket, because a signed link is the permission: whoever has none is refused, and
a browser sends nothing along by itself."""


class DataStack(Stack):
    """Tables and buckets of a stage. They are kept when the stack is deleted, unless the stage is disposable."""

    def __init__(self, scope: Construct, stage: Stage) -> None:
        super().__init__(
            scope,
            stack_names(stage.name)[0],
            description="Darkroom: tables, buckets and the first admin's key",
            termination_protection=not stage.disposable,
        )
        self._stage = stage
        self._removal = RemovalPolicy.DESTROY if stage.disposable else RemovalPolicy.RETAIN
        self.key = customer_key(self, stage) if stage.customer_key else None
        """The key that reads what was ever encrypted with it."""
        self._encrypting = self.key if stage.encrypts else None
        self.jobs_table = self._table("Jobs", tables.JOBS)
        self.models_table = self._table("Models", tables.MODELS)
        self.keys_table = self._table("Keys", tables.KEYS)
        self.pictures_table = self._table("PictureUses", tables.PICTURES)
        self.usage_table = self._table("Usage", tables.USAGE)
        self.pictures_bucket = self._bucket("Pictures", expiring=PICTURE_PREFIXES)
        self.models_bucket = self._bucket("ModelFiles")
        self.admin_secret = self._admin_secret()
        self._outputs()
        Tags.of(self).add("darkroom:stage", stage.name)

    @property
    def admin_arn(self) -> str:
        """The ARN of the admin's secret, from the attribute `Id`. A plain reference gives the ARN in AWS only; in
        MiniStack it gives the name, and a policy with that would match nothing."""
        return cast(secretsmanager.CfnSecret, self.admin_secret.node.default_child).attr_id

    def _table(self, name: str, table: tables.Table) -> dynamodb.TableV2:
        resource = dynamodb.TableV2(
            self,
            name,
            partition_key=_text(table.partition),
            sort_key=_text(table.sort) if table.sort else None,
            time_to_live_attribute=table.ttl,
            billing=dynamodb.Billing.on_demand(),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=not self._stage.disposable,
            removal_policy=self._removal,
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=index.name,
                    partition_key=_text(index.partition),
                    sort_key=_text(index.sort),
                    projection_type=dynamodb.ProjectionType.INCLUDE,
                    non_key_attributes=list(index.projected),
                )
                for index in table.indexes
            ],
        )
        if self._encrypting:
            # The CDK accepts a customer key only when it knows the region; CloudFormation does not need the region.
            template = cast(dynamodb.CfnGlobalTable, resource.node.default_child)
            template.add_property_override("SSESpecification", {"SSEEnabled": True, "SSEType": "KMS"})
            template.add_property_override("Replicas.0.SSESpecification.KMSMasterKeyId", self._encrypting.key_arn)
        return resource

    def _bucket(self, name: str, expiring: tuple[str, ...] = ()) -> s3.Bucket:
        return s3.Bucket(
            self,
            name,
            encryption=s3.BucketEncryption.KMS if self._encrypting else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self._encrypting,
            # S3 then asks KMS for a key once in a while and not for every object; KMS bills each call.
            bucket_key_enabled=bool(self._encrypting),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            removal_policy=self._removal,
            lifecycle_rules=[
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(2)),
                *(
                    s3.LifecycleRule(prefix=prefix, expiration=Duration.days(self._stage.retention_days))
                    for prefix in expiring
                ),
            ],
            cors=[_ANY_PAGE],
        )

    def _admin_secret(self) -> secretsmanager.Secret:
        """The first admin key as `{"owner", "role", "secret"}`. AWS generates it, so no person and no log has seen
        it."""
        return secretsmanager.Secret(
            self,
            "Admin",
            description=f"Darkroom {self._stage.name}: the admin's access key",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"owner": "admin", "role": "admin"}),
                generate_string_key="secret",
                password_length=48,
                # Not ExcludePunctuation, which MiniStack does not support; this list means the same.
                exclude_characters=string.punctuation,
            ),
            encryption_key=self._encrypting,
            removal_policy=self._removal,
        )

    def _outputs(self) -> None:
        for name, value in {
            "JobsTable": self.jobs_table.table_name,
            "ModelsTable": self.models_table.table_name,
            "KeysTable": self.keys_table.table_name,
            "PicturesTable": self.pictures_table.table_name,
            "UsageTable": self.usage_table.table_name,
            "PicturesBucket": self.pictures_bucket.bucket_name,
            "ModelsBucket": self.models_bucket.bucket_name,
            "AdminSecretArn": self.admin_arn,
        }.items():
            CfnOutput(self, name, value=value)


def _text(attribute: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=attribute, type=dynamodb.AttributeType.STRING)
