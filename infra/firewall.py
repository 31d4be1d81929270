"""The firewall (AWS WAF) of a stage with the setting `waf`."""

from typing import Any

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from infra.page import PROOF, VIEWER, proof
from infra.stage import Stage

_COUNTED = (
    # Bodies contain pictures in base64, prompts, and URLs of model files; these rules take each of them for an attack.
    "SizeRestrictions_BODY",
    "CrossSiteScripting_BODY",
    "EC2MetaDataSSRF_BODY",
    "GenericLFI_BODY",
    "GenericRFI_BODY",
    # The history is searched for words of prompts, such as `<lora:name:1>`.
    "CrossSiteScripting_QUERYARGUMENTS",
    "GenericLFI_QUERYARGUMENTS",
    "GenericRFI_QUERYARGUMENTS",
    # Percent-encoded words of some scripts are long: a query string soon has over two kilobytes.
    "SizeRestrictions_QUERYSTRING",
)
_MANAGED = {
    "AWSManagedRulesAmazonIpReputationList": (),
    "AWSManagedRulesCommonRuleSet": _COUNTED,
    "AWSManagedRulesKnownBadInputsRuleSet": (),
}
"""AWS's rule groups, and those of their rules that count requests without blocking them (WAF Developer Guide, "AWS
Managed Rules rule groups")."""
_WINDOW = 300
"""The seconds over which the requests of one address are counted: WAF's default."""


class Firewall(Construct):
    """AWS's managed rules, and a limit for each address: half of the requests that the stage allows.

    What comes by CloudFront comes from addresses of CloudFront. So where the page is served, those requests are counted
    by the address that CloudFront saw. Anybody may send its header, but not with the proof that only CloudFront adds.
    """

    def __init__(self, scope: Construct, stage: Stage, api: apigateway.RestApi) -> None:
        super().__init__(scope, "Firewall")
        rules = [_managed(number, name, counted) for number, (name, counted) in enumerate(_MANAGED.items(), start=2)]
        acl = wafv2.CfnWebACL(
            self,
            "Rules",
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visible("All"),
            rules=[*_rates(stage), *rules],
        )
        wafv2.CfnWebACLAssociation(self, "Api", resource_arn=api.deployment_stage.stage_arn, web_acl_arn=acl.attr_arn)


def _managed(priority: int, name: str, counted: tuple[str, ...]) -> wafv2.CfnWebACL.RuleProperty:
    count = wafv2.CfnWebACL.RuleActionProperty(count={})
    return wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        visibility_config=_visible(name),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                rule_action_overrides=[
                    wafv2.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=count) for rule in counted
                ],
            )
        ),
    )


def _rates(stage: Stage) -> list[wafv2.CfnWebACL.RuleProperty]:
    """WAF accepts limits of 10 and more (API reference, RateBasedStatement)."""
    limit = max(stage.throttle_rate * _WINDOW // 2, 10)
    if not stage.page:
        return [_rate(0, "OneAddress", limit=limit, aggregate_key_type="IP")]
    by_page = wafv2.CfnWebACL.StatementProperty(
        byte_match_statement=wafv2.CfnWebACL.ByteMatchStatementProperty(
            field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(single_header={"Name": PROOF.lower()}),
            positional_constraint="EXACTLY",
            search_string=proof(),
            text_transformations=[wafv2.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")],
        )
    )
    others = wafv2.CfnWebACL.StatementProperty(not_statement=wafv2.CfnWebACL.NotStatementProperty(statement=by_page))
    # A header without a valid address cannot be CloudFront's; such a request counts as one too many.
    viewer = wafv2.CfnWebACL.ForwardedIPConfigurationProperty(header_name=VIEWER, fallback_behavior="MATCH")
    return [
        _rate(0, "OneAddress", limit=limit, aggregate_key_type="IP", scope_down_statement=others),
        _rate(
            1,
            "OneViewer",
            limit=limit,
            aggregate_key_type="FORWARDED_IP",
            forwarded_ip_config=viewer,
            scope_down_statement=by_page,
        ),
    ]


def _rate(priority: int, name: str, **counted: Any) -> wafv2.CfnWebACL.RuleProperty:
    return wafv2.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        action=wafv2.CfnWebACL.RuleActionProperty(block={}),
        visibility_config=_visible(name),
        statement=wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(evaluation_window_sec=_WINDOW, **counted)
        ),
    )


def _visible(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    """Metrics, but no samples of requests: these contain the headers, and so access keys."""
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
