"""The licences of the wheels in a package: they are copied into the bucket of whoever deploys."""

import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from layers import supply

UNCHANGED = ("0BSD", "CC0-1.0", "CNRI-Python", "ISC", "MPL-2.0", "Mozilla Public License 2.0", "Zlib")
"""Accepted beside those of `layers.supply`, for files that are passed on as they are."""


def licence_of(wheel: Path) -> tuple[str, str]:
    """The name of a wheel's package, and its licence: the expression, else the classifiers, else the text
    (Core metadata specifications, "License-Expression")."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA"))
        told = message_from_bytes(archive.read(name))
    return str(told["Name"]), told["License-Expression"] or _classified(told) or told["License"] or ""


def _classified(told: Message) -> str:
    """The licences among the classifiers; one that was put under two is under whichever one likes."""
    found = [line.rpartition(" :: ")[2] for line in told.get_all("Classifier", []) if line.startswith("License")]
    return next((each for each in found if not supply.refused({"": each}, UNCHANGED)), "; ".join(found))


def refused(wheels: list[Path]) -> dict[str, str]:
    """The packages whose licence is not accepted, with the licence."""
    return supply.refused(dict(licence_of(wheel) for wheel in wheels), UNCHANGED)
