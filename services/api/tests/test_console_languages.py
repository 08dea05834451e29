"""The console speaks the language of whoever looks, and its catalogues hold all that it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from pagoda.audit.history import KINDS
from pagoda.fencing.states import Status
from pagoda.health.plugins import HealthStatus
from pagoda.jobs.transitions import Phase
from pagoda.plugins.records import PluginStatus
from pagoda_api.templatetags.console import WORDS, word
from pagoda_api.testing.host import browser_of
from pagoda_plugin_sdk.operations import JobStatus
from tools.messages import API, CATALOGUES, compiled, read, said

TEMPLATES = sorted(API.glob("templates/console/*.html"))
HINT = "run `make messages` and fill in what it names"


@pytest.fixture(params=CATALOGUES, ids=lambda path: path.parts[-3])
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_every_message_has_its_text_and_none_is_stale(path: Path) -> None:
    catalogue = read(path)
    known = {message.id: message for message in catalogue if message.id}
    assert sorted(said() ^ known.keys()) == [], HINT
    assert [text for text, message in known.items() if not message.string or message.fuzzy] == [], HINT


def test_texts_have_the_places_of_their_messages(path: Path) -> None:
    def places(text: Any) -> list[str]:
        return sorted(re.findall(r"%(?:\(\w+\))?[sdr]", text))

    wrong = [each.id for each in read(path) if each.id and places(each.id) != places(each.string)]
    assert wrong == []


def test_what_is_loaded_is_what_is_written(path: Path) -> None:
    catalogue: Catalog = read(path)
    assert path.with_suffix(".mo").read_bytes() == compiled(catalogue), HINT


UNSEEN = (
    r"{%\s*blocktranslate.*?endblocktranslate\s*%}",  # is marked
    r"{%.*?%}|{{.*?}}|{#.*?#}",
    r"<code>.*?</code>|<!doctype html>",
)
NAMES = {"Pagoda", "API", "Flower", "JSON"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_all_that_people_read_in_a_template_is_marked(template: Path) -> None:
    text = template.read_text()
    for pattern in UNSEEN:
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    attributes = re.findall(r"(?:aria-label|placeholder|title|alt)=\"([^\"]*)\"", text)
    read_out = [*attributes, *re.split(r"<[^>]*>", text)]
    words = {each for part in read_out for each in re.findall(r"[A-Za-z]{2,}", part)}
    examples = {"T09"} if template.name in ("_field.html", "_param.html") else set()
    assert words - NAMES - examples == set(), "write {% translate %} around it"


def test_the_host_s_own_words_are_marked() -> None:
    states = [*JobStatus.__members__, *(each.value for each in (*Phase, *HealthStatus, *PluginStatus))]
    assert {each.lower() for each in (*states, *Status.__value__.__args__)} - set(WORDS) == set()
    assert {*KINDS} - {"value"} - set(WORDS) == set()  # of the history; a value is shown itself
    with override("ja"):
        assert [each for each in WORDS if word(each) == each] == []
        assert (word("what a plugin says"), word("")) == ("what a plugin says", "")


@pytest.mark.django_db
def test_pages_speak_as_the_browser_asks_unless_another_language_is_chosen(ann: Any) -> None:
    browser, japanese = browser_of(ann), {"accept-language": "ja,en;q=0.5"}
    assert '<html lang="en"' in browser.get("/console/").content.decode()
    for url in ("/console/", "/console/entries/999/"):
        text = browser.get(url, headers=japanese).content.decode()
        assert '<html lang="ja"' in text, url
        assert "ログアウト" in browser.get("/console/", headers=japanese).content.decode()
    assert "ログイン" in Client().get("/console/login/", headers=japanese).content.decode()

    browser.post(reverse("console-language"), {"language": "en", "next": "/console/"})
    assert '<html lang="en"' in browser.get("/console/", headers=japanese).content.decode()


@pytest.mark.django_db
def test_the_api_s_words_are_english_whatever_is_asked_for(api: Any) -> None:
    refused = api.post("/api/v2/entities/", {}, headers={"accept-language": "ja"})
    assert refused.json()["errors"]["name"] == ["This field is required."]
