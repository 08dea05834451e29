"""The admin names its tables, fields and controls in the reader's language, and no migration comes of it."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.admin import site
from django.core.management import call_command
from django.utils.translation import gettext, override

from pagoda_api.admin_names import APPS, NAMES, OF_UNFOLD
from pagoda_api.testing.host import browser_of

SAME = {"ID"}
"""Which Japanese writes as English does."""


def test_every_table_and_field_has_a_name_in_japanese() -> None:
    tables = [*site._registry, *(each.model for admin in site._registry.values() for each in admin.inlines)]
    named = [part for table in tables for part in (table._meta, *table._meta.fields)]
    assert len(named) > 100

    def told() -> set[str]:
        return {str(each.verbose_name) for each in named} | {
            str(each._meta.verbose_name_plural) for each in tables
        }

    english = told()
    with override("ja"):
        left = told() & english
    assert left - SAME == set(), "add them to NAMES, and fill in what `make messages` names"


@pytest.mark.parametrize("texts", [APPS, NAMES, OF_UNFOLD], ids=["apps", "names", "unfold"])
def test_each_has_its_text(texts: tuple[str, ...]) -> None:
    with override("ja"):
        assert [each for each in texts if gettext(each) == each] == []


@pytest.mark.django_db
def test_names_in_languages_ask_for_no_migration() -> None:
    told = StringIO()
    with override("ja"):
        call_command("makemigrations", "--check", "--dry-run", stdout=told)
    assert told.getvalue() == "No changes detected\n"


@pytest.mark.django_db
def test_a_list_and_a_form_are_shown_in_japanese(make_user: Any, web: Any) -> None:
    browser, japanese = browser_of(make_user("root", is_superuser=True)), {"accept-language": "ja"}
    shown = {
        "/admin/entry/entry/": ("更新日時", "絞り込み"),
        f"/admin/entry/entry/{web.pk}/change/": ("既定の権限",),
    }
    for url, words in shown.items():
        japanese_page = browser.get(url, headers=japanese).content.decode()
        english_page = browser.get(url, headers={"accept-language": "en"}).content.decode()
        for each in words:
            assert each in japanese_page, url
            assert each not in english_page, url
        assert "pdated time" not in japanese_page, url


def test_programs_are_told_names_in_english() -> None:
    assert {str(table._meta.verbose_name) for table in site._registry} >= {"entry", "entity", "role", "job"}
    assert {str(table._meta.verbose_name_plural) for table in site._registry} >= {"entries", "roles", "jobs"}
