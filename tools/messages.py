"""What the host and its console say, in their languages: `make messages` brings the catalogues to it.

The host's catalogue has what `say` says in core and the SDK, that of the API what the console's pages and the
API's refusals say. Babel reads and writes them: Django's own command needs the programs of GNU gettext, which
no package of Python brings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).parents[1]
API, HOST = ROOT / "services/api/src/pagoda_api", ROOT / "core/src/pagoda"
SOURCES = {API: (API,), HOST: (HOST, ROOT / "sdk/src/pagoda_plugin_sdk")}
"""Where the texts of each folder's catalogues stand."""

CATALOGUES = sorted(path for folder in SOURCES for path in folder.glob("locale/*/LC_MESSAGES/django.po"))
KEYWORDS = {**DEFAULT_KEYWORDS, "_NOOP": None, "gettext_noop": None, "gettext_lazy": None, "say": None}


def said(catalogue: Path) -> set[str]:
    """Return what is marked for translation where a catalogue's texts stand."""
    folders = SOURCES[catalogue.parents[3]]
    sources = [each for folder in folders for each in (*folder.rglob("*.py"), *folder.rglob("*.html"))]
    return {text for source in sources for text in _marked(source)}


def _marked(source: Path) -> Iterator[str]:
    text = source.read_text()
    if source.suffix == ".html":
        text = f"({re.sub(r'\s+', ' ', templatize(text))})"  # one line: its indentation means nothing
    found = extract("python", BytesIO(text.encode()), KEYWORDS, options={"encoding": "utf-8"})
    for _line, message, _comments, _context in found:
        if not isinstance(message, str):
            raise SystemExit(f"{source}: plural forms are not looked for; write it without: {message}")
        yield message


def read(path: Path) -> Catalog:
    """Return a catalogue."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3])


def compiled(catalogue: Catalog) -> bytes:
    """Return what the process loads of it."""
    out = BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def main() -> None:
    """Write all of them: what is said and has no text yet gets an empty one, what is said no more goes."""
    for path in CATALOGUES:
        texts, catalogue = said(path), read(path)
        for message in list(catalogue):
            if message.id and message.id not in texts:
                del catalogue[message.id]
        for text in texts:
            if text not in catalogue:
                catalogue.add(text)
        with path.open("wb") as file:
            write_po(file, catalogue, width=0, sort_output=True, omit_header=False)
        path.with_suffix(".mo").write_bytes(compiled(catalogue))
        missing = [message.id for message in catalogue if message.id and not message.string]
        print(f"{path.relative_to(ROOT)}: {len(texts)} messages, without a text: {missing or 'none'}")


if __name__ == "__main__":
    main()
