"""moto as our tests use it: AWS in memory, one call of DynamoDB at a time, without some work that moto does in vain."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from threading import Lock
from typing import Any
from unittest.mock import patch

from moto import mock_aws
from moto.core import responses
from moto.core.base_backend import BaseBackend
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.utils import method_names_from_class

_DYNAMODB = Lock()
_answer = BotocoreStubber.__call__
_urls_of: Any = BaseBackend.urls.fget  # type: ignore[attr-defined]
_urls: dict[type[BaseBackend], Any] = {}


def _one_by_one(stubber: BotocoreStubber, event_name: str, request: Any, **more: Any) -> Any:
    """moto's answer to a call. Calls of DynamoDB have it one after the other: a transaction that fails puts all tables
    back to what they were before it, so that moto would forget what another thread wrote meanwhile."""
    with _DYNAMODB if event_name.startswith("before-send.dynamodb.") else nullcontext():
        return _answer(stubber, event_name, request, **more)


def _urls_once(backend: BaseBackend) -> Any:
    """The URLs that a service answers at. moto finds them anew for each call, and loads modules again for S3's, because
    an environment variable may have changed; none does here."""
    kind = type(backend)
    if kind not in _urls:
        _urls[kind] = _urls_of(backend)
    return _urls[kind]


@contextmanager
def mocked_aws() -> Iterator[None]:
    """AWS in memory, new and empty, for as long as the block lasts."""
    with (
        mock_aws(),
        patch.object(BotocoreStubber, "__call__", _one_by_one),
        patch.object(BaseBackend, "urls", property(_urls_once)),
        # Another search that every call repeats.
        patch.object(responses, "method_names_from_class", cache(method_names_from_class)),
    ):
        yield
