"""The page for browsers: a private bucket behind CloudFront, and the API under `/api` on the same origin."""

from collections.abc import Sequence
from typing import Any, cast

from aws_cdk import Aws, CfnOutput, Duration, Fn, Names, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.grants import Pattern, allow
from infra.stage import Stage
from infra.unpacking import Folder, Replacing, Unpacked
from layers.page import headers

ROOT = "page/"
"""The prefix of the files in the bucket."""
KEPT_DAYS = 30
"""How long files of earlier builds stay after the deploy that replaced them: a page that somebody opened before may
still ask for them."""
VIEWER, PROOF = "X-Darkroom-Viewer", "X-Darkroom-Proof"
"""The headers that tell the API's firewall from which address a request came to CloudFront, and that it came this way.
CloudFront writes both over what a browser sends."""
_READ_SECONDS = 60
"""How long CloudFront waits for the API, which answers within 29 seconds: as long as it can without another quota."""

# `request.uri` is as the browser wrote it, so what is encoded in it stays encoded; the query is not a part of it.
TO_THE_API = f"""
function handler(event) {{
    var request = event.request;
    request.uri = request.uri.slice({len(headers.API)}) || '/';
    request.headers['{VIEWER.lower()}'] = {{ value: event.viewer.ip }};
    return request;
}}
"""


def proof() -> str:
    """What only CloudFront and the firewall know: the random part of the stack's id."""
    return Fn.select(2, Fn.split("/", Aws.STACK_ID))


