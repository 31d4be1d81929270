"""docs/openapi.json describes what the handlers do; `make openapi` writes it."""

import json
import pkgutil
import re
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError, create_model

import darkroom
from darkroom.edge.http import Api
from darkroom.edge.openapi import document
from functions.openapi import text
from infra.functions import ROUTES
from local.home import ROOT

COMMITTED = (ROOT / "docs" / "openapi.json").read_text()


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    paths = json.loads(COMMITTED)["paths"]
    return [(method, path, operation) for path, item in paths.items() for method, operation in item.items()]


def test_the_committed_document_is_the_one_of_the_handlers() -> None:
    assert text() == COMMITTED, "run `make openapi` and look at what changed"


def example() -> None:
    """A route."""


def test_a_new_route_changes_the_document() -> None:
    api = Api(origins=lambda: ())
    api.get("/new")(example)
    with_new = document([api])
    assert "/new" in with_new["paths"]
    assert "/new" not in json.loads(COMMITTED)["paths"]


def test_two_groups_with_one_route_are_an_error() -> None:
    first, second = Api(origins=lambda: ()), Api(origins=lambda: ())
    first.get("/same")(example)
    second.get("/same")(example)
    with pytest.raises(Exception, match="/same"):
        document([first, second])


def test_two_groups_with_different_models_of_one_name_are_an_error() -> None:
    first, second = Api(origins=lambda: ()), Api(origins=lambda: ())
    for api, path, kind in ((first, "/first", int), (second, "/second", str)):
        model = create_model("Same", field=kind)

        def answer() -> Any:
            """A route."""

        answer.__annotations__["return"] = model
        api.get(path)(answer)
    with pytest.raises(ValueError, match="different models called Same"):
        document([first, second])


def test_every_route_of_the_document_leads_to_a_function() -> None:
    for _, path, _ in operations():
        group = "/" + path.split("/")[1]
        assert path in ROUTES or f"{group}/{{proxy+}}" in ROUTES


def test_every_operation_names_its_problems() -> None:
    for method, path, operation in operations():
        assert {"401", "500", "503"} <= set(operation["responses"]), f"{method} {path}"
        for code, response in operation["responses"].items():
            if int(code) >= 400:
                assert list(response["content"]) == ["application/problem+json"]


def bodies() -> list[type[BaseModel]]:
    """Every model of a request body, except the WebUI's own parameters, which may have unknown fields."""
    features = [module.name for module in pkgutil.iter_modules(darkroom.__path__) if module.ispkg]
    modules = [import_module(f"darkroom.{name}.api") for name in features if find_spec(f"darkroom.{name}.api")]
    models = {model for module in modules for model in vars(module).values() if isinstance(model, type)}
    closed = [model for model in models if issubclass(model, BaseModel) and model.model_config.get("extra") == "forbid"]
    return sorted(closed, key=lambda model: model.__name__)


def rejected_fields(model: type[BaseModel], body: dict[str, object]) -> set[int | str]:
    """The fields that are invalid or missing."""
    try:
        model.model_validate(body)
    except ValidationError as error:
        return {problem["loc"][0] for problem in error.errors()}
    return set()


@pytest.mark.parametrize("model", bodies())
def test_a_number_in_a_body_may_not_be_a_text_or_a_boolean(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        if re.search(r"\bint\b", str(field.annotation)):
            allowed = next(number for number in (16, 4) if name not in rejected_fields(model, {name: number}))
            assert name in rejected_fields(model, {name: True}) & rejected_fields(model, {name: str(allowed)})


def test_whatever_can_be_refused_for_its_state_or_its_idempotency_key_says_so() -> None:
    for method, path, operation in operations():
        answers = operation["responses"]
        assert ("409" in answers) == (method != "get"), f"{method} {path}"
        if any(each["name"].lower() == "idempotency-key" for each in operation.get("parameters", ())):
            assert "422" in answers, f"{method} {path}"


@pytest.mark.parametrize("model", bodies())
def test_a_pattern_that_refuses_a_text_stands_in_the_document(model: type[BaseModel]) -> None:
    properties = model.model_json_schema()["properties"]
    for name in model.model_fields:
        for value in ("\x1f", ["\x1f"]):
            try:
                model.model_validate({name: value})
            except ValidationError as error:
                problems = [each for each in error.errors() if each["loc"][0] == name]
                if "string_pattern_mismatch" in {each["type"] for each in problems}:
                    assert '"pattern"' in json.dumps(properties[model.model_fields[name].alias or name]), name
