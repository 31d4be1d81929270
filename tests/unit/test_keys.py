"""Who gets in: a key by its hash, the first admin key from its secret, and nobody else. And how keys are made."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from darkroom.errors import Busy, Conflict, DarkroomError, Invalid, Malformed, Missing
from darkroom.idempotency import IDEMPOTENCY_SECONDS, Idempotency
from darkroom.keys.api import KeyIn, KeyMade, LimitsIn
from darkroom.keys.model import Caller, Key, Limits, digest, hour_of
from darkroom.keys.ports import IdempotencyRecord, KeyWrite, Listed
from darkroom.keys.service import ADMIN_SECONDS, DEFAULT_DAYS, Authenticator, Keys

KEY = "a-key-of-sixteen-or-more"
ADMIN = "the-admin-secret-of-this-stage"
NOW = datetime(2026, 3, 4, 5, 30, tzinfo=UTC).timestamp()
DAY = 86_400


class Store:
    """The keys table in memory."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.names: dict[str, frozenset[str]] = {}
        self.records: dict[str, IdempotencyRecord] = {}
        self.notes: list[str] = []
        self.notable = True
        self.contended = 0

    def find(self, digest: str) -> Key | None:
        return self.keys.get(digest)

    def note_use(self, digest: str, hour: str) -> None:
        if not self.notable:
            raise RuntimeError("the table is busy")
        self.notes.append(hour)
        self.keys[digest] = replace(self.keys[digest], last_used=hour)

    def held(self, name: str) -> frozenset[str]:
        return self.names.get(name, frozenset())

    def add(self, write: KeyWrite, used: Idempotency | None) -> bool:
        if self.contended:
            self.contended -= 1
            return False
        assert write.held == self.held(write.key.name)
        self._write(write)
        if used:
            self.records[used.row_id] = IdempotencyRecord(used.digest, write.digest, used.expires_at)
        return True

    def idempotency_record(self, row_id: str) -> IdempotencyRecord | None:
        return self.records.get(row_id)

    def renew(self, write: KeyWrite, record: IdempotencyRecord, used: Idempotency) -> bool:
        if self.contended:
            self.contended -= 1
            return False
        assert self.records[used.row_id] == record
        del self.keys[record.key]
        self._write(write)
        self.records[used.row_id] = replace(record, key=write.digest)
        return True

    def _write(self, write: KeyWrite) -> None:
        assert write.until >= write.key.expires_at
        self.keys[write.digest] = write.key
        self.names[write.key.name] = write.holds

    def page(self, before: str | None, limit: int) -> Listed:
        return Listed(sorted(self.keys.values(), key=lambda key: key.id, reverse=True)[:limit], None)

    def remove(self, key_id: str) -> bool:
        gone = [found for found, key in self.keys.items() if key.id == key_id]
        for found in gone:
            del self.keys[found]
        return bool(gone)


class Secret:
    def __init__(self) -> None:
        self.value: str | None = ADMIN
        self.reads = 0

    def read(self) -> str | None:
        self.reads += 1
        return self.value


@pytest.fixture
def store() -> Store:
    made = Store()
    limits = Limits(open_jobs=3)
    made.keys[digest(KEY)] = Key("k-1", "alice", "artist", "a-key-of", "", int(NOW) + 60, limits=limits)
    return made


def authenticator(store: Store, secret: Secret | None = None, now: float = NOW) -> Authenticator:
    return Authenticator(store, secret or Secret(), clock=lambda: now)


def test_a_key_is_its_owner_and_the_secret_is_the_admin(store: Store) -> None:
    alice = Caller("alice", "artist", "k-1", Limits(open_jobs=3))
    assert authenticator(store).caller(f"Bearer {KEY}") == alice
    assert authenticator(store).caller(f"bearer   {KEY} ") == alice
    assert authenticator(store).caller(f"Bearer {ADMIN}") == Caller("admin", "admin", "admin")


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", KEY, f"Basic {KEY}", "Bearer short", f"Bearer {KEY}x", "Bearer " + "é" * 20],
)
def test_anything_else_is_nobody(store: Store, header: str | None) -> None:
    assert authenticator(store).caller(header) is None


