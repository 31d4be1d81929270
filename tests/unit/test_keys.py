"""Who gets in: a key by its hash, the first admin key from its secret, and nobody else."""

import pytest

from darkroom.keys.model import Caller, digest
from darkroom.keys.service import ADMIN_SECONDS, Gate

KEY = "a-key-of-sixteen-or-more"
ADMIN = "the-admin-secret-of-this-stage"


class Keys:
    def find(self, found: str) -> Caller | None:
        return Caller("alice", "artist") if found == digest(KEY) else None


class Secret:
    def __init__(self) -> None:
        self.value: str | None = ADMIN
        self.reads = 0

    def read(self) -> str | None:
        self.reads += 1
        return self.value


def test_a_key_is_its_owner_and_the_secret_is_the_admin() -> None:
    gate = Gate(Keys(), Secret())
    assert gate.caller(f"Bearer {KEY}") == Caller("alice", "artist")
    assert gate.caller(f"bearer   {KEY} ") == Caller("alice", "artist")
    assert gate.caller(f"Bearer {ADMIN}") == Caller("admin", "admin")


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", KEY, f"Basic {KEY}", "Bearer short", f"Bearer {KEY}x", "Bearer " + "é" * 20],
)
def test_anything_else_is_nobody(header: str | None) -> None:
    assert Gate(Keys(), Secret()).caller(header) is None


def test_wrong_keys_cost_no_call_for_the_secret_and_a_rotated_one_is_good_within_a_minute() -> None:
    secret, now = Secret(), [0.0]
    gate = Gate(Keys(), secret, clock=lambda: now[0])
    for number in range(10):
        gate.caller(f"Bearer wrong-key-number-{number}")
    assert secret.reads == 1
    secret.value = "another-secret-of-this-stage"
    now[0] = ADMIN_SECONDS + 1
    assert gate.caller(f"Bearer {ADMIN}") is None
    assert gate.caller(f"Bearer {secret.value}") == Caller("admin", "admin")


def test_a_stage_without_a_secret_lets_nobody_in_as_admin() -> None:
    secret = Secret()
    secret.value = None
    assert Gate(Keys(), secret).caller(f"Bearer {ADMIN}") is None
