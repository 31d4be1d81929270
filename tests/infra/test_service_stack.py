"""Functions, events, alarms and the API."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from darkroom.edge.rounds import RESERVE_SECONDS
from darkroom.endpoints.instances import EVERY_SECONDS, STEP_SECONDS
from darkroom.keys.service import ADMIN_SECONDS
from darkroom.settings import METRICS, OperatorSettings, Settings
from functions.sweeper.handler import handler as sweep
from infra.functions import FUNCTIONS, RELEASE_VARIABLE, ROUTES
from infra.problems import PROBLEMS
from tests.infra.conftest import ORIGINS, Synthesized
from tests.support.http import Context
from tests.support.lines import written
from tests.support.stage import moto_stage

ROOT = Path(__file__).resolve().parents[2]
PHYSICAL_NAMES = {
    "AlarmName",
    "BucketName",
    "FunctionName",
    "LayerName",
    "LogGroupName",
    "ManagedPolicyName",
    "QueueName",
    "RoleName",
    "TableName",
    "TopicName",
}


def arn_of(logical_id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def test_stages_stand_side_by_side_because_nothing_has_a_fixed_name(prod: Synthesized, dev: Synthesized) -> None:
    for stage in (prod, dev):
        for template in (stage.data, stage.service):
            for name, resource in template["Resources"].items():
                properties = resource.get("Properties", {})
                # A function is named where it is mapped or allowed, and that name is a reference.
                fixed = {key for key in PHYSICAL_NAMES & set(properties) if isinstance(properties[key], str)}
                assert not fixed, name
    assert "Name" not in next(iter(prod.resources("AWS::SecretsManager::Secret").values()))
    assert prod.service_stack.stack_name == "Darkroom-prod-service"
    assert dev.data_stack.stack_name == "Darkroom-dev-data"


def test_each_function_is_told_the_settings_it_reads_and_no_other(prod: Synthesized) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert len(prod.resources("AWS::Lambda::Function")) == len(FUNCTIONS)
    for name, spec in FUNCTIONS.items():
        told = prod.function(name)["Environment"]["Variables"]
        expected = {f"DARKROOM_{setting.upper()}" for setting in spec.settings}
        expected.add(RELEASE_VARIABLE)
        assert {variable for variable in told if variable.startswith("DARKROOM_")} == expected, name
        assert told["POWERTOOLS_SERVICE_NAME"] == name
    told = prod.function("jobs_api")["Environment"]["Variables"]
    assert (told["DARKROOM_STAGE"], told["DARKROOM_VERSION"]) == ("prod", version)


def test_what_an_operator_chooses_reaches_the_functions(dev: Synthesized) -> None:
    told = dev.function("jobs_api")["Environment"]["Variables"]
    assert told["DARKROOM_ORIGINS"] == ",".join(ORIGINS)
    assert told["DARKROOM_RETENTION_DAYS"] == "7"


def test_the_environment_of_a_function_fits_into_what_lambda_takes() -> None:
    """4 KB for names and values together (Lambda quotas), with names, URLs and ARNs as long as AWS makes them."""
    longest = "https://sqs.ap-southeast-2.amazonaws.com/123456789012/Darkroom-production123456-service-" + 60 * "x"
    made = dict.fromkeys(Settings.model_fields.keys() - OperatorSettings.model_fields.keys(), longest)
    # CloudFormation's names of tables: the stack, the id in the template, and 14 characters.
    made |= {
        name: "Darkroom-production123456-data-PictureUses12345678-" + 14 * "X" for name in made if "_table" in name
    }
    queues = ",".join(f"undelivered|{longest}|{longest}" for _ in range(7))
    chosen = OperatorSettings(
        origins=tuple(f"https://panel-{number}.example.com" for number in range(10)),
        prices={f"ml.g{number}.48xlarge": 100.125 for number in range(55)},
        worker_image="123456789012.dkr.ecr.ap-southeast-2.amazonaws.com/darkroom/worker:" + 64 * "f",
    )
    settings = Settings.model_validate(
        {**made, **chosen.model_dump(), "package_engine": "diffusers", "dead_letter_queues": queues}
    )
    for name, spec in FUNCTIONS.items():
        environment = settings.environment(spec.settings) | {"POWERTOOLS_SERVICE_NAME": name}
        assert sum(len(key) + len(value) for key, value in environment.items()) < 4000, name


def test_each_function_keeps_its_import_name_its_own_log_and_role(prod: Synthesized) -> None:
    functions = [prod.function(name) for name in FUNCTIONS]
    assert {f["Runtime"] for f in functions} == {"python3.13"}
    assert {tuple(f["Architectures"]) for f in functions} == {("arm64",)}
    assert {f["TracingConfig"]["Mode"] for f in functions} == {"Active"}
    assert len({f["LoggingConfig"]["LogGroup"]["Ref"] for f in functions}) == len(FUNCTIONS)
    assert len({json.dumps(f["Role"]) for f in functions}) == len(FUNCTIONS)
    for log in prod.resources("AWS::Logs::LogGroup").values():
        assert log["RetentionInDays"] == 30


def test_the_local_stage_runs_on_the_interpreter_it_was_asked_for(local: Synthesized) -> None:
    assert local.function("jobs_api")["Runtime"] == f"python{local.stage.python}"
    assert local.function("jobs_api")["Architectures"] == [local.stage.architecture]


def test_an_event_that_cannot_be_taken_in_ends_in_a_queue_with_an_alarm(prod: Synthesized) -> None:
    queues = prod.resources("AWS::SQS::Queue")
    read = {name: queue for name, queue in queues.items() if "RedrivePolicy" in queue}
    readers = {
        "Events": "job_events",
        "Progress": "job_progress",
        "Imports": "checkpoint_imports",
        "Deletions": "job_deletions",
        "EndpointStates": "endpoint_events",
    }
    assert len(read) == len(readers)
    dead = set()
    for name, queue in read.items():
        (reader,) = (reader for construct, reader in readers.items() if name.startswith(construct))
        dead.add(queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0])
        assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
        assert queue["VisibilityTimeout"] >= 6 * prod.function(reader)["Timeout"]
    (subscription,) = prod.resources("AWS::SNS::Subscription").values()
    undelivered = subscription["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
    assert subscription["RawMessageDelivery"] is True
    assert undelivered not in dead
    alarmed = {
        dimension["Value"]["Fn::GetAtt"][0]
        for alarm in prod.resources("AWS::CloudWatch::Alarm").values()
        for dimension in alarm["Dimensions"]
        if dimension["Name"] == "QueueName"
    }
    (sweeps,) = (name for name in queues if name.startswith("SweepsDeadLetters"))
    assert alarmed == {*dead, undelivered, sweeps}
    for name in alarmed:
        assert queues[name]["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_the_endpoints_of_this_stage_alone_are_heard_of(prod: Synthesized) -> None:
    (rule,) = (rule for rule in prod.resources("AWS::Events::Rule").values() if "EventPattern" in rule)
    assert rule["EventPattern"] == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Endpoint State Change"],
        "detail": {"EndpointName": [{"prefix": "darkroom-prod-"}]},
    }
    (target,) = rule["Targets"]
    # An event that EventBridge cannot deliver lies where those lie that cannot be handled.
    assert target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0].startswith("EndpointStatesDeadLetters")


def test_the_sweeper_is_called_every_five_minutes_and_a_round_that_fails_is_kept(prod: Synthesized) -> None:
    rules = prod.resources("AWS::Events::Rule").values()
    (target,) = next(r["Targets"] for r in rules if r.get("ScheduleExpression") == "rate(5 minutes)")
    (sweeps,) = (name for name in prod.resources("AWS::SQS::Queue") if name.startswith("SweepsDeadLetters"))
    assert target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0] == sweeps
    function, _ = called(prod, target["Arn"])
    once = invoked_as(prod, function)
    assert once["MaximumRetryAttempts"] == 0
    assert once["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0] == sweeps
    assert "Live" in json.dumps(once["Qualifier"])
    assert prod.function("sweeper")["Timeout"] < 300


def test_the_scaler_is_called_every_minute_and_is_not_called_again_for_one_that_failed(prod: Synthesized) -> None:
    rules = prod.resources("AWS::Events::Rule").values()
    (target,) = next(r["Targets"] for r in rules if r.get("ScheduleExpression") == "rate(1 minute)")
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 0
    function, _ = called(prod, target["Arn"])
    assert "Scaler" in json.dumps(function)
    once = invoked_as(prod, function)
    assert once["MaximumRetryAttempts"] == 0
    assert "DestinationConfig" not in once
    # A round may wait for what is due before the next one, and ends by itself before the time limit.
    assert prod.function("scaler")["Timeout"] > EVERY_SECONDS + RESERVE_SECONDS + STEP_SECONDS


def test_an_alarm_rings_when_a_schedule_calls_nobody_any_more(prod: Synthesized) -> None:
    silent = [a for a in prod.resources("AWS::CloudWatch::Alarm").values() if a["MetricName"] == "Invocations"]
    assert [alarm["TreatMissingData"] for alarm in silent] == ["breaching", "breaching"]


def invoked_as(stage: Synthesized, function: dict[str, str]) -> dict[str, Any]:
    """How a function is called that nobody waits for."""
    configs = stage.resources("AWS::Lambda::EventInvokeConfig").values()
    return next(config for config in configs if config["FunctionName"] == function)


def called(stage: Synthesized, alias: dict[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """The function that a reference to an alias leads to, and the alias."""
    found = stage.resources("AWS::Lambda::Alias")[alias["Ref"]]
    return found["FunctionName"], found


def test_every_dead_letter_queue_can_be_looked_at(prod: Synthesized) -> None:
    queues = prod.resources("AWS::SQS::Queue")
    said = json.dumps(prod.function("dead_letters_api")["Environment"]["Variables"]["DARKROOM_DEAD_LETTER_QUEUES"])
    assert [name for name, queue in queues.items() if "RedrivePolicy" not in queue and name not in said] == []


def test_queues_are_encrypted_and_take_tls_only_like_the_topic(prod: Synthesized) -> None:
    assert {q["SqsManagedSseEnabled"] for q in prod.resources("AWS::SQS::Queue").values()} == {True}
    policies = prod.resources("AWS::SQS::QueuePolicy") | prod.resources("AWS::SNS::TopicPolicy")
    assert len(policies) == len(prod.resources("AWS::SQS::Queue")) + 1
    for policy in policies.values():
        denied = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert [s["Condition"] for s in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_a_failed_message_does_not_take_its_batch_with_it(prod: Synthesized) -> None:
    mappings = prod.resources("AWS::Lambda::EventSourceMapping").values()
    assert sorted(mapping["BatchSize"] for mapping in mappings) == [1, 1, 1, 10, 10]
    for mapping in mappings:
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["ScalingConfig"] == {"MaximumConcurrency": 10}


def test_every_function_has_an_alarm_and_so_has_the_api(prod: Synthesized) -> None:
    alarms = prod.resources("AWS::CloudWatch::Alarm").values()
    assert sum(alarm["MetricName"] == "Errors" for alarm in alarms) == len(FUNCTIONS) - 1
    # A refusal is an error of the authorizer's to Lambda, so anybody with a wrong key would ring its alarm.
    assert sum(alarm["MetricName"] == "5XXError" for alarm in alarms) == 1


def test_alarms_watch_metrics_that_the_sweeper_really_writes(prod: Synthesized) -> None:
    alarms = [a for a in prod.resources("AWS::CloudWatch::Alarm").values() if a["Namespace"] == METRICS]
    watched = {a["MetricName"]: {d["Name"]: d["Value"] for d in a["Dimensions"]} for a in alarms}
    of_endpoints = {"stage": "prod", "round": "endpoints"}
    # The one of the dispatcher is tested where it is written (tests/integration/test_answers_elsewhere.py).
    assert watched.pop("answers_elsewhere") == {"stage": "prod"}
    # That of the waker likewise (tests/integration/test_scaler.py).
    assert watched.pop("instances_refused") == {"stage": "prod"}
    assert watched == {"idle": of_endpoints, "failed_endpoints": of_endpoints}
    with moto_stage(), written() as lines:
        sweep({}, Context())
    told = {line["round"]: line for line in lines if "_aws" in line}["endpoints"]
    (declared,) = told["_aws"]["CloudWatchMetrics"]
    assert declared["Namespace"] == METRICS
    assert set(watched) <= {entry["Name"] for entry in declared["Metrics"]}
    for dimensions in watched.values():
        assert [set(dimensions)] == [set(names) for names in declared["Dimensions"]]


def test_every_route_is_behind_the_authorizer(prod: Synthesized) -> None:
    (gate,) = prod.resources("AWS::ApiGateway::Authorizer")
    methods = list(prod.resources("AWS::ApiGateway::Method").values())
    assert len(methods) == len(ROUTES)
    for method in methods:
        assert (method["AuthorizationType"], method["AuthorizerId"]) == ("CUSTOM", {"Ref": gate})
    authorizer = prod.resources("AWS::ApiGateway::Authorizer")[gate]
    assert authorizer["IdentitySource"] == "method.request.header.Authorization"
    # What the gateway remembers and what the authorizer remembers end before a minute is over.
    assert authorizer["AuthorizerResultTtlInSeconds"] + ADMIN_SECONDS < 60


def test_preflights_are_answered_for_stated_origins_only(dev: Synthesized) -> None:
    preflights = [m for m in dev.resources("AWS::ApiGateway::Method").values() if m["HttpMethod"] == "OPTIONS"]
    assert preflights
    for method in preflights:
        said = json.dumps(method["Integration"])
        assert all(origin in said for origin in ORIGINS)
        assert "Allow-Origin\": \"'*'" not in said


def test_the_access_log_is_json_without_paths_or_query_strings(prod: Synthesized) -> None:
    (stage,) = prod.resources("AWS::ApiGateway::Stage").values()
    line = json.loads(stage["AccessLogSetting"]["Format"])
    assert line["request_id"] == "$context.requestId"
    assert line["route"] == "$context.resourcePath"
    assert not {"$context.path", "$context.requestOverride.querystring"} & set(line.values())
    assert stage["TracingEnabled"] is True
    (settings,) = stage["MethodSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (50, 100)
    assert settings["DataTraceEnabled"] is False


@pytest.mark.parametrize("kind", sorted(PROBLEMS))
def test_a_refusal_of_the_gateway_is_a_problem_like_any_other(prod: Synthesized, kind: str) -> None:
    (response,) = (r for r in prod.resources("AWS::ApiGateway::GatewayResponse").values() if r["ResponseType"] == kind)
    body = json.loads(response["ResponseTemplates"]["application/json"])
    assert set(body) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert str(body["status"]) == response["StatusCode"]
    assert body["type"] == f"urn:darkroom:problem:{body['code']}"
    assert body["request_id"] == "$context.requestId"
    headers = response["ResponseParameters"]
    assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
    # Whatever is worth sending again says when.
    again = body["status"] == 429 or body["status"] >= 500
    assert ("gatewayresponse.header.Retry-After" in headers) == again


def test_pages_of_stated_origins_can_read_why_the_gateway_refused(
    prod: Synthesized, dev: Synthesized, strict: Synthesized
) -> None:
    def header(stage: Synthesized, name: str) -> set[str | None]:
        responses = stage.resources("AWS::ApiGateway::GatewayResponse").values()
        return {r["ResponseParameters"].get(f"gatewayresponse.header.Access-Control-{name}") for r in responses}

    assert header(prod, "Allow-Origin") == {None}
    assert header(dev, "Allow-Origin") == {"'*'"}
    assert header(strict, "Allow-Origin") == {f"'{ORIGINS[0]}'"}
    assert header(prod, "Expose-Headers") == {None}
    assert header(dev, "Expose-Headers") == {"'Retry-After, x-amzn-RequestId'"}


def test_no_answer_of_the_gateway_is_left_to_a_default() -> None:
    """All of "Gateway response types" in the API Gateway Developer Guide."""
    expected = {
        "ACCESS_DENIED": 403,
        "API_CONFIGURATION_ERROR": 500,
        "AUTHORIZER_CONFIGURATION_ERROR": 500,
        "AUTHORIZER_FAILURE": 503,
        "BAD_REQUEST_BODY": 400,
        "BAD_REQUEST_PARAMETERS": 400,
        "DEFAULT_4XX": 400,
        "DEFAULT_5XX": 500,
        "EXPIRED_TOKEN": 401,
        "INTEGRATION_FAILURE": 504,
        "INTEGRATION_TIMEOUT": 504,
        "INVALID_API_KEY": 401,
        "INVALID_SIGNATURE": 401,
        "MISSING_AUTHENTICATION_TOKEN": 404,
        "QUOTA_EXCEEDED": 429,
        "REQUEST_TOO_LARGE": 413,
        "RESOURCE_NOT_FOUND": 404,
        "THROTTLED": 429,
        "UNAUTHORIZED": 401,
        "UNSUPPORTED_MEDIA_TYPE": 415,
        "WAF_FILTERED": 403,
    }
    assert {kind: problem.status for kind, problem in PROBLEMS.items()} == expected


def test_the_outputs_name_what_the_panel_and_the_worker_need(prod: Synthesized) -> None:
    assert set(prod.service["Outputs"]) == {
        "ApiUrl",
        "ApiId",
        "ApiStage",
        "EventsQueueUrl",
        "ProgressQueueUrl",
        "ResultsTopicArn",
        "WorkerRoleArn",
        "InstanceType",
        "PageUrl",
        "PageDistribution",
    }
    assert prod.service["Outputs"]["InstanceType"]["Value"] == "ml.g5.xlarge"


def test_everything_that_takes_tags_says_its_stage(prod: Synthesized) -> None:
    tagged = [f["Tags"] for f in prod.resources("AWS::Lambda::Function").values()]
    assert all({"Key": "darkroom:stage", "Value": "prod"} in tags for tags in tagged)
