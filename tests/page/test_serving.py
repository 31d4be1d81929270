"""The page as it is served: its files and headers, the API on the same origin, and a policy that holds."""

import os
import re
import subprocess
import sys

from playwright.sync_api import Page, expect

from darkroom_client import Darkroom
from layers.page import headers
from local.home import ROOT
from tests.e2e.conftest import Running, http, txt2img
from tests.e2e.logs import lines
from tests.page.browser import WIDTHS, Watch, cut_off, violations
from tests.page.conftest import Opened, Person


def test_the_files_are_kept_for_ever_and_the_page_that_names_them_never(stack: Running) -> None:
    index = http().get(f"{stack.stack.page}/")
    assert index.headers["Cache-Control"] == "no-cache"
    assert index.headers["Content-Type"].startswith("text/html")
    (script,) = [word for word in index.text.split('"') if word.startswith("/assets/") and word.endswith(".js")]
    assert http().get(stack.stack.page + script).headers["Cache-Control"] == headers.FOREVER
    again = http().get(f"{stack.stack.page}/", headers={"If-None-Match": index.headers["ETag"]})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "no-cache")


BROKEN = """() => {
    window.broken = [];
    addEventListener("securitypolicyviolation", (event) => window.broken.push(event.effectiveDirective));
}"""
FETCH = "(address) => fetch(address, { mode: 'no-cors' }).then(() => 'sent', () => 'refused')"
SCRIPT = """(text) => {
    const script = document.createElement("script");
    script.append(text);
    document.body.append(script);
}"""
MARKUP = "(text) => { try { document.body.innerHTML = text; return 'taken'; } catch { return 'refused'; } }"


def test_the_policy_holds_in_the_browser(page: Page, stack: Running, watch: Watch) -> None:
    """A script that somebody smuggled in does nothing, no markup is made of text, and nothing leaves for a foreign
    place: a bucket of somebody else is one, the two buckets of this stage are none."""
    watch.expect("Content Security Policy|Trusted(Script|HTML)|a request to http://localhost|status of 40[34]")
    expect(page.get_by_role("tab").first).to_be_visible()
    page.evaluate(BROKEN)

    def broken() -> list[str]:
        told: list[str] = page.evaluate("() => window.broken.splice(0)")
        return told

    page.evaluate(SCRIPT, "window.smuggled = true")
    assert page.evaluate("() => window.smuggled") is None
    assert broken()
    assert page.evaluate(MARKUP, "<img src=x onerror='window.smuggled = true'>") == "refused"
    assert broken() == ["require-trusted-types-for"]
    # It is there and answers everybody: by its other name it is a foreign place.
    elsewhere = stack.stack.aws.replace("127.0.0.1", "localhost")
    for address in (f"{elsewhere}/_ministack/health", f"{stack.stack.aws}/somebodys-bucket/x"):
        assert page.evaluate(FETCH, address) == "refused"
        assert broken() == ["connect-src"]
    for bucket in ("PicturesBucket", "ModelsBucket"):
        assert page.evaluate(FETCH, f"{stack.stack.aws}/{stack.stack.outputs[bucket]}/x") == "sent"
    assert broken() == []


def test_axe_and_the_widths_are_looked_at(opened: Opened, artist: Person) -> None:
    for width in WIDTHS:
        page = opened(artist.key, width=width)
        expect(page.get_by_role("tab").first).to_be_visible()
        assert violations(page) == []
        assert cut_off(page) == []


def test_another_page_gets_nothing_from_a_bucket_without_a_link(stack: Running, api: Darkroom) -> None:
    """Any origin may use a signed link and read the ETag of a part; the bucket itself answers nobody."""
    job = api.settled(api.submit(txt2img(width=64, height=64))["id"], 120)
    link = job["images"][0]["url"]
    elsewhere = {"Origin": "https://elsewhere.example"}
    seen = http().get(link, headers=elsewhere)
    assert seen.status_code == 200
    assert seen.headers["Access-Control-Allow-Origin"] == "*"
    assert "etag" in seen.headers["Access-Control-Expose-Headers"].lower()
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
    for bucket in ("PicturesBucket", "ModelsBucket"):
        address = f"{stack.stack.aws}/{stack.stack.outputs[bucket]}/models/x"
        assert http().options(address, headers=elsewhere | asked).headers["Access-Control-Allow-Origin"] == "*"
        for address in (link.partition("?")[0], f"{stack.stack.aws}/{stack.stack.outputs[bucket]}"):
            assert http().get(address, headers=elsewhere).status_code == 403


def test_the_key_stands_in_no_address_and_in_no_log(
    opened: Opened, artist: Person, watch: Watch, stack: Running
) -> None:
    """A person enters the key, works, keeps it on the device, and comes back."""
    page = opened(None, "#/history")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Key", exact=True).fill(artist.key)
    dialog.get_by_label("Keep on this device").check()
    dialog.get_by_role("button", name="Enter").click()
    expect(dialog).to_have_count(0)
    for view in ("Endpoints", "Models", "txt2img"):
        page.get_by_role("tab", name=view, exact=True).first.click()
    page.reload()
    expect(page.get_by_role("tab", name="txt2img", exact=True).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(dialog).to_have_count(0)
    assert artist.key not in page.url
    # The watch looks at the address of every request.
    assert not watch.unexpected()
    told = [(log, line) for log, line in lines(stack.home, stack.aws("logs")) if artist.key in line]
    assert told == []
    assert artist.key in page.evaluate("() => Object.values(localStorage).join()")


def test_the_commands_tell_where_the_page_is(stack: Running) -> None:
    environment = {**os.environ, "DARKROOM_HOME": str(stack.home.path)}

    def local(command: str) -> str:
        done = subprocess.run(  # noqa: S603 - the command is our own
            [sys.executable, "-m", "local", command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    address = f"{stack.stack.page} "
    assert address.strip() in local("status")
    assert f"page     {address}" in local("up")
    told = local("demo")
    assert f"look at them in the browser: {address}" in told
    labels = re.findall(r"  (\S+->\S+)", told)
    assert len(labels) == 3
    shown = http().get(f"{stack.stack.page}/api/jobs?limit=3", headers={"Authorization": f"Bearer {stack.key}"}).json()
    assert {job["label"] for job in shown["jobs"]} == set(labels)
