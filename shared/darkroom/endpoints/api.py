"""What `/endpoints` takes and answers."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from darkroom.endpoints.hours import WEEKDAYS, Hours, Weekday, is_zone
from darkroom.endpoints.model import EndpointTags, WakeUp
from darkroom.endpoints.prices import price
from darkroom.endpoints.service import EndpointView
from darkroom.endpoints.wakeups import Forecast, forecast
from darkroom.engines.model import EngineName
from darkroom.times import iso, moment, precise

Instances = Annotated[int, Field(strict=True, ge=0, le=100)]
ShortName = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9])*$",
        max_length=63,
        description="the stage's prefix is put before it when it is missing; it becomes lower case, for to SageMaker "
        "names that differ only in case are the same",
    ),
]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$", max_length=64)]


def _distinct(types: list[str]) -> list[str]:
    if len(set(types)) < len(types):
        raise ValueError("names a type twice")
    return types


Time = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["09:00"])]
Warm = Annotated[
    str,
    Field(
        pattern=r"^([1-9]|[1-9][0-9]|[1-9][0-9]{2}|1[0-3][0-9]{2}|14[0-3][0-9]|1440)m$|^([1-9]|1[0-9]|2[0-4])h$",
        description="for how long from now, in minutes or hours: `30m`, `2h`; a day (`24h`) at most",
        examples=["2h"],
    ),
]


_UNITS = {"m": 60, "h": 3600}


def seconds_of(text: str) -> int:
    """Seconds of a duration as in `30m` or `2h`; `Warm` is its form."""
    return int(text[:-1]) * _UNITS[text[-1]]


class HoursIn(BaseModel):
    """Working hours: on each of `days` from `from` to `to` there is at least one instance. Times are `HH:MM` on the
    clocks of `time_zone`, an IANA name as in `Europe/Berlin`; `to` may be `24:00`, and one that is not after `from` is
    on the next day."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    days: Annotated[list[Weekday], Field(min_length=1, max_length=7)]
    from_: Annotated[Time, Field(alias="from")]
    to: Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", examples=["18:00"])]
    time_zone: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$", max_length=64)]

    @field_validator("days")
    @classmethod
    def _each_once(cls, days: list[Weekday]) -> list[Weekday]:
        return [day for day in WEEKDAYS if day in days]

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        if not is_zone(name):
            raise ValueError("is no time zone; write an IANA name, as in Europe/Berlin or UTC")
        return name

    @model_validator(mode="after")
    def _some_time(self) -> "HoursIn":
        if self.from_ == self.to:
            raise ValueError("from and to are the same; for a whole day write 00:00 and 24:00")
        return self

    @property
    def value(self) -> Hours:
        """The hours themselves."""
        return Hours(tuple(self.days), self.from_, self.to, self.time_zone)


class EndpointIn(BaseModel):
    """An endpoint to make. What is left out comes from the stage: its worker, and the `instance_type` that suits the
    `engine`. `instance_types` names several in its place. With `min_instances` 0 the endpoint sleeps (has no instances)
    when it has no jobs, and the next job wakes it."""

    model_config = ConfigDict(extra="forbid")

    name: ShortName | None = None
    instance_type: InstanceType | None = None
    instance_types: (
        Annotated[
            list[InstanceType],
            Field(
                min_length=1,
                max_length=5,
                description="in order of preference: a type is taken while those before it are not to be had",
            ),
            AfterValidator(_distinct),
        ]
        | None
    ) = None
    image: (
        Annotated[
            str,
            Field(
                pattern=r"^\S+$", max_length=255, description="a container of your own, in place of the stage's worker"
            ),
        ]
        | None
    ) = None
    min_instances: Instances = 0
    max_instances: Annotated[int, Field(strict=True, ge=1, le=100)] = 1
    jobs_at_once: Annotated[int, Field(strict=True, ge=1, le=16, description="on each instance")] = 1
    engine: Annotated[
        EngineName | None,
        Field(
            description="what the container paints with, if it is Darkroom's worker; `preview` needs no GPU, and "
            "where the stage has the package of the worker the default is what that can. Jobs that the engine does not "
            "take are refused before the endpoint wakes for them"
        ),
    ] = None
    hours: HoursIn | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "EndpointIn":
        if self.instance_type and self.instance_types:
            raise ValueError("give either `instance_type` or `instance_types`, not both")
        return self

    @property
    def types(self) -> tuple[str, ...]:
        """The instance types that it names, the preferred one first."""
        return tuple(self.instance_types or ([self.instance_type] if self.instance_type else []))


class InstancesOut(BaseModel):
    """How many instances of a type run."""

    instance_type: str
    instances: int


class EndpointPatch(BaseModel):
    """New bounds of the number of instances, and new working hours; what is left out stays as it is. `hours` null takes
    them away."""

    model_config = ConfigDict(extra="forbid")

    min_instances: Instances | None = None
    max_instances: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    hours: HoursIn | None = None


class ForecastOut(BaseModel):
    """What the last wake-ups of an endpoint let expect: how many seconds pass from the ask for its first instance to
    the first picture, in the middle case (`median`) and in nine cases of ten (`ninth_decile`), worked out from so many
    `wake_ups`."""

    median: float
    ninth_decile: float
    wake_ups: int

    @classmethod
    def of(cls, found: Forecast) -> "ForecastOut":
        """The answer for a forecast."""
        return cls(median=round(found.median, 1), ninth_decile=round(found.ninth_decile, 1), wake_ups=found.wake_ups)


