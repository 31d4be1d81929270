"""The files of an asset as objects under a prefix of a bucket, put there by a function of ours in a deploy.

The CDK's own BucketDeployment needs a layer with the AWS command line, and its zip cannot stay out of memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
    def source(self) -> dict[str, str]:
        """The properties of a resource that puts it somewhere."""
        return {"SourceBucket": self.asset.s3_bucket_name, "SourceKey": self.asset.s3_object_key}


@dataclass(frozen=True)
class Replacing:
    """How a build takes the place of the one before it, under the same prefix: `caching` has the header Cache-Control
    by the beginning of a path, the file `last` comes when the others are there, and files of earlier builds go
    `kept_days` after they were replaced."""

    caching: Mapping[str, str]
    last: str
    kept_days: int

    @property
    def properties(self) -> dict[str, Any]:
        """Those of the resource."""
        caching = [{"Under": under, "Header": header} for under, header in self.caching.items()]
        return {"Caching": caching, "Last": self.last, "KeptDays": self.kept_days}


class Unpacked(Construct):
    """`asset` under `<root><digest>/` of a bucket, or with `replacing` under `<root>`; nothing there without one.

    Without an asset it is in the template all the same: so CloudFormation deletes it with the stack and at no other
    time, and what an earlier release put there stays for the endpoints that use it. With `removable` all under `root`
    goes with the stack.
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
        replacing: Replacing | None = None,
    ) -> None:
        super().__init__(scope, name)
        prefix = {} if replacing or not asset else {"Prefix": f"{asset.digest}/"}
        placed = {**prefix, **(asset.source if asset else {}), **(replacing.properties if replacing else {})}
        resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::DarkroomUnpacked",
            service_token=function.function_arn,
            service_timeout=Duration.seconds(SECONDS),
            properties={"Bucket": bucket.bucket_name, "Root": root, "Removable": removable, **placed},
        )
        self.uri = resource.get_att_string("Uri") if asset else ""