def test_an_expired_key_is_nobody_from_that_second_on(store: Store) -> None:
    assert authenticator(store, now=NOW + 59).caller(f"Bearer {KEY}")
    assert authenticator(store, now=NOW + 60).caller(f"Bearer {KEY}") is None


def test_the_use_of_a_key_is_noted_once_an_hour_and_never_stands_in_its_way(store: Store) -> None:
    store.keys[digest(KEY)] = replace(store.keys[digest(KEY)], expires_at=int(NOW) + DAY)
    for later in (0, 60, 1799, 1800):
        assert authenticator(store, now=NOW + later).caller(f"Bearer {KEY}")
    assert store.notes == ["2026-03-04T05:00:00Z", "2026-03-04T06:00:00Z"]
    store.notable = False
    assert authenticator(store, now=NOW + 2 * 3600).caller(f"Bearer {KEY}")


def test_wrong_keys_cost_no_call_for_the_secret_and_a_rotated_one_is_good_in_seconds(store: Store) -> None:
    secret, now = Secret(), [0.0]
    made = Authenticator(store, secret, monotonic=lambda: now[0])
    for number in range(10):
        made.caller(f"Bearer wrong-key-number-{number}")
    assert secret.reads == 1
    secret.value = "another-secret-of-this-stage"
    now[0] = ADMIN_SECONDS + 1
    assert made.caller(f"Bearer {ADMIN}") is None
    assert made.caller(f"Bearer {secret.value}") == Caller("admin", "admin", "admin")


def test_a_stage_without_a_secret_lets_nobody_in_as_admin(store: Store) -> None:
    secret = Secret()
    secret.value = None
    assert authenticator(store, secret).caller(f"Bearer {ADMIN}") is None


def create(store: Store, now: float = NOW, **more: object) -> KeyMade:
    asked = {"name": "bob", "role": "artist", **more}
    return Keys(store, clock=lambda: now).create(KeyIn.model_validate(asked))


def refusal(store: Store, now: float = NOW, **more: object) -> tuple[type[DarkroomError], str]:
    with pytest.raises(DarkroomError) as refused:
        create(store, now, **more)
    return type(refused.value), refused.value.code


def test_the_secret_is_told_once_and_only_its_hash_is_kept(store: Store) -> None:
    made = create(store, limits=LimitsIn(requests_per_minute=5).model_dump())
    assert len(made.secret) >= 43
    assert made.secret.startswith(made.prefix)
    assert made.secret not in repr(store.keys) + repr(store.names)
    caller = authenticator(store).caller(f"Bearer {made.secret}")
    assert caller == Caller("bob", "artist", made.id, Limits(requests_per_minute=5))
    listed = Keys(store).page(None, 10).model_dump_json()
    assert made.id in listed
    assert made.secret not in listed
    assert create(store).secret != made.secret