class WakeUpOut(BaseModel):
    """A wake-up: when the first instance was asked for, when it was there, when its container first told that it works,
    and when the first picture was there (`asked`, `instance`, `container`, `picture`), in UTC; null for what is not
    there yet or was never seen. `seconds` passed from the first to the last."""

    asked: str
    instance: str | None
    container: str | None
    picture: str | None
    seconds: float | None

    @classmethod
    def of(cls, found: WakeUp) -> "WakeUpOut":
        """The answer for a wake-up."""

        def text(when: float | None) -> str | None:
            return None if when is None else precise(moment(when))

        return cls(
            asked=precise(moment(found.asked)),
            instance=text(found.instance),
            container=text(found.container),
            picture=text(found.picture),
            seconds=None if found.seconds is None else round(found.seconds, 1),
        )


class HoursOut(BaseModel):
    """Working hours, and what one instance costs in them in a month (`dollars_a_month`), if no job wakes the endpoint
    besides; null where the stage has no price of its type."""

    model_config = ConfigDict(populate_by_name=True)

    days: list[Weekday]
    from_: Annotated[str, Field(alias="from")]
    to: str
    time_zone: str
    hours_a_month: float
    dollars_a_month: float | None


class EndpointOut(BaseModel):
    """An endpoint. `status` is SageMaker's own word, and it changed at `modified_at`. `usable` is true only when the
    status is InService.

    `instances` are running, `wanted_instances` shall run. `instance_types` says of each type, in order of preference,
    how many run; `instance_type` is the first of them. `min_instances` and `max_instances` are null for an endpoint
    that was not made by Darkroom. `scaling` says whether the two are registered with Application Auto Scaling.
    `deleting` is true once somebody deleted the endpoint. `warm_until` is until when somebody keeps it awake, in UTC,
    and null without that; `hours` are its working hours. `dollars_an_hour` is the price of one instance (the dearest of
    its types), and null where the stage has none.
    """

    name: str
    status: str
    usable: bool
    created_at: str
    modified_at: str
    instance_type: str | None
    instance_types: list[InstancesOut]
    image: str | None
    engine: str | None
    instances: int
    wanted_instances: int
    min_instances: int | None
    max_instances: int | None
    scaling: bool
    open_jobs: int
    owner: str | None
    failure: str | None
    deleting: bool
    warm_until: str | None
    hours: HoursOut | None
    dollars_an_hour: float | None

    @classmethod
    def of(cls, view: EndpointView, prices: Mapping[str, float]) -> "EndpointOut":
        """The answer for an endpoint; `prices` are US dollars for an hour of each instance type."""
        details, endpoint, bounds = view.details, view.endpoint, view.bounds
        return cls(
            name=endpoint.name,
            status=endpoint.status,
            usable=endpoint.usable,
            created_at=endpoint.created_at,
            modified_at=endpoint.modified_at,
            instance_type=view.tags.instance_type,
            instance_types=[InstancesOut(instance_type=name, instances=n) for name, n in view.running.items()],
            image=details.image,
            engine=view.tags.engine,
            instances=details.current,
            wanted_instances=details.desired,
            min_instances=bounds.least if bounds else None,
            max_instances=bounds.most if bounds else None,
            scaling=view.scaling,
            open_jobs=view.open_jobs,
            owner=view.tags.owner,
            failure=details.failure,
            deleting=view.tags.deletion_requested or endpoint.status == "Deleting",
            warm_until=iso(moment(view.tags.warm_until)) if view.tags.warm_until else None,
            hours=_hours_out(view.tags, prices),
            dollars_an_hour=price(view.tags, prices).an_hour,
        )


class EndpointShown(EndpointOut):
    """One endpoint, with its last wake-ups, newest first, and what they let expect of the next."""

    wake_ups: list[WakeUpOut]
    forecast: ForecastOut | None

    @classmethod
    def shown(cls, view: EndpointView, prices: Mapping[str, float], wake_ups: list[WakeUp]) -> "EndpointShown":
        """The answer for one endpoint."""
        expected = forecast(wake_ups)
        return cls(
            **EndpointOut.of(view, prices).model_dump(),
            wake_ups=[WakeUpOut.of(one) for one in wake_ups],
            forecast=ForecastOut.of(expected) if expected else None,
        )


class EndpointList(BaseModel):
    """Endpoints, newest first."""

    endpoints: list[EndpointOut]


class WarmOut(BaseModel):
    """An endpoint that is kept awake until `warm_until` (UTC): that is at most `hours` more of one instance, which cost
    `dollars` at `dollars_an_hour`. Both are null where the stage has no price of `instance_type`; `detail` says it in a
    sentence."""

    name: str
    warm_until: str
    hours: float
    instance_type: str | None
    dollars_an_hour: float | None
    dollars: float | None
    detail: str

    @classmethod
    def of(cls, view: EndpointView, prices: Mapping[str, float], now: float) -> "WarmOut":
        """The answer for an endpoint that is kept warm at `now`, in epoch seconds."""
        until, found = view.tags.warm_until, price(view.tags, prices)
        hours = round(max(0.0, until - now) / 3600, 2)
        dollars, text = found.of(hours), iso(moment(until))
        told = f"{view.endpoint.name} is kept awake until {text}."
        if dollars is None:
            told += f" What that costs is not known: the stage has no price of {found.instance_type or 'its type'}."
        else:
            told += f" That costs at most {dollars:.2f} US dollars."
        return cls(
            name=view.endpoint.name,
            warm_until=text,
            hours=hours,
            instance_type=found.instance_type,
            dollars_an_hour=found.an_hour,
            dollars=dollars,
            detail=told,
        )


def _hours_out(tags: EndpointTags, prices: Mapping[str, float]) -> HoursOut | None:
    hours = tags.hours
    if hours is None:
        return None
    return HoursOut(
        days=list(hours.days),
        from_=hours.start,
        to=hours.end,
        time_zone=hours.zone,
        hours_a_month=round(hours.a_month, 1),
        dollars_a_month=price(tags, prices).of(hours.a_month),
    )
