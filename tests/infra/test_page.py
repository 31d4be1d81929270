"""The page in a deploy: a private bucket behind CloudFront, the API on the same origin, and headers that a browser
keeps to."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Template

from darkroom.aws.clients import client
from infra.bundling import BuildError
from infra.page import PROOF, TO_THE_API, VIEWER
from infra.stacks import add_stacks
from infra.stage import NO_PACKAGE, Stage
from layers.page import build, headers
from tests.infra.conftest import Synthesized, this_machine
from tests.infra.test_permissions import listed, reach, role_of

DISABLED, OPTIMIZED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "658327ea-f89d-4fab-a63d-7e88639e58f6"
"""The cache policies CachingDisabled and CachingOptimized (CloudFront Developer Guide, "Use managed cache
policies")."""
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""The origin request policy AllViewerExceptHostHeader."""


def only(stage: Synthesized, kind: str) -> dict[str, Any]:
    (found,) = stage.resources(kind).values()
    return found


def distribution(stage: Synthesized) -> dict[str, Any]:
    config: dict[str, Any] = only(stage, "AWS::CloudFront::Distribution")["DistributionConfig"]
    return config


def behaviour(stage: Synthesized, pattern: str) -> dict[str, Any]:
    (found,) = (one for one in distribution(stage)["CacheBehaviors"] if one["PathPattern"] == pattern)
    return dict(found)


def origin(stage: Synthesized, behaviour: dict[str, Any]) -> dict[str, Any]:
    (found,) = (one for one in distribution(stage)["Origins"] if one["Id"] == behaviour["TargetOriginId"])
    return dict(found)


def files(stage: Synthesized) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """The page's bucket: its logical id, its properties and its policy's statements."""
    ((name, bucket),) = ((n, b) for n, b in stage.resources("AWS::S3::Bucket").items() if n.startswith("Page"))
    (policy,) = (p for p in stage.resources("AWS::S3::BucketPolicy").values() if p["Bucket"] == {"Ref": name})
    return name, bucket, policy["PolicyDocument"]["Statement"]


def test_the_api_is_on_the_same_origin_and_everything_goes_there_but_the_name_of_the_host(prod: Synthesized) -> None:
    api = behaviour(prod, "/api/*")
    assert (api["CachePolicyId"], api["OriginRequestPolicyId"]) == (DISABLED, ALL_BUT_HOST)
    assert set(api["AllowedMethods"]) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}
    # A redirect would come after the key was sent without TLS.
    assert api["ViewerProtocolPolicy"] == "https-only"
    there = origin(prod, api)
    assert "execute-api" in json.dumps(there["DomainName"])
    # The stage of API Gateway is the beginning of its paths.
    assert "ApiRestDeploymentStagev1" in json.dumps(there["OriginPath"])
    config = there["CustomOriginConfig"]
    assert (config["OriginProtocolPolicy"], config["OriginSSLProtocols"]) == ("https-only", ["TLSv1.2"])
    # A GET waits 20 seconds for its job, and API Gateway gives up after 29.
    assert config["OriginReadTimeout"] > 29


def through_the_function(path: str, **sent: str) -> dict[str, Any]:
    """A request as the function at CloudFront's edge makes it, run by Node."""
    request = {
        "uri": path,
        "querystring": {"words": {"value": "a%20b"}},
        "headers": {n: {"value": v} for n, v in sent.items()},
    }
    event = {"request": request, "viewer": {"ip": "203.0.113.7"}}
    script = f"{TO_THE_API}\nprocess.stdout.write(JSON.stringify(handler({json.dumps(event)})));"
    done = subprocess.run([build.node(), "-e", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_function_at_the_edge_takes_the_prefix_off_and_leaves_the_rest(prod: Synthesized) -> None:
    (association,) = behaviour(prod, "/api/*")["FunctionAssociations"]
    assert association["EventType"] == "viewer-request"
    assert only(prod, "AWS::CloudFront::Function")["FunctionCode"] == TO_THE_API
    told = through_the_function("/api/jobs/%2Fapi%2F1", **{VIEWER.lower(): "198.51.100.1", "authorization": "Bearer k"})
    assert told["uri"] == "/jobs/%2Fapi%2F1"
    assert told["querystring"] == {"words": {"value": "a%20b"}}
    assert told["headers"]["authorization"] == {"value": "Bearer k"}
    # What a browser says of its address is written over.
    assert told["headers"][VIEWER.lower()] == {"value": "203.0.113.7"}
    assert through_the_function("/api/")["uri"] == "/"


def test_files_with_a_hash_are_kept_at_the_edge_and_the_page_that_names_them_is_not(prod: Synthesized) -> None:
    assert distribution(prod)["DefaultRootObject"] == "index.html"
    assert distribution(prod)["DefaultCacheBehavior"]["CachePolicyId"] == DISABLED
    assert behaviour(prod, "/assets/*")["CachePolicyId"] == OPTIMIZED
    for one in (distribution(prod)["DefaultCacheBehavior"], behaviour(prod, "/assets/*")):
        assert one["ViewerProtocolPolicy"] == "redirect-to-https"
        assert origin(prod, one)["OriginPath"] == "/page"


def test_the_bucket_is_private_and_cloudfront_of_this_distribution_reads_it(prod: Synthesized) -> None:
    _, bucket, statements = files(prod)
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (reading,) = (s for s in statements if s["Principal"] == {"Service": "cloudfront.amazonaws.com"})
    assert reading["Action"] == "s3:GetObject"
    assert "PageDistribution" in json.dumps(reading["Condition"]["StringEquals"]["AWS:SourceArn"])
    access = only(prod, "AWS::CloudFront::OriginAccessControl")["OriginAccessControlConfig"]
    assert (access["SigningBehavior"], access["OriginAccessControlOriginType"]) == ("always", "s3")
    assert not [s for s in statements if s["Effect"] == "Allow" and s["Principal"] in ("*", {"AWS": "*"})]


def test_one_function_writes_the_files_and_under_one_prefix(prod: Synthesized) -> None:
    _, _, statements = files(prod)
    writing = [s for s in statements if s["Effect"] == "Allow" and "AWS" in s["Principal"]]
    assert all("UnpackAssetRole" in json.dumps(s["Principal"]) for s in writing)
    actions = {action for s in writing for action in listed(s["Action"])}
    assert actions == {"s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListBucket"}
    (objects,) = (s for s in writing if "s3:PutObject" in listed(s["Action"]))
    assert json.dumps(objects["Resource"]).endswith('"/page/*"]]}')
    # Its role does not name the bucket: it would lose that right before the bucket is emptied.
    assert "PageFiles" not in reach(role_of(prod, "unpack_asset"), "s3:PutObject")


def test_a_build_is_put_there_with_its_headers_and_earlier_files_stay_a_month(prod: Synthesized) -> None:
    ((name, asked),) = (
        (name, one) for name, one in prod.resources("Custom::DarkroomUnpacked").items() if name.startswith("Page")
    )
    assert (asked["Root"], asked["Last"], asked["KeptDays"], asked["Removable"]) == ("page/", "index.html", 30, True)
    assert "Prefix" not in asked
    assert {one["Under"]: one["Header"] for one in asked["Caching"]} == headers.CACHING
    assert asked["SourceKey"].endswith(".zip")
    # The function may write only once the bucket's policy is there.
    depends = prod.service["Resources"][name]["DependsOn"]
    assert any(one.startswith("PageFilesPolicy") for one in depends)


def test_every_answer_has_the_headers_of_the_table(prod: Synthesized) -> None:
    config = only(prod, "AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]
    security = config["SecurityHeadersConfig"]
    told = {item["Header"]: item["Value"] for item in config["CustomHeadersConfig"]["Items"]}
    strict = security["StrictTransportSecurity"]
    told |= {
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        "X-Frame-Options": security["FrameOptions"]["FrameOption"],
        "X-Content-Type-Options": "nosniff" if security["ContentTypeOptions"] else "",
        "Strict-Transport-Security": f"max-age={strict['AccessControlMaxAgeSec']}"
        + ("; includeSubDomains" if strict["IncludeSubdomains"] else ""),
    }
    assert told == headers.SECURITY
    answers = [distribution(prod)["DefaultCacheBehavior"], *distribution(prod)["CacheBehaviors"]]
    assert len({json.dumps(one["ResponseHeadersPolicyId"]) for one in answers}) == 1


def written(policy: Any, region: str, **buckets: str) -> str:
    """A policy of the template as CloudFormation fills it in."""
    known = {"AWS::Region": region, "AWS::URLSuffix": "amazonaws.com"}
    parts = []
    for part in policy["Fn::Join"][1]:
        if isinstance(part, str):
            parts.append(part)
        elif "Ref" in part:
            parts.append(known[part["Ref"]])
        else:
            parts.append(next(name for key, name in buckets.items() if f"OutputRef{key}" in part["Fn::ImportValue"]))
    return "".join(parts)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_the_policy_lets_signed_links_through_as_the_functions_sign_them(
    prod: Synthesized, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = only(prod, "AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]
    asked = config["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    policy = written(asked, region, Pictures="p-1", ModelFiles="m-1")
    directives = {line.split()[0]: line.split()[1:] for line in policy.split("; ")}
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == directives["style-src"] == ["'self'"]
    assert "unsafe" not in policy
    assert "*" not in policy
    for name, value in {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_ACCESS_KEY_ID": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    s3 = client("s3")
    assert s3.meta.region_name == region
    for bucket in ("p-1", "m-1"):
        links = [
            s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}),
            s3.generate_presigned_post(bucket, "k")["url"],
        ]
        for link in links:
            host = link.partition("//")[0] + "//" + link.split("/")[2]
            assert host in directives["connect-src"], link
            assert host in directives["img-src"]


def test_the_policy_fits_into_what_cloudfront_takes() -> None:
    """1,783 characters (CloudFront Developer Guide, "Quotas on headers"), with names as long as S3 takes them."""
    longest = [
        f"https://{'b' * 63}.s3.{region}amazonaws.com" for region in ("ap-southeast-2.", "", "ap-southeast-2.", "")
    ]
    assert len(headers.policy(longest)) <= 1783


def test_a_name_of_ones_own_gets_tls_12_and_newer(strict: Synthesized, prod: Synthesized) -> None:
    assert distribution(strict)["Aliases"] == ["paint.example.com"]
    certificate = distribution(strict)["ViewerCertificate"]
    assert certificate["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert certificate["AcmCertificateArn"] == strict.stage.page_certificate
    assert strict.service["Outputs"]["PageUrl"]["Value"] == "https://paint.example.com/"
    assert "ViewerCertificate" not in distribution(prod)
    address = prod.service["Outputs"]["PageUrl"]["Value"]
    assert "PageDistribution" in json.dumps(address)


def test_no_two_stages_and_no_two_regions_share_a_name(prod: Synthesized, dev: Synthesized) -> None:
    """CloudFront keeps one list of names for an account, over all regions."""

    def names(stage: Synthesized) -> list[str]:
        return [
            json.dumps(name)
            for name in (
                only(stage, "AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]["Name"],
                only(stage, "AWS::CloudFront::OriginAccessControl")["OriginAccessControlConfig"]["Name"],
                only(stage, "AWS::CloudFront::Function")["Name"],
            )
        ]

    assert all("AWS::Region" in name for name in names(prod))
    assert not set(names(prod)) & set(names(dev))


def test_the_firewall_counts_the_address_that_cloudfront_saw(strict: Synthesized) -> None:
    rules = {rule["Name"]: rule for rule in only(strict, "AWS::WAFv2::WebACL")["Rules"]}
    one, viewer = (rules[name]["Statement"]["RateBasedStatement"] for name in ("OneAddress", "OneViewer"))
    assert viewer["AggregateKeyType"] == "FORWARDED_IP"
    assert viewer["ForwardedIPConfig"] == {"HeaderName": VIEWER, "FallbackBehavior": "MATCH"}
    assert (one["AggregateKeyType"], one["Limit"]) == ("IP", viewer["Limit"])
    # Only CloudFront adds the proof. So nobody gets around the limit with a header of his own.
    by_page = viewer["ScopeDownStatement"]
    assert one["ScopeDownStatement"] == {"NotStatement": {"Statement": by_page}}
    match = by_page["ByteMatchStatement"]
    assert (match["FieldToMatch"], match["PositionalConstraint"]) == (
        {"SingleHeader": {"Name": PROOF.lower()}},
        "EXACTLY",
    )
    (added,) = origin(strict, behaviour(strict, "/api/*"))["OriginCustomHeaders"]
    assert (added["HeaderName"], added["HeaderValue"]) == (PROOF, match["SearchString"])


def test_a_stage_can_leave_the_page_out(local: Synthesized) -> None:
    kinds = {resource["Type"] for resource in local.service["Resources"].values()}
    assert not [kind for kind in kinds if "CloudFront" in kind]
    assert not [name for name in local.resources("AWS::S3::Bucket") if name.startswith("Page")]
    assert not [name for name in local.service["Outputs"] if name.startswith("Page")]
    app = App(analytics_reporting=False)
    stage = Stage.model_validate(
        {"name": "bare", "page": False, "waf": True, "worker_package": NO_PACKAGE, **this_machine()}
    )
    _, service = add_stacks(app, stage)
    (acl,) = (
        r for r in Template.from_stack(service).to_json()["Resources"].values() if r["Type"] == "AWS::WAFv2::WebACL"
    )
    rates = [rule for rule in acl["Properties"]["Rules"] if "RateBasedStatement" in rule["Statement"]]
    assert [rule["Statement"]["RateBasedStatement"]["AggregateKeyType"] for rule in rates] == ["IP"]


def test_leaving_the_page_out_takes_no_export_away_that_the_other_stack_still_uses(
    prod: Synthesized, local: Synthesized
) -> None:
    """CloudFormation refuses to remove an export that is imported, and the data stack is deployed first."""

    def exports(stage: Synthesized) -> set[str]:
        return {name for name in stage.data["Outputs"] if name.startswith("Exports")}

    assert exports(prod) == exports(local)


def test_a_deploy_without_the_packages_of_the_page_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "WEB", tmp_path)
    monkeypatch.setattr(build, "_BUILT", tmp_path / "built")
    monkeypatch.setattr(build, "sources", lambda: "0")
    with pytest.raises(BuildError, match=r"make install.*-c page=false"):
        add_stacks(App(analytics_reporting=False), Stage(name="prod", worker_package=NO_PACKAGE))


def test_node_is_that_of_the_virtual_environment() -> None:
    assert build.node().is_relative_to(Path(sys.executable).parent)
