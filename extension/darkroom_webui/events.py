"""What happens when the panel is used. Each function gets values of components and returns updates of them."""

from pathlib import Path
from typing import Any

import gradio as gr

from darkroom_client import Darkroom
from darkroom_client.model_files import ModelFile
from darkroom_webui import account, history, results, shelf, uploads
from darkroom_webui.account import Account
from darkroom_webui.body import AUTOMATIC, Order
from darkroom_webui.cloud import ANSWER_SECONDS, CloudError, readable
from darkroom_webui.gradio_ways import gallery_of
from darkroom_webui.panel import VAE_CHOICES, Panel
from darkroom_webui.service import Service
from darkroom_webui.tickets import Ticket
from darkroom_webui.values import Pictures
from darkroom_webui.webui import options, page

_SAME = gr.update
_DOWNLOAD_SECONDS = 60.0
GENERATE = "Generate"
ON_CLOUD = "Generate on Cloud"


class Events:
    """The functions of one tab's panel. They keep nothing: what belongs to a browser is in its own values."""

    def __init__(self, panel: Panel, service: Service) -> None:
        self._panel = panel
        self._service = service
        self._img2img = panel.tab == "img2img"

    # ---- what can be chosen -------------------------------------------------------------------------------------

    def load(self, checkpoint: str, vae: str, endpoint: str) -> "list[Any]":
        """Fill all lists when the page is opened. Without an account there is nothing to ask."""
        if account.read() is None:
            return [
                _SAME(),
                _SAME(),
                _SAME(),
                *self._no_jobs(),
                _message("Enter the address and the key of your stage."),
            ]

        def ask(client: Darkroom) -> Any:
            kinds = [shelf.names(client, kind) for kind in ("stable-diffusion", "vae")]
            return *kinds, shelf.endpoint_names(client), history.page(client, history.Search())

        try:
            names, vaes, endpoints, found = self._service.cloud.ask(ask)
        except CloudError as error:
            return [_SAME(), _SAME(), _SAME(), *self._no_jobs(), _message(str(error), True)]
        return [
            _choices([shelf.OFF, *names], checkpoint),
            _choices([*VAE_CHOICES, *vaes], vae),
            _choices([AUTOMATIC, *endpoints], endpoint),
            *self._jobs(found),
            _message(""),
        ]

    def refresh_checkpoint(self, chosen: str) -> "list[Any]":
        """The checkpoints of the cloud."""
        return self._list(lambda client: [shelf.OFF, *shelf.names(client, "stable-diffusion")], chosen)

    def refresh_vae(self, chosen: str) -> "list[Any]":
        """The VAEs of the cloud."""
        return self._list(lambda client: [*VAE_CHOICES, *shelf.names(client, "vae")], chosen)

    def refresh_endpoint(self, chosen: str) -> "list[Any]":
        """The endpoints, each with its status."""
        return self._list(lambda client: [AUTOMATIC, *shelf.endpoint_names(client)], chosen)

    def refresh_network(self, chosen: "str | None") -> "list[Any]":
        """LoRA, embeddings and hypernetworks of the cloud, as a prompt names them."""
        return self._list(shelf.extra_networks, chosen)

    def _list(self, ask: Any, chosen: "str | None") -> "list[Any]":
        try:
            return [_choices(self._service.cloud.ask(ask), chosen), _message("")]
        except CloudError as error:
            return [_SAME(), _message(str(error), True)]

    def choose_checkpoint(self, chosen: "str | None") -> Any:
        """The label of the button for this choice."""
        return _SAME(value=GENERATE if chosen in (None, "", shelf.OFF) else ON_CLOUD)

    def choose_endpoint(self, chosen: str) -> "list[Any]":
        """Refuses an endpoint that takes no jobs, with the reason."""
        if shelf.endpoint_of(chosen) == AUTOMATIC:
            return [_SAME(), _message("")]
        try:
            self._service.cloud.ask(lambda client: shelf.check_endpoint(client, chosen))
        except CloudError as error:
            return [_SAME(value=AUTOMATIC), _message(str(error), True)]
        return [_SAME(), _message("")]

    @staticmethod
    def add_network(network: "str | None", prompt: str) -> Any:
        """The prompt with the chosen extra network."""
        return f"{prompt.rstrip()} {network}".strip() if network else _SAME()

    # ---- the list of jobs ---------------------------------------------------------------------------------------

    def newest(self, search: "dict[str, Any]") -> "list[Any]":
        """The first page of the same search again."""
        return self._page(_search(search).first())

    def show_every(self, every: bool, search: "dict[str, Any]") -> "list[Any]":
        """All jobs by pages, or the newest."""
        return self._page(_search(search).first(every=every))

    def earlier(self, search: "dict[str, Any]") -> "list[Any]":
        """The page before."""
        return self._page(_search(search).earlier())

    def later(self, search: "dict[str, Any]", later: "dict[str, Any] | None") -> "list[Any]":
        """The page after, or the same one if it is the last."""
        return self._page(_search(later or search))

    def search(self, every: bool, *said: Any) -> "list[Any]":
        """The first page of the jobs that the filters find."""
        return self._page(history.Search(every, history.filters_of(*said)))

    def clear(self, every: bool) -> "list[Any]":
        """The list without filters, and the fields of the filter empty."""
        return [[], [], "", "", "", "", "", *self._page(history.Search(every))]

    def _page(self, search: history.Search) -> "list[Any]":
        try:
            found = self._service.cloud.ask(lambda client: history.page(client, search))
        except CloudError as error:
            return [*self._no_jobs(), _message(str(error), True)]
        return [*self._jobs(found), _message("" if found.labels else "No job is found.")]

    @staticmethod
    def _jobs(found: history.Found) -> "list[Any]":
        later = vars(found.later) if found.later else None
        return [_SAME(choices=found.labels, value=None), vars(found.search), later]

    @staticmethod
    def _no_jobs() -> "list[Any]":
        return [_SAME(), _SAME(), _SAME()]

    # ---- results ------------------------------------------------------------------------------------------------

    def choose_job(self, label: "str | None", session: str) -> "list[Any]":
        """Show the chosen job in Output; one that still runs is shown once it has ended."""
        job = history.job_id(label)
        return self._show(job, session, follow=True) if job else self._nothing()

    def show(self, ticket_id: str, session: str) -> "list[Any]":
        """Show what has become of a ticket of this browser."""
        ticket = self._service.tickets.find(session, ticket_id)
        if ticket is None or ticket.state == "sending":
            return self._nothing()
        if ticket.state == "failed":
            return self._output(log=page.error(self._service.advice(ticket.text)))
        if ticket.state == "open" or ticket.job is None:
            return self._output(info=page.text(f"Inference id: {ticket.job}"), log="")
        return self._show(ticket.job, session)

    def _show(self, job_id: str, session: str, follow: bool = False) -> "list[Any]":
        """The pictures of a job, or the words of an interrogation, in their places."""
        folder = options.results_folder(self._img2img) / results.FOLDER

        def ask(client: Darkroom) -> Any:
            job = dict(client.job(job_id))
            return results.fetch(client, job, folder) if job["status"] == "succeed" else results.Result(job, [], [])

        try:
            result = self._service.cloud.ask(ask, _DOWNLOAD_SECONDS)
        except CloudError as error:
            return self._output(log=page.error(str(error)))
        job = result.job
        if job["completed_at"] is None:
            if follow:
                self._service.outbox.follow(session, self._panel.tab, job_id, job["phase"] or job["status"])
            return self._output(info=page.text(f"Inference id: {job_id}"), log="")
        if job["status"] != "succeed":
            why = job["error"] or {"message": f"it was {job['status']}", "code": job["status"]}
            return self._output(log=page.error(f"Job {job_id}: {why['message']} ({why['code']})"))
        if job["caption"] is not None:
            said = _SAME() if follow else job["caption"]
            return self._output(info=page.text(job["caption"]), log=page.text(_about(job)), prompt=said)
        infotext = result.infotexts[0] if result.infotexts else ""
        gallery = gallery_of([str(path) for path in result.shown])
        return self._output(gallery, result.generation_info, page.text(infotext), page.text(_about(job, result.files)))

    def _output(
        self, gallery: Any = None, generation_info: Any = None, info: Any = None, log: Any = None, prompt: Any = None
    ) -> "list[Any]":
        values = (gallery, generation_info, info, log, prompt)
        return [_SAME() if value is None else value for value in values]

    def _nothing(self) -> "list[Any]":
        return self._output()

    # ---- interrogation ------------------------------------------------------------------------------------------

    def interrogate(self, kind: str, session: str, tab_index: Any, *pictures: Any) -> "list[Any]":
        """Hand in an interrogation of the picture of the sub-tab that is open; the answer goes into the prompt."""
        number = int(tab_index or 0)
        picture = pictures[number] if number < len(pictures) else None
        picture = picture.get("image") if isinstance(picture, dict) else picture
        if picture is None:
            return [_message("There is no picture to interrogate: choose one on this tab first.", True)]
        found = Pictures()
        body = {"type": kind, "parameters": {"image": found.add("init", picture)}}
        try:
            self._service.cloud.client()
            ticket = Ticket(session, self._panel.tab, "interrogate")
            self._service.outbox.submit(ticket, Order(body, found))
        except CloudError as error:
            return [_message(str(error), True)]
        return [_message("")]

    # ---- models of this machine ---------------------------------------------------------------------------------

    def compare(self) -> "list[Any]":
        """The model files that only this machine has."""
        folders = options.model_folders()
        try:
            files = self._service.cloud.ask(lambda client: shelf.only_local(client, folders), _DOWNLOAD_SECONDS)
        except CloudError as error:
            return [_SAME(), _SAME(), _message(str(error), True)]
        self._service.local = files
        text = "" if files else "All models of this machine are on the cloud."
        return [_choices([str(file.path) for file in files], None, []), "", _message(text)]

    def choose_models(self, chosen: "list[str]") -> str:
        """The command that uploads the chosen files."""
        files = self._chosen(chosen)
        return f"<code class='darkroom-command'>{page.text(shelf.command(files))}</code>" if files else ""

    def upload(self, chosen: "list[str]", session: str) -> "list[Any]":
        """Upload the chosen files in the background."""
        files = self._chosen(chosen)
        if not files:
            return [_message("Choose the models to upload first.", True)]
        try:
            self._service.cloud.client()
        except CloudError as error:
            return [_message(str(error), True)]
        uploads.start(self._service.cloud, self._service.outbox, session, self._panel.tab, files)
        return [_message("")]

    def _chosen(self, chosen: "list[str] | None") -> "list[ModelFile]":
        # Only what the comparison found: a page must not name other files of this machine.
        return [file for file in self._service.local if str(file.path) in (chosen or [])]

    # ---- the account --------------------------------------------------------------------------------------------

    def connect(self, address: str, key: str) -> "list[Any]":
        """Store address and key if a stage answers there and takes the key; the field of the key is emptied."""

        def ask() -> None:
            from darkroom_client import endpoints

            with Darkroom(address, key.strip(), timeout=ANSWER_SECONDS) as client:
                client.ping()
                endpoints.listed(client)

        if not address.strip() or not key.strip():
            return [_SAME(), _message("Enter both: the address and the key.", True)]
        try:
            self._service.cloud.within(ask)
            account.write(Account(address.strip(), key.strip()))
        except (CloudError, OSError) as error:
            return [_SAME(), _message(str(readable(error)), True)]
        return ["", _message("Connected.")]

    def forget(self) -> "list[Any]":
        """Delete the stored address and key."""
        account.forget()
        return [_message("Address and key are forgotten on this machine. Withdraw the key if somebody else had it.")]


def _choices(choices: "list[str]", chosen: Any, otherwise: Any = None) -> Any:
    """An update of a list that keeps what is chosen if it is still there."""
    first = choices[0] if choices and choices[0] in (shelf.OFF, AUTOMATIC, VAE_CHOICES[0]) else otherwise
    return _SAME(choices=choices, value=chosen if chosen in choices else first)


def _search(search: "dict[str, Any] | None") -> history.Search:
    return history.Search(**{**(search or {}), "cursors": tuple((search or {}).get("cursors") or (None,))})


def _message(words: str, error: bool = False) -> str:
    return (page.error(words) if error else page.text(words)) if words else ""


def _about(job: "dict[str, Any]", files: "list[Path] | None" = None) -> str:
    """What is worth knowing of a finished job besides its pictures."""
    lines = [f"Inference id: {job['id']}"]
    if job["run_seconds"] is not None:
        lines.append(f"Time on the cloud: {job['run_seconds']:.1f} sec.")
    lines += job["notices"]
    if videos := [path for path in files or [] if path.suffix in (".mp4", ".webm")]:
        lines.append("Stored: " + ", ".join(map(str, videos)))
    return "\n".join(lines)
