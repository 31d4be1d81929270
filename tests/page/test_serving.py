"""The page as it is served: its files and headers, the API on the same origin, and a policy that holds."""

from playwright.sync_api import Page, expect

from layers.page import headers
from tests.e2e.conftest import Running, http
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


def test_the_policy_holds_in_the_browser(page: Page, stack: Running, watch: Watch) -> None:
    """A script and a style that somebody smuggled in do nothing, and nothing leaves for a foreign place."""
    watch.expect("Content Security Policy|Trusted(Script|HTML)|a request to http://127.0.0.2|status of 40[34]")
    expect(page.get_by_role("tab").first).to_be_visible()
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            try { script.textContent = "window.smuggled = true"; } catch { /* trusted types */ }
            document.body.append(script);
        }"""
    )
    assert page.evaluate("() => window.smuggled") is None
    refused = "(address) => fetch(address).then(() => 'sent', () => 'refused')"
    assert page.evaluate(refused, "http://127.0.0.2:9/keys") == "refused"
    # The two buckets of this stage are no foreign places, another one beside them is.
    assert page.evaluate(refused, f"{stack.stack.aws}/somebodys-bucket/x") == "refused"
    assert page.evaluate(refused, f"{stack.stack.aws}/{stack.stack.outputs['PicturesBucket']}/x") == "sent"
    markup = "(text) => { try { document.body.innerHTML = text; return 'taken'; } catch { return 'refused'; } }"
    assert page.evaluate(markup, "<img src=x onerror='window.smuggled = true'>") == "refused"


def test_axe_and_the_widths_are_looked_at(opened: Opened, artist: Person) -> None:
    for width in WIDTHS:
        page = opened(artist.key, width=width)
        expect(page.get_by_role("tab").first).to_be_visible()
        assert violations(page) == []
        assert cut_off(page) == []
