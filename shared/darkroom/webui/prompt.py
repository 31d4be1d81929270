"""What a prompt calls for: tags of extra networks and plain words.

From the WebUI's modules/extra_networks.py (`<type:name:…>`, types in lower case, arguments behind colons, the name the
first argument without an equals sign) and modules/processing_scripts/comments.py (`#` hides the rest of a line, unless
`enable_prompt_comments` is off).
"""

import re
from collections.abc import Iterator

from darkroom.checkpoints.model import TAGS, Kind

TAG = re.compile(r"<(\w+):([^>]+)>")
"""A tag: its type and its arguments."""
_COMMENT = re.compile(r"#[^\n]*")


def without_comments(text: str, comments: bool = True) -> str:
    """The prompt as it is painted; `comments` is the setting `enable_prompt_comments`."""
    return _COMMENT.sub("", text) if comments else text


def tags(text: str) -> Iterator[tuple[Kind, str]]:
    """Kind of file and name of each tag that loads a file, in their order; a name may come twice."""
    for found in TAG.finditer(text):
        kind = TAGS.get(found[1])
        name = next((part for part in found[2].split(":") if "=" not in part), "").strip()
        if kind and name:
            yield kind, name


def words(text: str) -> str:
    """The prompt without its tags: what is left may call for embeddings by their names."""
    return TAG.sub(" ", text)
