"""The files of an asset as objects under a prefix of a bucket, put there by a function of ours in a deploy.

The CDK's own BucketDeployment needs a layer with the AWS command line, and its zip cannot stay out of memory.
"""

from aws_cdk import AssetHashType, CustomResource, Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

SECONDS = 900
"""How long CloudFormation waits for the function's answer: as long as a function may run at all."""


class Folder(Construct):
    """A folder that the CDK uploads as a zip; `digest` covers its content."""

    def __init__(self, scope: Construct, name: str, folder: str, digest: str) -> None:
        super().__init__(scope, name)
        self.digest = digest
        self.asset = assets.Asset(
            self,
            "Asset",
            path=folder,
            asset_hash=digest,
            asset_hash_type=AssetHashType.CUSTOM,
            exclude=["**/__pycache__"],
        )

    @property
    def place(self) -> dict[str, str]:
        """The properties of a resource that puts it somewhere."""
        source = {"SourceBucket": self.asset.s3_bucket_name, "SourceKey": self.asset.s3_object_key}
        return {"Prefix": f"{self.digest}/", **source}


class Unpacked(Construct):
    """`asset` under `<root><digest>/` of a bucket; nothing there without one.

    It is in the template in both cases: so CloudFormation deletes it with the stack and at no other time, and what an
    earlier release put there stays for the endpoints that use it. With `removable` all under `root` goes with the
    stack.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        function: lambda_.IFunction,
        bucket: s3.IBucket,
        root: str,
        asset: Folder | None,
        removable: bool,
    ) -> None:
        super().__init__(scope, name)
        placed = asset.place if asset else {}
        resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::DarkroomUnpacked",
            service_token=function.function_arn,
            service_timeout=Duration.seconds(SECONDS),
            properties={"Bucket": bucket.bucket_name, "Root": root, "Removable": removable, **placed},
        )
        self.uri = resource.get_att_string("Uri") if asset else ""
