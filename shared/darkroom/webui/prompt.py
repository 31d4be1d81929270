"""What a prompt calls for: tags of extra networks and plain words.

From the WebUI's modules/extra_networks.py (`<type:name:…>`, types in lower case, arguments behind colons, the name the
first argument without an equals sign) and modules/processing_scripts/comments.py (`#` hides the rest of a line, unless
`enable_prompt_comments` is off).
"""

import re
from collections.abc import Iterator, Mapping

from darkroom.checkpoints.model import Kind

_TAG = re.compile(r"<(\w+):([^>]+)>")
_COMMENT = re.compile(r"#[^\n]*")
TAG_KINDS: Mapping[str, Kind] = {"lora": "lora", "lyco": "lora", "hypernet": "hypernetwork"}
"""Types of tags that load a file, with the kind of the file. The WebUI skips any other type."""


def without_comments(text: str, comments: bool = True) -> str:
    """The prompt as it is painted; `comments` is the setting `enable_prompt_comments`."""
    return _COMMENT.sub("", text) if comments else text


def tags(text: str) -> Iterator[tuple[Kind, str]]:
    """Kind of file and name of each tag that loads a file, in their order; a name may come twice."""
    for found in _TAG.finditer(text):
        kind = TAG_KINDS.get(found[1])
        name = next((part for part in found[2].split(":") if "=" not in part), "").strip()
        if kind and name:
            yield kind, name


def words(text: str) -> str:
    """The prompt without its tags: what is left may call for embeddings by their names."""
    return _TAG.sub(" ", text)
