"""The extension's parts, put together once for the whole WebUI."""

import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from darkroom_client.model_files import ModelFile
from darkroom_webui import history, shelf
from darkroom_webui.body import Chosen, Surroundings, order_of
from darkroom_webui.cloud import Cloud, CloudError
from darkroom_webui.outbox import WAIT_SECONDS, Outbox
from darkroom_webui.tickets import Ticket, Tickets
from darkroom_webui.webui import options, runner

_DEADLINE = "darkroom_deadline"


@dataclass
class Service:
    """`local` are the model files that the last comparison found on this machine only; they are the same for all."""

    cloud: Cloud
    tickets: Tickets
    outbox: Outbox
    local: "list[ModelFile]" = field(default_factory=list)

    def take(self, own: Any, scripts: Any, p: Any, args: "tuple[Any, ...]") -> Any:
        """Hand a click in; returns the WebUI's `Processed`, None where this machine is to paint. Raises CloudError when
        the cloud refuses within `WAIT_SECONDS`; the WebUI shows it below the gallery."""
        said = args[own.args_from : own.args_to] if own.args_to else ()
        if len(said) < 4 or said[0] in (None, "", shelf.OFF):
            return None
        checkpoint, vae, endpoint, session = said[:4]
        self.cloud.client()
        around = Surroundings(
            runner.api_fields(own.is_img2img), options.changed(), options.expand, options.expand_negative
        )
        chosen = Chosen(checkpoint, vae or Chosen.vae, shelf.endpoint_of(endpoint))
        order = order_of(p, scripts, args, own, chosen, around)
        ticket = self.outbox.submit(Ticket(str(session or ""), "img2img" if own.is_img2img else "txt2img"), order)
        ticket.handed_in.wait(_time_left(p))
        if ticket.state == "failed":
            ticket.told = "failed"
            raise CloudError(self.advice(ticket.text))
        if ticket.job:
            ticket.told = "open"
            return runner.processed(p, f"Inference id: {ticket.job}")
        return runner.processed(p, f"Sending to the cloud: {ticket.id}")

    def advice(self, text: str) -> str:
        """An error with the command that uploads the models of this machine that it names."""
        missing = shelf.mentioned(text, self.local) if "checkpoint_not_active" in text else []
        return f"{text}\nUpload with: {shelf.command(missing)}" if missing else text

    def lines(self, session: str, jobs: "list[str]") -> "list[dict[str, Any]]":
        """The tickets of a browser. Of the `jobs` that it remembers, those are followed again that a restart of the
        WebUI has made unknown here: each is said as `tab:id`."""
        if not session:
            return []
        known = {ticket.job for ticket in self.tickets.of(session)}
        for said in jobs[:20]:
            tab, _, job = said.partition(":")
            if tab in ("txt2img", "img2img") and history.job_id(job) == job and job not in known:
                self.outbox.follow(session, tab, job)
        return [ticket.line() for ticket in self.tickets.of(session)]


def _time_left(p: Any) -> float:
    """How long this click may still wait. The pictures of a batch are one click with one `p`, and one lock."""
    deadline = getattr(p, _DEADLINE, None)
    if deadline is None:
        deadline = time.monotonic() + WAIT_SECONDS
        setattr(p, _DEADLINE, deadline)
    return max(0.0, float(deadline) - time.monotonic())


@cache
def service() -> Service:
    """The one of this process. It outlives a reload of the page, so that what is on its way arrives. With it, what the
    process before has left begins its way again."""
    cloud, tickets = Cloud(), Tickets()
    outbox = Outbox(cloud, tickets)
    outbox.resume()
    return Service(cloud, tickets, outbox)
