"""The HTTP API: one REST API, one stage, every route behind the authorizer, every refusal a problem."""

import json
from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.function import log
from infra.problems import PROBLEMS, template
from infra.stage import Stage

STAGE_NAME = "v1"

_ACCESS_LOG = {
    # The route instead of the path: neither ids nor query strings (which carry prompts) belong into this log.
    "request_id": apigateway.AccessLogField.context_request_id(),
    "time": apigateway.AccessLogField.context_request_time_epoch(),
    "ip": apigateway.AccessLogField.context_identity_source_ip(),
    "owner": apigateway.AccessLogField.context_authorizer("owner"),
    "key": apigateway.AccessLogField.context_authorizer("key"),
    "method": apigateway.AccessLogField.context_http_method(),
    "route": apigateway.AccessLogField.context_resource_path(),
    "status": apigateway.AccessLogField.context_status(),
    "milliseconds": apigateway.AccessLogField.context_response_latency(),
    "bytes": apigateway.AccessLogField.context_response_length(),
    "refused_as": apigateway.AccessLogField.context_error_response_type(),
}


class Api(Construct):
    """`routes` maps a path (`/jobs/{proxy+}`) to the function that answers all its methods."""

    def __init__(
        self,
        scope: Construct,
        stage: Stage,
        authorizer: lambda_.IFunction,
        routes: Mapping[str, lambda_.IFunction],
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, "Api")
        self._key = key
        self._stage = stage
        self.rest = self._rest_api()
        # The CDK's own output of the address; the stack has one under a name that stays (`ApiUrl`).
        self.rest.node.try_remove_child("Endpoint")
        gate = apigateway.RequestAuthorizer(
            self,
            "Gate",
            handler=authorizer,
            # A request without the header is refused before any function runs; with it, the answer is kept.
            identity_sources=[apigateway.IdentitySource.header("Authorization")],
            # With the ten seconds a function remembers the first admin key, a withdrawn key is refused within a minute.
            results_cache_ttl=Duration.seconds(45),
        )
        integrations = {
            # One permission a function: one a method would outgrow the size of a function's policy.
            function.node.path: apigateway.LambdaIntegration(function, scope_permission_to_method=False)
            for function in routes.values()
        }
        for path, function in routes.items():
            self.rest.root.resource_for_path(path).add_method(
                "ANY",
                integrations[function.node.path],
                authorizer=gate,
                authorization_type=apigateway.AuthorizationType.CUSTOM,
            )
        self._refusals()

    def _rest_api(self) -> apigateway.RestApi:
        origins = list(self._stage.origins)
        return apigateway.RestApi(
            self,
            "Rest",
            # A label only; API Gateway allows any number of APIs of one name.
            rest_api_name=f"darkroom-{self._stage.name}",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # One role per account and region lets API Gateway write logs. It stays when the stack goes,
            # since other stages may write with it.
            cloud_watch_role=True,
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE_NAME,
                tracing_enabled=True,
                throttling_rate_limit=self._stage.throttle_rate,
                throttling_burst_limit=self._stage.throttle_burst,
                access_log_destination=apigateway.LogGroupLogDestination(log(self, self._stage, self._key)),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
            ),
            default_cors_preflight_options=apigateway.CorsOptions(
                allow_origins=origins,
                allow_methods=["GET", "POST", "PATCH", "DELETE"],
                allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
                max_age=Duration.hours(1),
            )
            if origins
            else None,
        )

    def _refusals(self) -> None:
        origins = self._stage.origins
        for kind, problem in PROBLEMS.items():
            self.rest.add_gateway_response(
                kind,
                type=apigateway.ResponseType.of(kind),
                status_code=str(problem.status),
                response_headers={
                    "Content-Type": "'application/problem+json'",
                    **({"Retry-After": f"'{problem.retry_after}'"} if problem.retry_after else {}),
                    # A gateway response cannot choose among several origins. Any may read it then: it says nothing but
                    # why there is no answer, and the preflight lets the stated origins alone send a key.
                    **(
                        {
                            "Access-Control-Allow-Origin": f"'{origins[0] if len(origins) == 1 else '*'}'",
                            "Access-Control-Expose-Headers": "'Retry-After, x-amzn-RequestId'",
                        }
                        if origins
                        else {}
                    ),
                },
                # API Gateway picks the template of this type when a caller accepts anything; the header above names
                # what the body really is.
                templates={"application/json": template(problem)},
            )
