"""`darkroom endpoints create | list | show | wait | scale | hours | warm | delete`."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom_cli.console import AsJson, KeyFile, Url, Yes, confirmed, connected, minute, reported_errors, screen, show
from darkroom_client import waits
from darkroom_client.answers import Endpoint, EndpointShown

if TYPE_CHECKING:
    from rich.table import Table

    from darkroom_client import Darkroom

app = typer.Typer(help="The SageMaker endpoints that jobs run on.", no_args_is_help=True)

POLL_SECONDS = 3.0
SHOWN = 5
"""Wake-ups that `show` prints."""
ENDED = ("InService", "Failed", "OutOfService", "UpdateRollbackFailed")
Name = Annotated[str, typer.Argument(help="Its name, with or without the stage's prefix.")]
Least = Annotated[int | None, typer.Option("--min", min=0, help="Instances that always run; 0 lets it sleep.")]
Most = Annotated[int | None, typer.Option("--max", min=1, help="Instances that run at most.")]
Minutes = Annotated[float, typer.Option("--timeout", min=0, help="How many minutes to wait at most.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is in service.")]


@app.command()
def create(
    name: Annotated[
        str | None, typer.Argument(help="A name; the stage's prefix is put before it. Without one it gets one.")
    ] = None,
    instance_types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            "--instance-type",
            help="As in ml.g5.xlarge; a preview needs none with a GPU. Say it up to five times, the best one first: a "
            "type is taken while those before it are not to be had.",
        ),
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", help="A container of your own, in place of the stage's worker.")
    ] = None,
    least: Least = None,
    most: Most = None,
    at_once: Annotated[int | None, typer.Option("--at-once", min=1, max=16, help="Jobs at once.")] = None,
    engine: Annotated[
        str | None, typer.Option("--engine", help="What it paints with: diffusers, or preview for cents.")
    ] = None,
    wait: Wait = True,
    timeout: Minutes = 30,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Make an endpoint. The same command again finishes what was interrupted.

    Whatever is left out comes from the stage's settings: its worker, and an instance type that suits the engine.
    """
    with reported_errors("Stopped waiting; it is being made."), connected(url, key_file) as darkroom:
        from darkroom_client import endpoints
        from darkroom_client.client import without_none

        body = {
            "name": name,
            # A stage of an earlier release knows one alone.
            "instance_type": instance_types[0] if instance_types and len(instance_types) == 1 else None,
            "instance_types": instance_types if instance_types and len(instance_types) > 1 else None,
            "image": image,
            "min_instances": least,
            "max_instances": most,
            "jobs_at_once": at_once,
            "engine": engine,
        }
        endpoint = endpoints.create(darkroom, without_none(body))
        told = ", ".join(filter(None, (_types(endpoint), endpoint["engine"])))
        typer.echo(f"{endpoint['name']}: {endpoint['status']} ({told})")
        if wait:
            _wait(darkroom, endpoint["name"], timeout)


