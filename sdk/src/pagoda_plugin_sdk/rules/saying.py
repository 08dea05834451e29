"""What people are told, in the language of whoever reads it.

The words are marked where they are said, by `say`, and the host's catalogue has them in its languages. Where
no language was chosen, as in the API, the workers and a process without a host, they are English.
"""

from __future__ import annotations

from django.apps import apps
from django.utils.translation import gettext


def say(text: str, /, **named: object) -> str:
    """Return `text`, a literal in English, in the language of this moment, with what it names put in.

    Places are those of `str.format`, such as ``{name!r}``; a brace itself is doubled. It is called when
    something is said, not before: a message that was made for one reader is not for another.
    """
    told = gettext(text) if apps.ready else text  # before, there are no catalogues to look into
    return told.format(**named)
