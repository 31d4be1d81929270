"""What a restart of the WebUI leaves as it was: jobs that run, and clicks that the cloud has not got yet."""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.extension.conftest import Stage, WebUI, free_port, log_in, start_webui
from tests.extension.looks import Tab

CHECKPOINT = "v1-5-pruned-emaonly.safetensors"


def test_a_running_job_is_found_after_a_restart_of_the_webui(
    tmp_path: Path, page: Page, stage: Stage, knobs: object
) -> None:
    stage.knobs(latency_seconds=25)
    webui = start_webui(tmp_path / "restarted")
    log_in(webui, stage.api, stage.key)
    tab = Tab(page, "txt2img").open(webui.url)
    tab.on_cloud(CHECKPOINT)
    tab.write("prompt", "it outlives the WebUI")
    job_id = tab.generate()
    webui.stop()
    again = start_webui(tmp_path / "restarted", port=int(webui.url.rpartition(":")[2]))
    try:
        tab.open(again.url)
        line = tab.part("tickets").locator(f"[data-job='{job_id}']")
        expect(line).to_be_visible()
        tab.shown(job_id)
        expect(line).to_have_attribute("data-state", "done")
    finally:
        again.stop()


@contextmanager
def way_to(api: str, port: int) -> Iterator[None]:
    """While this is open, the port of this machine is that of the stage."""
    stage = urlsplit(api)
    listener = socket.create_server(("127.0.0.1", port))
    ended = threading.Event()

    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while content := source.recv(65536):
                target.sendall(content)
        except OSError:
            pass
        finally:
            target.close()

    def serve() -> None:
        listener.settimeout(0.2)
        while not ended.is_set():
            try:
                inner = listener.accept()[0]
            except OSError:
                continue
            outer = socket.create_connection((stage.hostname, stage.port))
            for ends in ((inner, outer), (outer, inner)):
                threading.Thread(target=copy, args=ends, daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        listener.close()


def waiting(webui: WebUI) -> list[Path]:
    """The files of the clicks that are not handed in yet."""
    return sorted((webui.account.parent / "webui-waiting").glob("*.json"))


def test_a_click_that_the_cloud_has_not_got_is_handed_in_after_a_restart(
    tmp_path: Path, page: Page, stage: Stage
) -> None:
    port = free_port()
    address = stage.api.replace(f":{urlsplit(stage.api).port}/", f":{port}/")
    webui = start_webui(tmp_path / "restarted")
    log_in(webui, stage.api, stage.key)
    tab = Tab(page, "txt2img").open(webui.url)
    tab.on_cloud(CHECKPOINT)
    log_in(webui, address, stage.key)
    prompts = [f"it waits for the cloud, {number}" for number in range(4)]
    lines = tab.part("tickets").locator(".darkroom-line")
    for number, prompt in enumerate(prompts, 1):
        tab.write("prompt", prompt)
        # Until the click before has ended, the WebUI has its button Interrupt over Generate.
        tab.button.click()
        expect(lines).to_have_count(number)
    expect(tab.info).to_contain_text("Sending to the cloud")
    # More than can be on their way at once: the last one waits behind the others.
    assert len(waiting(webui)) == len(prompts)
    if os.name == "posix":
        assert {stat.S_IMODE(path.stat().st_mode) for path in waiting(webui)} == {0o600}
    assert not any(stage.key in path.read_text() for path in waiting(webui))
    webui.process.kill()
    webui.process.wait(20)

    with way_to(stage.api, port):
        again = start_webui(tmp_path / "restarted", port=int(webui.url.rpartition(":")[2]))
        try:
            tab.open(again.url)
            lines = tab.part("tickets").locator(".darkroom-line:not([data-job=''])")
            expect(lines).to_have_count(len(prompts))
            client = stage.client()
            assert {client.job(job_id)["parameters"]["prompt"] for job_id in tab.known()} == set(prompts)
            expect(tab.part("tickets").locator("[data-state='done']")).to_have_count(len(prompts))
            assert waiting(again) == []
        finally:
            again.stop()
