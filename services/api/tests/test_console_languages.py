"""The console speaks the language of whoever looks, and its catalogues hold all that it says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from django.test import Client
from django.urls import reverse
from django.utils.translation import gettext, override

from pagoda.audit.history import KINDS
from pagoda.fencing.states import Status
from pagoda.health.plugins import HealthStatus
from pagoda.jobs.transitions import Phase
from pagoda.plugins.records import PluginStatus
from pagoda_api.templatetags.console import word
from pagoda_api.testing.host import browser_of
from pagoda_api.words import WORDS
from pagoda_plugin_sdk.operations import JobStatus
from tools.messages import API, CATALOGUES, ROOT, SOURCES, compiled, read, said

TEMPLATES = sorted(API.glob("templates/*/*.html"))
HINT = "run `make messages` and fill in what it names"


@pytest.fixture(params=CATALOGUES, ids=lambda path: f"{path.parts[-5]}-{path.parts[-3]}")
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_every_message_has_its_text_and_none_is_stale(path: Path) -> None:
    catalogue = read(path)
    known = {message.id: message for message in catalogue if message.id}
    assert sorted(said(path) ^ known.keys()) == [], HINT
    assert [text for text, message in known.items() if not message.string or message.fuzzy] == [], HINT


def test_texts_have_the_places_of_their_messages(path: Path) -> None:
    def places(text: Any) -> list[str]:
        return sorted(re.findall(r"%(?:\(\w+\))?[sdr]|{{|}}|(?<!{){\w+(?:![rs])?(?::[^}]+)?}", text))

    wrong = [each.id for each in read(path) if each.id and places(each.id) != places(each.string)]
    assert wrong == []


def test_what_is_loaded_is_what_is_written(path: Path) -> None:
    catalogue: Catalog = read(path)
    assert path.with_suffix(".mo").read_bytes() == compiled(catalogue), HINT


OF_CODE = r"`[^`]*`|{{.*?}}|\\{[^}]*\\}|%\\(\\w+\\)s|/\\S+|'[^']*'|\"[^\"]*\"|[A-Z_]{4,}"
JAPANESE = "[\u3041-\u30ff\u4e00-\u9fff\u300d\uff09]"


def test_japanese_keeps_to_its_glossary_and_to_full_width_signs(path: Path) -> None:
    catalogue = read(path)
    words = dict(re.findall(r"^# ([a-z ]+) = (\S+)$", catalogue.header_comment, re.MULTILINE))
    assert len(words) > 15, "the head of the catalogue has them"
    other, narrow = [], []
    for message in (each for each in catalogue if each.id):
        said, told = re.sub(OF_CODE, "", str(message.id)), str(message.string)
        narrow += re.findall(f".*{JAPANESE} ?[:?!(].*", re.sub(OF_CODE, "", told))
        for term, its in words.items():
            plural = f"{term.removesuffix('y')}ies" if term.endswith("y") else f"{term}s"
            if re.search(rf"\b({term}|{plural})\b", said, re.IGNORECASE):
                other += [(term, told)] if its not in told and term not in told else []
    assert narrow == []
    assert other == []


WHERE_PEOPLE_ARE_REFUSED = (
    "sdk/src/pagoda_plugin_sdk/rules",
    "core/src/pagoda/domain",
    "core/src/pagoda/transfer",
    "core/src/pagoda/jobs/offering.py",
    "core/src/pagoda/jobs/store",
    "core/src/pagoda/watching/operating.py",
    "services/api/src/pagoda_api/console",
    "services/api/src/pagoda_api/resources",
    "services/api/src/pagoda_api/strict.py",
)
REFUSALS = {"ValidationError", "ValueFault", "PermissionDenied", "Http404", "NotFound", "Conflict"}
REFUSALS |= {"EntryProtected", "InvalidParams", "TooManyJobs"}
MARKS = {"say", "gettext", "gettext_lazy"}
OF_AUTHORS = {"extend_schema", "beyond", "UnusableResponse", "_unusable", "InvalidParams", "RuntimeError"}
"""Whose texts are for who writes plugins, programs or Pagoda, which are in English."""
FOR_PROGRAMS = r"\b(SELECT|UPDATE|CASE|WHERE|AND|DROP|CREATE|COALESCE|LIKE|WITH)\b|^[\w.]+/?[\w.-]+$"


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def sentences(node: ast.AST, *, is_said: bool = False) -> Iterator[str]:
    """Yield the sentences of a module's functions that no mark stands around."""
    match node:
        case ast.Call() if name_of(node) in MARKS | OF_AUTHORS or ast.unparse(node.func).startswith("log."):
            return
        case ast.keyword(arg="help_text" | "description") | ast.Expr(value=ast.Constant()):
            return
        case ast.JoinedStr(values=values):
            texts = [" ".join(str(each.value) for each in values if isinstance(each, ast.Constant))]
        case ast.Constant(value=str() as text):
            texts = [text]
        case _:
            is_said |= isinstance(node, ast.FunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from sentences(child, is_said=is_said)
            return
    for text in texts if is_said else ():
        if len(re.findall(r"\b[a-z']{2,}\b", text)) >= 3 and not re.search(FOR_PROGRAMS, text):
            yield text


def test_no_module_that_refuses_people_says_why_in_english_alone() -> None:
    unmarked, looked_at = [], 0
    for place in WHERE_PEOPLE_ARE_REFUSED:
        for path in [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py")):
            made = ast.parse(path.read_text())
            calls = [each for each in ast.walk(made) if isinstance(each, ast.Call)]
            if REFUSALS.isdisjoint(map(name_of, calls)):
                continue
            looked_at += 1
            unmarked += [f"{path.name}: {text}" for text in sentences(made)]
    assert looked_at > 40
    assert unmarked == [], "put `say` of pagoda_plugin_sdk.rules.saying around it"


def test_what_is_said_is_a_literal_with_a_value_for_each_of_its_places() -> None:
    wrong, said_at = [], 0
    for path in (each for folders in SOURCES.values() for folder in folders for each in folder.rglob("*.py")):
        for call in (each for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.Call)):
            if name_of(call) != "say":
                continue
            said_at += 1
            text = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
            places = {name for _, name, _, _ in Formatter().parse(str(text)) if name is not None}
            if text is None or places != {each.arg for each in call.keywords}:
                wrong.append(f"{path.name}:{call.lineno}")
    assert said_at > 200
    assert wrong == []


UNSEEN = (
    r"{%\s*blocktranslate.*?endblocktranslate\s*%}",  # is marked
    r"{%.*?%}|{{.*?}}|{#.*?#}",
    r"<code>.*?</code>|<!doctype html>",
)
NAMES = {"Pagoda", "API", "Flower", "JSON"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_all_that_people_read_in_a_template_is_marked(template: Path) -> None:
    text = template.read_text()
    for pattern in UNSEEN:
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    attributes = re.findall(r"(?:aria-label|placeholder|title|alt)=\"([^\"]*)\"", text)
    read_out = [*attributes, *re.split(r"<[^>]*>", text)]
    words = {each for part in read_out for each in re.findall(r"[A-Za-z]{2,}", part)}
    examples = {"T09"} if template.name in ("_field.html", "_param.html") else set()
    assert words - NAMES - examples == set(), "write {% translate %} around it"


def test_the_console_says_what_its_catalogue_has() -> None:
    """Other apps have catalogues, too, with other words for some of the texts."""
    [catalogue] = [path for path in CATALOGUES if "pagoda_api" in str(path)]
    texts = {str(each.id): str(each.string) for each in read(catalogue) if each.id}
    assert len(texts) > 500
    with override("ja"):
        assert {text: gettext(text) for text, told in texts.items() if gettext(text) != told} == {}


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


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "told"),
    [("en", "expected a number such as 3 or 3.5"), ("ja", "3 や 3.5 のような数を入れてください")],
)
def test_a_form_says_what_is_wrong_in_the_language_of_whoever_sent_it(
    ann: Any, make_entity: Any, language: str, told: str
) -> None:
    entity = make_entity("Thing", size="number")
    data = {"name": "a", f"attr-{entity.attrs.get().pk}": "large"}
    browser, url = browser_of(ann), reverse("console-entry-new", args=[entity.pk])
    answer = browser.post(url, data, headers={"accept-language": language})
    assert told in answer.content.decode()


@pytest.mark.django_db
def test_a_page_that_is_not_there_says_so_in_the_language_of_whoever_asks(ann: Any) -> None:
    answer = browser_of(ann).get("/console/nowhere/", headers={"accept-language": "ja"})
    assert "'/console/nowhere/' には何もありません" in answer.content.decode().replace("&#x27;", "'")