@app.command("list")
def list_(
    watch: Annotated[bool, typer.Option("--watch", help="Look again every few seconds, until Ctrl-C.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """List endpoints, newest first."""
    with reported_errors("Stopped looking."), connected(url, key_file) as darkroom:
        from darkroom_client import endpoints

        rows = endpoints.listed(darkroom)
        console = screen()
        if watch and console.is_terminal and not as_json:
            from rich.live import Live

            with Live(table_of(rows), console=console) as live:
                while True:
                    time.sleep(POLL_SECONDS)
                    live.update(table_of(endpoints.listed(darkroom)))
        show(rows, _cells, table_of, "No endpoints.", as_json)


@app.command("show")
def show_(name: Name, as_json: AsJson = False, url: Url = None, key_file: KeyFile = None) -> None:
    """Show one endpoint, with its last wake-ups and what they let expect."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import Failure, endpoints

        row = endpoints.find(darkroom, name)
        if row is None:
            raise Failure(f"There is no endpoint {name}.")
        typer.echo(json.dumps(row, indent=2) if as_json else "\n".join(described(row)))


@app.command()
def warm(
    name: Name,
    duration: Annotated[str, typer.Argument(metavar="FOR", help="For how long from now: 30m, 2h; 24h at most.")] = "1h",
    end: Annotated[bool, typer.Option("--end", help="Keep it awake no longer.")] = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Keep an endpoint awake for a while, and say what that costs. The later end counts."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import endpoints

        if end:
            row = endpoints.end_warm(darkroom, name)
            typer.echo(f"{row['name']}: sleeps when it has no jobs")
        else:
            typer.echo(endpoints.warm(darkroom, name, duration)["detail"])


@app.command()
def hours(
    name: Name,
    days: Annotated[str | None, typer.Argument(help="As in mon,tue,wed,thu,fri.")] = None,
    begin: Annotated[str | None, typer.Argument(metavar="FROM", help="As in 09:00.")] = None,
    end: Annotated[str | None, typer.Argument(metavar="TO", help="As in 18:00, or 24:00.")] = None,
    zone: Annotated[str | None, typer.Argument(help="A time zone, as in Europe/Berlin.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Take its working hours away.")] = False,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Set the working hours of an endpoint, in which it has an instance at least, and say what they cost."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import Failure, endpoints

        told = (days, begin, end, zone)
        if none == any(told) or (not none and None in told):
            raise Failure("Say days, from, to and the time zone, or --none.")
        wanted = None if none else dict(zip(("days", "from", "to", "time_zone"), told, strict=True))
        if wanted and days:
            wanted["days"] = days.split(",")  # type: ignore[assignment]
        row = endpoints.scale(darkroom, name, {"hours": wanted})
        typer.echo(f"{row['name']}: {hours_of(row) or 'no working hours'}")


@app.command()
def wait(name: Name, timeout: Minutes = 30, url: Url = None, key_file: KeyFile = None) -> None:
    """Wait until an endpoint is in service, or has failed."""
    with reported_errors("Stopped waiting."), connected(url, key_file) as darkroom:
        _wait(darkroom, name, timeout)


@app.command()
def scale(name: Name, least: Least = None, most: Most = None, url: Url = None, key_file: KeyFile = None) -> None:
    """Change how many instances an endpoint may have."""
    with reported_errors(), connected(url, key_file) as darkroom:
        from darkroom_client import Failure, endpoints
        from darkroom_client.client import without_none

        if least is None and most is None:
            raise Failure("Say --min, --max, or both.")
        row = endpoints.scale(darkroom, name, without_none({"min_instances": least, "max_instances": most}))
        bounds = f"{row['min_instances']} to {row['max_instances']} instances"
        typer.echo(f"{row['name']}: {bounds}, {row['instances']} now")


@app.command()
def delete(
    name: Name,
    yes: Yes = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is gone.")] = True,
    timeout: Minutes = 30,
    url: Url = None,
    key_file: KeyFile = None,
) -> None:
    """Delete an endpoint with all that was made for it. Its open jobs fail."""
    with reported_errors("Stopped waiting; it is being deleted."), connected(url, key_file) as darkroom:
        from darkroom_client import Failure, endpoints

        row = endpoints.find(darkroom, name)
        if not yes and not confirmed(_question(row, name)):
            raise Failure("Nothing was deleted.")
        endpoints.delete(darkroom, name)
        if wait and row is not None:
            _watch(lambda: endpoints.find(darkroom, name), lambda found: found is None, name, timeout)
            typer.echo(f"Deleted {row['name']}.")
        else:
            typer.echo(f"{row['name'] if row else name}: {'being deleted' if row else 'gone'}")


def _kept_awake(row: Endpoint) -> str:
    """Until when somebody keeps an endpoint awake, and its working hours; empty without both."""
    hours = row["hours"]
    told = [f"until {minute(row['warm_until'])}"] if row["warm_until"] else []
    if hours:
        told.append(f"{','.join(hours['days'])} {hours['from']}-{hours['to']} {hours['time_zone']}")
    return "; ".join(told)


def hours_of(row: Endpoint) -> str:
    """The working hours of an endpoint with what they cost, empty without."""
    found = row["hours"]
    if found is None:
        return ""
    cost = found["dollars_a_month"]
    price = "of unknown price" if cost is None else f"{cost:.2f} US dollars"
    when = f"{','.join(found['days'])} {found['from']} to {found['to']} {found['time_zone']}"
    return f"{when}, {found['hours_a_month']:g} hours a month, {price}"


def described(row: EndpointShown) -> Iterator[str]:
    """One endpoint, line by line."""
    name, status, instances, bounds, *_ = _cells(row)
    yield f"{name}: {status}, {instances} of {bounds or 'any number of'} instances, {row['instance_type'] or '?'}"
    if row["warm_until"]:
        yield f"kept awake until {row['warm_until']}"
    if told := hours_of(row):
        yield f"working hours: {told}"
    if found := row["forecast"]:
        yield f"when it wakes: {waits.usual(found)}"
    for one in row["wake_ups"][:SHOWN]:
        took = "no picture yet" if one["seconds"] is None else f"{one['seconds']:.0f} s to the first picture"
        yield f"woken at {one['asked']}: {took}"


def table_of(rows: Iterable[Endpoint]) -> "Table":
    """Endpoints as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(
        "Name",
        "Status",
        "Instances",
        "Bounds",
        "Type",
        "Open jobs",
        "Since",
        "Owner",
        "Kept awake",
        header_style="bold",
    )
    for row in rows:
        cells = [Text(cell) for cell in _cells(row)]
        cells[0].overflow = "fold"
        cells[1].stylize("green" if row["usable"] else "red" if row["status"] == "Failed" else "yellow")
        table.add_row(*cells)
    return table


def _cells(row: Endpoint) -> tuple[str, ...]:
    status = f"{row['status']}: {row['failure']}" if row["failure"] else row["status"]
    if row["deleting"] and row["status"] != "Deleting":
        status += ", is to go"
    instances = str(row["instances"])
    if row["wanted_instances"] != row["instances"]:
        instances += f" → {row['wanted_instances']}"
    elif row["usable"] and not row["instances"]:
        instances += " (asleep)"
    bounds = "" if row["min_instances"] is None else f"{row['min_instances']} to {row['max_instances']}"
    if bounds and row["usable"] and not row["scaling"]:
        bounds += " (not yet)"
    rest = (_types(row), str(row["open_jobs"]), minute(row["modified_at"]), row["owner"] or "")
    return (row["name"], status, instances, bounds, *rest, _kept_awake(row))


def _types(row: Endpoint) -> str:
    """The instance types in order of preference; of several, behind each how many run, if any do."""
    told = row.get("instance_types") or []
    if len(told) < 2:
        return row["instance_type"] or ""
    each = (
        f"{one['instance_type']} ({one['instances']})" if one["instances"] else one["instance_type"] for one in told
    )
    return ", ".join(each)


def _wait(darkroom: "Darkroom", name: str, minutes: float) -> None:
    from darkroom_client import Failure, endpoints

    def ended(found: Endpoint | None) -> bool:
        return not found or found["status"] in ENDED

    row = _watch(lambda: endpoints.find(darkroom, name), ended, name, minutes)
    if row is None:
        raise Failure(f"There is no endpoint {name}.")
    if row["deleting"]:
        raise Failure(f"{row['name']}: {row['status']}, but somebody deleted it; it goes as soon as it can.")
    if not row["usable"]:
        raise Failure(f"{row['name']}: {row['status']}: {row['failure'] or 'SageMaker gave no reason'}")
    typer.echo(f"{row['name']}: {row['status']}")


def _watch(
    look: Callable[[], Endpoint | None], done: Callable[[Endpoint | None], bool], name: str, minutes: float
) -> Endpoint | None:
    """Call `look` until `done` is true for its result, and show the status meanwhile; returns the last result. Raises
    Failure after `minutes`."""
    from darkroom_client import Failure

    started = time.monotonic()
    with screen().status(name) as line:
        while not done(found := look()):
            status = found["status"] if found else "gone"
            passed = time.monotonic() - started
            if passed > minutes * 60:
                raise Failure(f"{name} is still {status} after {minutes:g} minutes.")
            line.update(f"{name}: {status} for {passed:.0f} s")
            time.sleep(min(POLL_SECONDS, 0.5 + passed / 10))
    return found


def _question(row: Endpoint | None, name: str) -> str:
    jobs = f" Its {row['open_jobs']} open jobs fail." if row and row["open_jobs"] else ""
    return f"Delete {row['name'] if row else name}?{jobs}"