def test_a_key_ends_when_it_was_said_and_after_a_year_when_nothing_was(store: Store) -> None:
    assert create(store, days=2).expires_at == "2026-03-06T05:30:00Z"
    assert create(store, expires_at="2026-03-05T01:00:00+01:00").expires_at == "2026-03-05T00:00:00Z"
    year = datetime.fromtimestamp(NOW + DEFAULT_DAYS * DAY, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert create(store, name="carol").expires_at == year


@pytest.mark.parametrize(
    "expiry",
    [
        {"expires_at": "2026-03-04T05:30:00Z"},
        {"expires_at": "2046-01-01T00:00:00Z"},
        {"expires_at": "2026-03-05T00:00:00Z", "days": 3},
    ],
)
def test_an_end_that_makes_no_sense_is_refused_and_nothing_is_written(store: Store, expiry: dict[str, Any]) -> None:
    assert refusal(store, NOW, **expiry) == (Invalid, "invalid_request")
    assert len(store.keys) == 1


def test_a_name_has_two_valid_keys_and_no_third(store: Store) -> None:
    first = create(store, days=1)
    create(store, days=9)
    assert refusal(store) == (Conflict, "key_limit_reached")
    assert len(store.keys) == 3
    # Other names are none of its business, and an expired or a withdrawn key makes room.
    create(store, name="carol")
    after = NOW + 1 * DAY
    third = create(store, after)
    assert refusal(store, after) == (Conflict, "key_limit_reached")
    Keys(store).delete(third.id)
    create(store, after)
    assert first.id in {key.id for key in store.keys.values()}


def test_keys_of_one_name_are_of_one_role_while_they_are_valid(store: Store) -> None:
    create(store, days=1)
    assert refusal(store, role="admin") == (Conflict, "key_role_differs")
    assert create(store, NOW + 1 * DAY, role="admin").role == "admin"
    # The first admin key is always valid, and its name is admin.
    assert refusal(store, name="admin", role="viewer") == (Conflict, "key_role_differs")
    assert create(store, name="admin", role="admin").name == "admin"


def test_two_who_make_a_key_for_one_name_at_once_do_not_overtake_each_other(store: Store) -> None:
    store.contended = 2
    assert create(store).name == "bob"
    store.contended = 100
    assert refusal(store, name="carol") == (Busy, "keys_busy")


def create_once(store: Store, now: float = NOW, key: str = "try-1", **more: object) -> tuple[KeyMade, bool]:
    request = KeyIn.model_validate({"name": "bob", "role": "artist", **more})
    return Keys(store, clock=lambda: now).create_once("admin", request, key)


def test_a_repeat_finds_the_same_key_with_a_new_secret_for_a_day(store: Store) -> None:
    first, new = create_once(store, days=9)
    again, new_again = create_once(store, NOW + 60, days=9)
    assert (new, new_again) == (True, False)
    secrets = {"secret", "prefix"}
    assert again.model_dump(exclude=secrets) == first.model_dump(exclude=secrets)
    assert again.secret.startswith(again.prefix)
    tell = authenticator(store)
    assert tell.caller(f"Bearer {first.secret}") is None
    assert tell.caller(f"Bearer {again.secret}") == Caller("bob", "artist", first.id)
    assert store.names["bob"] == {digest(again.secret)}
    # A day after the first request, whatever came since, the same header makes a key of its own.
    assert create_once(store, NOW + IDEMPOTENCY_SECONDS - 1, days=9)[0].id == first.id
    assert create_once(store, NOW + IDEMPOTENCY_SECONDS, days=9)[0].id != first.id


def test_a_repeat_leaves_the_other_key_of_its_name_alone(store: Store) -> None:
    other = create(store, days=3)
    create_once(store)
    again, _ = create_once(store)
    assert store.names["bob"] == {digest(other.secret), digest(again.secret)}
    assert refusal(store) == (Conflict, "key_limit_reached")


def test_a_repeat_of_a_key_that_has_expired_makes_no_other(store: Store) -> None:
    create_once(store, expires_at="2026-03-04T06:00:00Z")
    with pytest.raises(Conflict, match="key_withdrawn"):
        create_once(store, NOW + 3600, expires_at="2026-03-04T06:00:00Z")


def test_a_repeat_while_other_keys_of_the_name_are_made_tries_again_and_then_gives_up(store: Store) -> None:
    first, _ = create_once(store)
    store.contended = 2
    assert create_once(store)[0].id == first.id
    store.contended = 100
    with pytest.raises(Busy, match="keys_busy"):
        create_once(store)


def test_what_is_no_key_cannot_be_withdrawn(store: Store) -> None:
    keys = Keys(store)
    for key_id in ("nope", "01900000-0000-7000-8000-000000000000", "admin", "name#bob"):
        with pytest.raises(Missing, match="key_not_found"):
            keys.delete(key_id)
    with pytest.raises(Malformed):
        keys.page("nope", 10)


def test_hours_are_utc() -> None:
    assert hour_of(NOW + 1799) == "2026-03-04T05:00:00Z"
