"""CIF text as gemmi reads it, whatever encoding it came in."""

from __future__ import annotations

from collections import Counter

import gemmi

from kmatgen.data.cleaning import EMPTY, Refusal

_END_OF_FILE = "\x1a"  # that DOS programs left there; no CIF may hold it


def plain_text(content: bytes) -> str:
    """Bytes as text in ASCII: other characters, which only comments and names may hold, become replacements."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    return content.removeprefix(b"\xef\xbb\xbf").decode("ascii", errors="replace")


def cif_text(content: bytes | str) -> str:
    """Text that gemmi takes.

    Raises:
        Refusal: There is none.
    """
    text = plain_text(content) if isinstance(content, bytes) else content
    # gemmi refuses other characters in the names of sites.
    if not text.isascii():
        text = text.lstrip("\ufeff").encode("ascii", errors="replace").decode("ascii")
    if text.endswith(_END_OF_FILE):
        text = text.rstrip(_END_OF_FILE)
    if not text.strip():
        raise Refusal(EMPTY, "There is no text.")
    return text


def cif_blocks(text: str) -> list[gemmi.cif.Block]:
    """The data blocks, those of one name numbered: files that were strung together often share their names.

    Raises:
        ValueError: gemmi's, as RuntimeError is: the text is no CIF.
    """
    try:
        return list(gemmi.cif.read_string(text))
    except RuntimeError as error:
        if "duplicate block name" not in str(error):
            raise
    document = gemmi.cif.read_string(text, check_level=0)
    seen: Counter[str] = Counter()
    for block in document:
        seen[block.name] += 1
        if seen[block.name] > 1:
            block.name = f"{block.name}_{seen[block.name]}"
    document.check_for_duplicates()
    return list(document)
