"""The models of a job: what a request names, found on the shelf, or refused with every name that is not there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from darkroom.checkpoints.model import FileFacts, Kind, ModelKey
from darkroom.checkpoints.purposes import ENGINE_FILE, Purpose
from darkroom.checkpoints.resolver import Missing, ModelResolver, Resolution
from darkroom.errors import FieldError, Invalid
from darkroom.jobs.api import JobIn, ModelName
from darkroom.jobs.engine_files import purposes_of
from darkroom.jobs.model import EXTRA_KINDS, MODEL_KINDS, NO_VAE, Job
from darkroom.jobs.types import JOB_TYPES
from darkroom.webui.mentions import CHECKPOINT, VAE, Mention, mentions

MAX_MODELS = 90
"""A transaction takes 100 items (DynamoDB API reference), and each model file is a condition in it."""
NAME_IN_ERROR = 100
"""Characters of a name that an error repeats."""
_NAME: TypeAdapter[str] = TypeAdapter(ModelName)
_AUTOMATIC = frozenset({"", "automatic", "auto"})
"""Names of the VAE that mean the one beside the checkpoint, in lower case (the WebUI's modules/sd_vae.py)."""


@dataclass(frozen=True)
class NamedModels:
    """What a request names, as written. `vae` is None where nothing or Automatic is said, and `no_vae` is the WebUI's
    `None`; `words` may call for embeddings; `purposes` are what an engine needs files for. Of the job that is repeated,
    `spellings` are its own, and `objects` the S3 keys of the files that it used, by the names that they had then."""

    checkpoint: Mention | None = None
    vae: Mention | None = None
    automatic_vae: bool = False
    no_vae: bool = False
    others: tuple[Mention, ...] = ()
    words: tuple[str, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    spellings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    objects: Mapping[ModelKey, str] = field(default_factory=dict)

    @property
    def all(self) -> tuple[Mention, ...]:
        """Every mention, the checkpoint first."""
        return tuple(mention for mention in (self.checkpoint, self.vae, *self.others) if mention)


@dataclass(frozen=True)
class JobModels:
    """The model files of a job. `files` maps kinds to file names, without the checkpoint; `spellings` maps kinds to
    the names in the request that are not the file's own, each with its file; `unchecked` are files that nobody named
    outright; `objects` maps kinds to names with the S3 keys of their objects, where the name does not tell it.
    `engine_files` maps purposes to the names of files that no job names. They may be missing: only the engine knows
    whether it needs them. `facts` are what the shelf knows of the bytes of all of them."""

    checkpoint: str | None = None
    files: dict[str, list[str]] = field(default_factory=dict)
    spellings: dict[str, dict[str, str]] = field(default_factory=dict)
    unchecked: frozenset[ModelKey] = frozenset()
    objects: dict[str, dict[str, str]] = field(default_factory=dict)
    engine_files: dict[str, list[str]] = field(default_factory=dict)
    facts: Mapping[ModelKey, FileFacts] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[ModelKey, ...]:
        """Every file that must be active, the checkpoint first, each once. The unchecked are not among them: they must
        not refuse the job if they were deleted a moment ago."""
        keys = [ModelKey(CHECKPOINT, self.checkpoint)] if self.checkpoint else []
        keys += [ModelKey(kind, name) for kind in (CHECKPOINT, *MODEL_KINDS) for name in self.files.get(kind, ())]
        no_vae = ModelKey(VAE, NO_VAE)
        return tuple(key for key in dict.fromkeys(keys) if key != no_vae and key not in self.unchecked)


def named_in(request: JobIn, fields: Mapping[str, Any]) -> NamedModels:
    """What a request for a job and the body in it name; nothing for a type that uses no models. What is said beside
    the body counts before what is said in its settings."""
    rules, purposes = JOB_TYPES[request.type], purposes_of(request.type, fields)
    if not rules.uses_models:
        return NamedModels(purposes=purposes)
    found = mentions(request.type, dict(fields))
    given = request.models.model_dump()
    kinds = [kind for kind in EXTRA_KINDS if kind in rules.kinds]
    explicit = [Mention((kind,), name, ("models", kind)) for kind in kinds for name in given[kind]]
    others = (*explicit, *map(_in_body, found.models))
    if not rules.needs_checkpoint:
        return NamedModels(others=others)
    beside = Mention((CHECKPOINT,), request.checkpoint, ("checkpoint",)) if request.checkpoint else None
    vae = Mention((VAE,), given[VAE], ("models", VAE)) if given[VAE] else _in_settings(found.vae)
    said = vae.name.strip().lower() if vae else ""
    return NamedModels(
        checkpoint=beside or _in_settings(found.checkpoint),
        vae=vae if said not in _AUTOMATIC | {NO_VAE.lower()} else None,
        automatic_vae=said in _AUTOMATIC,
        no_vae=said == NO_VAE.lower(),
        others=others,
        words=found.words,
        purposes=purposes,
    )


def named_again(job: Job) -> NamedModels:
    """What a replay of a job names: the files it used. A job from before all places of a body were looked at names
    what its body names, too. What an engine needs is looked up anew."""
    purposes = purposes_of(job.line.type, job.parameters)
    if not JOB_TYPES[job.line.type].uses_models:
        return NamedModels(purposes=purposes)
    stored = [
        Mention((kind,), name, ("models", kind))
        for kind in (CHECKPOINT, *MODEL_KINDS)
        if kind != VAE
        for name in job.models.get(kind, ())
    ]
    vae = next(iter(job.models.get(VAE, ())), None)
    body = mentions(job.line.type, job.parameters) if job.spellings is None else None
    return NamedModels(
        checkpoint=Mention((CHECKPOINT,), job.line.checkpoint, ("checkpoint",)) if job.line.checkpoint else None,
        vae=Mention((VAE,), vae, ("models", VAE)) if vae and vae != NO_VAE else None,
        no_vae=vae == NO_VAE,
        others=(*stored, *map(_in_body, body.models if body else ())),
        words=body.words if body else (),
        purposes=purposes,
        spellings=job.spellings or {},
        objects={key: job.object_key(key) for key in job.model_keys},
    )


def resolve(named: NamedModels, resolver: ModelResolver) -> JobModels:
    """The files that are named. Raises Invalid `checkpoint_not_active` with every name that no active file answers
    to."""
    resolution = resolver.resolve(named.all, named.objects)
    if resolution.missing:
        raise missing(resolution.missing)
    checkpoint = next((key.name for mention, key in resolution.found if mention is named.checkpoint), None)
    files, spellings = _collected(named, resolution)
    implicit = set(resolver.embeddings(named.words))
    if named.automatic_vae and checkpoint and (vae := resolver.vae_beside(checkpoint)):
        implicit.add(vae)
    elif named.no_vae:
        files[VAE] = [NO_VAE]
    found = {key for _, key in resolution.found}
    for key in sorted(implicit - found, key=lambda key: (key.kind, key.name)):
        files.setdefault(key.kind, []).append(key.name)
    engine_files: dict[str, list[str]] = {
        purpose: names for purpose in named.purposes if (names := resolver.engine_files(purpose))
    }
    used = found | implicit | {ModelKey(ENGINE_FILE, name) for names in engine_files.values() for name in names}
    return JobModels(
        checkpoint,
        files,
        spellings,
        frozenset(implicit - found),
        resolver.objects(used),
        engine_files,
        resolver.facts(used),
    )


def check_count(named: NamedModels) -> None:
    """Raises Invalid `too_many_models`. A replay is not held to it: it may use what a request called for unnamed."""
    if len(named.all) > MAX_MODELS:
        why = f"A job names at most {MAX_MODELS} models; this one names {len(named.all)}."
        raise Invalid("too_many_models", why)


def not_active(models: tuple[ModelKey, ...]) -> Invalid:
    """The refusal of a job whose files were deleted while it was written."""
    return missing(tuple(Missing(Mention((key.kind,), key.name, _explicit_path(key.kind))) for key in models))


def missing(models: tuple[Missing, ...]) -> Invalid:
    """The refusal that names every model that no active file answers to."""
    texts: dict[str, None] = {}
    errors = []
    for one in models:
        name, kinds = one.mention.name.strip()[:NAME_IN_ERROR], " or ".join(one.mention.kinds)
        texts[f"{name} ({kinds}{'; ' if one.hint else ''}{one.hint})"] = None
        why = f"{name} is missing or not active" + (f"; {one.hint}" if one.hint else "")
        errors.append(FieldError(("body", *one.mention.path), why))
    return Invalid(
        "checkpoint_not_active",
        f"Missing or not active: {', '.join(texts)}. GET /checkpoints shows what is there.",
        tuple(errors),
    )


def _in_body(mention: Mention) -> Mention:
    return Mention(mention.kinds, mention.name, ("parameters", *mention.path), mention.required)


def _in_settings(mention: Mention | None) -> Mention | None:
    """A mention of `override_settings`, held to the rules of names beside the body."""
    if mention is None:
        return None
    mentioned = _in_body(mention)
    try:
        _NAME.validate_python(mentioned.name.strip())
    except ValidationError as error:
        loc, why = ("body", *mentioned.path), "is no name of a model file"
        raise Invalid("invalid_request", f"{'.'.join(map(str, loc[2:]))} {why}.", (FieldError(loc, why),)) from error
    return mentioned


def _explicit_path(kind: Kind) -> tuple[str, ...]:
    return ("checkpoint",) if kind == CHECKPOINT else ("models", kind)


def _collected(named: NamedModels, resolution: Resolution) -> tuple[dict[str, list[str]], dict[str, dict[str, str]]]:
    """Files and spellings by kind, without the checkpoint among the files."""
    files: dict[str, list[str]] = {}
    spellings: dict[str, dict[str, str]] = {}
    for mention, key in resolution.found:
        if mention.name != key.name:
            spellings.setdefault(key.kind, {})[mention.name] = key.name
        if mention is not named.checkpoint and key.name not in files.setdefault(key.kind, []):
            files[key.kind].append(key.name)
    for kind, before in named.spellings.items():
        now = spellings.setdefault(kind, {})
        # A file that was renamed since is found by its old name.
        now.update({text: now.get(file, file) for text, file in before.items()})
    return {kind: names for kind, names in files.items() if names}, spellings
