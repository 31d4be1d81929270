"""What a prompt calls for: tags of extra networks and plain words.

From the WebUI's modules/extra_networks.py (`<type:name:…>`, types in lower case, arguments behind colons, the name the
first argument that is no `key=value`) and modules/processing_scripts/comments.py (`#` hides the rest of a line, unless
`enable_prompt_comments` is off).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from darkroom.checkpoints.model import TAGS, Kind

_BEGIN = re.compile(r"<(\w+):")
_COMMENT = re.compile(r"#[^\n]*")


@dataclass(frozen=True)
class Tag:
    """A tag in a text: its type, what stands behind the type's colon, and where it begins and ends."""

    type: str
    arguments: str
    begin: int
    end: int


def without_comments(text: str, comments: bool = True) -> str:
    """The prompt as it is painted; `comments` is the setting `enable_prompt_comments`."""
    return _COMMENT.sub("", text) if comments else text


def tags(text: str) -> Iterator[tuple[Kind, str]]:
    """Kind of file and name of each tag that loads a file, in their order; a name may come twice."""
    for tag in every_tag(text):
        kind = TAGS.get(tag.type)
        name = next((part for part in tag.arguments.split(":") if part.count("=") != 1), "").strip()
        if kind and name:
            yield kind, name


def whole_tags(text: str) -> Iterator[str]:
    """Each tag as it is written, with its brackets."""
    return (text[tag.begin : tag.end] for tag in every_tag(text))


def words(text: str) -> str:
    """The prompt without its tags: what is left may call for embeddings by their names."""
    return without_tags(text, " ")


def without_tags(text: str, gap: str = "") -> str:
    """The prompt with `gap` in the place of each tag."""
    kept, at = [], 0
    for tag in every_tag(text):
        kept.append(text[at : tag.begin])
        at = tag.end
    return gap.join([*kept, text[at:]])


def every_tag(text: str) -> Iterator[Tag]:
    r"""All tags of a text, also of types that nobody knows: the WebUI's `<(\w+):([^>]+)>`. That pattern itself takes
    the square of the time for a text of brackets that nobody closes."""
    at = 0
    while found := _BEGIN.search(text, at):
        close = text.find(">", found.end())
        if close < 0:
            return
        at = found.end()
        if close > at:
            yield Tag(found[1], text[at:close], found.start(), close + 1)
            at = close + 1
