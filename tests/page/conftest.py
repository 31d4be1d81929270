"""One stack for all stories of the page, a person with a key of their own for each, and a browser that is watched.

    def test_a_story(page: Page, api: Darkroom, stack: Running) -> None:

`page` is signed in as an artist who has done nothing yet; `admin_page` as an admin. `api` is a client with the key of
`page`. A test fails when its page writes an error, breaks its policy, or sends a request to a strange place; what it
brings about itself it says by `watch.expect("status of 404")`.

`DARKROOM_PAGE_HOME=<folder>` keeps the stack running in this folder between runs. Pictures of pages whose test failed
lie in `.build/page-failures`.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from darkroom_client import Darkroom, keys
from local import stack as local_stack
from local.home import ROOT, Home
from tests.e2e.conftest import Running, aws
from tests.e2e.logs import leaks
from tests.page.browser import HEIGHT, KEY, WIDTHS, Watch, shot
from tests.support.chromium import PATIENCE, chromium

FAILURES = ROOT / ".build" / "page-failures"
_numbers = itertools.count(1)
_secrets: list[str] = []


@dataclass(frozen=True)
class Person:
    """Somebody with a key."""

    owner: str
    role: str
    key: str


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The folder of the stack. At the end no log holds a key, a signed link or a prompt of these stories."""
    os.environ.setdefault("DARKROOM_LOG_LEVEL", "DEBUG")
    given = os.environ.get("DARKROOM_PAGE_HOME")
    home = Home(Path(given)) if given else Home(tmp_path_factory.mktemp("darkroom"))
    home.path.mkdir(parents=True, exist_ok=True)
    yield home
    running = local_stack.running(home)
    told = leaks(home, aws("logs", running.aws), _secrets) if running else []
    if not given:
        local_stack.down(home)
    assert told == []


@pytest.fixture(scope="session")
def running(home: Home) -> Iterator[Running]:
    """The stack, and a client with the first admin's key."""
    started = local_stack.up(home, print)
    key = home.key_file.read_text()
    _secrets.append(key)
    with Darkroom(started.api, key) as client:
        yield Running(home, started, client, key)


@pytest.fixture
def stack(running: Running) -> Iterator[Running]:
    """The stack. `stack.knobs(...)` turns the simulator's knobs for one test; `stack.stack.page` is the address of the
    page, `stack.client` the admin's client."""
    running.knobs()
    yield running
    running.knobs()


@pytest.fixture
def person(stack: Running) -> Callable[[str], Person]:
    """Makes a person of a role (viewer, artist, admin) who has done nothing yet."""

    def make(role: str = "artist") -> Person:
        owner = f"{role}-{os.getpid()}-{next(_numbers)}"
        made = keys.create(stack.client, {"name": owner, "role": role})
        _secrets.append(made["secret"])
        return Person(owner, role, made["secret"])

    return make


@pytest.fixture
def artist(person: Callable[[str], Person]) -> Person:
    """Who looks at `page`."""
    return person("artist")


@pytest.fixture
def api(stack: Running, artist: Person) -> Iterator[Darkroom]:
    """A client with the key of `page`."""
    with Darkroom(stack.stack.api, artist.key) as client:
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as playwright:
        started = chromium(playwright)
        yield started
        started.close()


@pytest.fixture
def watch(stack: Running, artist: Person) -> Watch:
    """What happens in the pages of this test beside what it looks at."""
    return Watch((stack.stack.page, stack.stack.aws), artist.key)


Opened = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, stack: Running, watch: Watch, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens a page in a browser profile of its own: `opened(key, "#/history", width=360, color_scheme="dark",
    has_touch=True, locale="ja")`. Without a key the person is not signed in. Words beside width and height are
    those of Playwright's `new_context`. `storage` is put into localStorage."""
    contexts: list[BrowserContext] = []

    def open_(
        key: str | None = None,
        where: str = "",
        *,
        width: int = WIDTHS[-1],
        height: int = HEIGHT,
        storage: dict[str, str] | None = None,
        **settings: Any,
    ) -> Page:
        chosen = {"locale": "en-US", "timezone_id": "UTC", "reduced_motion": "reduce", **settings}
        context = browser.new_context(viewport={"width": width, "height": height}, **chosen)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        for name, value in (storage or {}).items():
            context.add_init_script(f"localStorage.setItem({name!r}, {value!r})")
        if key:
            context.add_init_script(f"sessionStorage.setItem({KEY!r}, {key!r})")
        page = watch.over(context.new_page())
        page.goto(f"{stack.stack.page}/{where}")
        return page

    yield open_
    if request.node.stash.get(_FAILED, False):
        for number, page in enumerate(page for context in contexts for page in context.pages):
            print(f"The page as it was: {shot(page, FAILURES, f'{request.node.name}-{number}')}")
    for context in contexts:
        context.close()
    assert watch.unexpected() == []


@pytest.fixture
def page(opened: Opened, artist: Person) -> Page:
    """The page, 1280 pixels wide, as an artist sees it who has done nothing yet."""
    return opened(artist.key)


@pytest.fixture
def admin_page(opened: Opened, person: Callable[[str], Person]) -> Page:
    """The page as an admin sees it, with the jobs of all people."""
    return opened(person("admin").key)


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note that a test failed, so that its page is photographed."""
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        item.stash[_FAILED] = True
    return report