class Page(Construct):
    """The files in `folder`, put into a bucket by `function`, before the API `rest`.

    `function` may write to the bucket by the bucket's policy and not by its role: so the page can be left out again,
    because a role would lose the right before CloudFormation asks the function to empty the bucket.
    """

    def __init__(
        self,
        scope: Construct,
        stage: Stage,
        *,
        folder: Folder,
        function: lambda_.IFunction,
        role: iam.IRole,
        rest: apigateway.RestApi,
        buckets: Sequence[s3.IBucket],
    ) -> None:
        """`role` is that of the function, `buckets` are those that signed links lead to."""
        super().__init__(scope, "Page")
        self.bucket = self._bucket()
        self.distribution = self._distribution(stage, rest, buckets)
        self.grants = [
            allow(["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"], self._files_of_builds()),
            allow(["s3:ListBucket"], self.bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": [f"{ROOT}*"]}}),
        ]
        """What the unpacking function may do by the policy of the bucket."""
        may_write = self._let_write(role)
        unpacked = Unpacked(
            self,
            "Unpacked",
            function=function,
            bucket=self.bucket,
            root=ROOT,
            asset=folder,
            removable=True,
            replacing=Replacing(headers.CACHING, headers.ENTRY, KEPT_DAYS),
        )
        unpacked.node.add_dependency(may_write)
        domain = stage.page_domain or self.distribution.distribution_domain_name
        CfnOutput(scope, "PageUrl", value=f"https://{domain}/")
        CfnOutput(scope, "PageDistribution", value=self.distribution.distribution_domain_name)

    def _bucket(self) -> s3.Bucket:
        """Its files are the same for everybody who opens the page, so they are not encrypted with a customer's key."""
        return s3.Bucket(
            self,
            "Files",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.DESTROY,
            lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(2))],
        )

    def _files_of_builds(self) -> Pattern:
        reason = "Names of files hold a hash of their content, so each build has others."
        return Pattern(self.bucket.arn_for_objects(f"{ROOT}*"), reason)

    def _let_write(self, role: iam.IRole) -> Construct:
        """Let the function put files there and remove them; returns the bucket's policy."""
        for grant in self.grants:
            self.bucket.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ArnPrincipal(role.role_arn)],
                    actions=list(grant.actions),
                    resources=grant.arns(),
                    conditions=grant.conditions,
                )
            )
        return cast(Construct, self.bucket.policy)

    def _distribution(
        self, stage: Stage, rest: apigateway.RestApi, buckets: Sequence[s3.IBucket]
    ) -> cloudfront.Distribution:
        answers = self._headers(buckets)
        files = origins.S3BucketOrigin.with_origin_access_control(
            self.bucket, origin_path=f"/{ROOT.rstrip('/')}", origin_access_control=self._access()
        )
        return cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"Darkroom {stage.name}: the page",
            default_root_object=headers.ENTRY,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            default_behavior=self._files(files, answers, cloudfront.CachePolicy.CACHING_DISABLED),
            additional_behaviors={
                **{
                    f"/{under}*": self._files(files, answers, cloudfront.CachePolicy.CACHING_OPTIMIZED)
                    for under, header in headers.CACHING.items()
                    if header == headers.FOREVER
                },
                f"{headers.API}/*": self._api(rest, answers),
            },
            **self._name_of_ones_own(stage),
        )

    def _name_of_ones_own(self, stage: Stage) -> dict[str, Any]:
        """The part of a distribution that gives it another name than CloudFront's; only then it may say which TLS."""
        if not (stage.page_domain and stage.page_certificate):
            return {}
        return {
            "domain_names": [stage.page_domain],
            "certificate": acm.Certificate.from_certificate_arn(self, "Certificate", stage.page_certificate),
            "minimum_protocol_version": cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
        }

    def _files(
        self, files: cloudfront.IOrigin, answers: cloudfront.ResponseHeadersPolicy, kept: cloudfront.ICachePolicy
    ) -> cloudfront.BehaviorOptions:
        return cloudfront.BehaviorOptions(
            origin=files,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            cache_policy=kept,
            response_headers_policy=answers,
            compress=True,
        )

    def _api(self, rest: apigateway.RestApi, answers: cloudfront.ResponseHeadersPolicy) -> cloudfront.BehaviorOptions:
        """Requests to the API: nothing is kept, and everything is sent on but the name of the host, by which API
        Gateway would not find the API (CloudFront Developer Guide, "Use managed origin request policies")."""
        return cloudfront.BehaviorOptions(
            origin=origins.RestApiOrigin(
                rest, read_timeout=Duration.seconds(_READ_SECONDS), custom_headers={PROOF: proof()}
            ),
            allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
            # No redirect: a key that was sent without TLS has been seen already.
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
            response_headers_policy=answers,
            function_associations=[
                cloudfront.FunctionAssociation(
                    event_type=cloudfront.FunctionEventType.VIEWER_REQUEST, function=self._to_the_api()
                )
            ],
            compress=False,
        )

    def _to_the_api(self) -> cloudfront.Function:
        return cloudfront.Function(
            self,
            "ToTheApi",
            comment="Takes /api off the path, and tells from which address the request came",
            runtime=cloudfront.FunctionRuntime.JS_2_0,
            code=cloudfront.FunctionCode.from_inline(TO_THE_API),
        )

    def _access(self) -> cloudfront.S3OriginAccessControl:
        return cloudfront.S3OriginAccessControl(self, "Access", origin_access_control_name=self._name("access", 64))

    def _headers(self, buckets: Sequence[s3.IBucket]) -> cloudfront.ResponseHeadersPolicy:
        """The headers of `layers.page.headers` on every answer. CloudFront has members of its own for some of them."""
        policy = headers.policy([source for bucket in buckets for source in _sources(bucket)])
        return cloudfront.ResponseHeadersPolicy(
            self,
            "Headers",
            response_headers_policy_name=self._name("headers", 128),
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy=policy, override=True
                ),
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.NO_REFERRER, override=True
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=Duration.seconds(headers.HSTS_SECONDS),
                    include_subdomains=True,
                    override=True,
                ),
            ),
            custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
                custom_headers=[
                    cloudfront.ResponseCustomHeader(header=name, value=value, override=True)
                    for name, value in headers.SECURITY.items()
                    if name not in _OWN_MEMBERS
                ]
            ),
        )

    def _name(self, what: str, longest: int) -> str:
        """A name for something that CloudFront has once in an account, over all regions: with the region and the
        stack."""
        own = Names.unique_resource_name(self, max_length=longest - len(what) - 20, separator="-")
        return f"{Aws.REGION}-{own}-{what}"


def _sources(bucket: s3.IBucket) -> list[str]:
    """Under which names signed links lead to a bucket: with the region, and in us-east-1 without it. They are made of
    its name alone, which the functions use in any case: another export could not go again with the page."""
    return [f"https://{bucket.bucket_name}.s3.{part}{Aws.URL_SUFFIX}" for part in (f"{Aws.REGION}.", "")]


_OWN_MEMBERS = ("Referrer-Policy", "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options")
