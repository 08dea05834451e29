"""The attributes of an entity in the console: a look at values comes before a change of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level
from pagoda.jobs.models import Job
from pagoda_api.testing.host import browser_of

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def browser(ann: Any) -> Client:
    return browser_of(ann)


@pytest.fixture
def host(make_entity: Any, make_entry: Any) -> Entity:
    entity: Entity = make_entity("Host", ram="string", owner="string")
    for name, ram in ((f"a {EVIL}", "1"), ("b", "2.5")):
        make_entry(entity, name, ram=ram)
    return entity


def url(host: Entity, what: str = "", name: str = "ram") -> str:
    if what in ("", "new"):
        return reverse(f"console-attribute{'-new' if what else 's'}", args=[host.pk])
    of = "" if what == "change" else f"-{what}"
    return reverse(f"console-attribute{of}", args=[host.pk, host.attrs.get(name=name).pk])


def form(browser: Client, host: Entity, **changed: Any) -> dict[str, Any]:
    """Return the form of the attribute as a browser sends it."""
    shown = browser.get(url(host, "change")).context
    sent = {each.key: [row.text for row in each.rows] for each in shown["fields"]}
    return {**sent, "version": shown["version"], **{f"attr-{key}": value for key, value in changed.items()}}


def read(host: Entity) -> list[Any]:
    return [each.get_attrs()["ram"] for each in Entry.objects.filter(schema=host).order_by("pk")]


def text_of(answer: Any) -> str:
    text = answer.content.decode()
    assert EVIL not in text
    return str(text)


def test_another_type_is_looked_at_and_then_done(browser: Client, host: Entity) -> None:
    assert f'href="{url(host)}"' in text_of(browser.get(reverse("console-entity", args=[host.pk])))
    assert f'href="{url(host, "change")}"' in text_of(browser.get(url(host)))
    sent = form(browser, host, type="number")

    looked = browser.post(url(host, "change"), sent)

    assert looked.status_code == 200
    assert "Values of string become number" in text_of(looked)
    assert "2 entries, 0 of them with a fault." in text_of(looked)
    assert read(host) == ["1", "2.5"]
    assert ("attr-type", "number") in looked.context["posted"]
    again = browser.post(url(host, "change"), {**sent, "again": "1"})
    assert '<option value="number" selected>' in text_of(again)
    done = browser.post(url(host, "change"), {**sent, "sure": "1"}, follow=True)
    assert "The attributes of Host are stored." in text_of(done)
    assert read(host) == [1, 2.5]


def test_faults_are_told_with_their_entries_and_nothing_is_done(
    browser: Client, host: Entity, make_entry: Any
) -> None:
    bad = make_entry(host, "c", ram=f"much {EVIL}")
    sent = form(browser, host, type="number")

    for more in ({}, {"sure": "1"}):
        answer = browser.post(url(host, "change"), {**sent, **more})
        assert answer.status_code == 400
        text = text_of(answer)
        assert "3 entries, 1 of them with a fault." in text
        assert reverse("console-entry", args=[bad.pk]) in text
        assert 'name="sure"' not in text

    assert host.attrs.get(name="ram").attr_type.type_name == "string"


def test_what_no_value_has_to_do_with_is_stored_at_once(browser: Client, host: Entity) -> None:
    sent = form(browser, host, name="memory", note="GiB", index="7", default_value="4")
    answer = browser.post(url(host, "change"), sent, follow=True)
    assert "are stored" in text_of(answer)
    attr = EntityAttr.objects.get(parent_entity=host, name="memory")
    assert (attr.note, attr.index, attr.default_value) == ("GiB", 7, "4")


def test_an_attribute_is_added(browser: Client, host: Entity, make_entity: Any) -> None:
    site = make_entity("Site")
    assert "New attribute" in text_of(browser.get(url(host, "new")))
    missing = browser.post(url(host, "new"), {"attr-name": "site"})
    assert (missing.status_code, "has no &#x27;type&#x27;" in text_of(missing)) == (400, True)

    sent = {"attr-name": "site", "attr-type": "array_object", "attr-referral": [f"Site #{site.pk}", ""]}
    sent |= {"attr-on_delete": "protect", "attr-is_indexed": "true"}
    assert browser.post(url(host, "new"), sent).status_code == 302
    sent = {"attr-name": "level", "attr-type": "select", "attr-choices": ["low", "high"]}
    assert browser.post(url(host, "new"), {**sent, "attr-default_value": "low"}).status_code == 302

    attr = host.attrs.get(name="site")
    assert (attr.attr_type.type_name, attr.on_delete, attr.is_indexed) == ("array_object", "protect", True)
    assert list(attr.referral.all()) == [site]
    assert host.attrs.get(name="level").default_value == "low"


def test_an_attribute_is_removed_after_a_look_and_restored(browser: Client, host: Entity) -> None:
    asked = text_of(browser.get(url(host, "remove")))
    assert "Remove ram?" in asked
    assert "2 entries" in asked
    version = browser.get(url(host, "remove")).context["version"]

    assert browser.post(url(host, "remove"), {"version": version, "sure": "1"}).status_code == 302
    assert "Removed attributes" in text_of(browser.get(url(host)))
    assert not host.attrs.get(name="ram").is_active
    browser.post(url(host, "restore"))

    assert read(host) == ["1", "2.5"]
    assert "Removed attributes" not in text_of(browser.get(url(host)))


@pytest.mark.parametrize("what", ["change", "remove"])
def test_what_somebody_else_changed_meanwhile_is_not_overwritten(
    browser: Client, host: Entity, what: str
) -> None:
    sent = form(browser, host, note="mine")
    host.update_attrs(None, [{"id": host.attrs.get(name="ram").pk, "note": "theirs"}])

    answer = browser.post(url(host, what), {**sent, "sure": "1"})

    assert answer.status_code == 409
    assert "Somebody else has changed this entity" in text_of(answer)
    attr = host.attrs.get(name="ram")
    assert (attr.note, attr.is_active) == ("theirs", True)
    assert ("Now stored: theirs" in text_of(answer)) is (what == "change")
    sent["version"] = answer.context["version"]
    assert browser.post(url(host, what), {**sent, "sure": "1"}).status_code == 302


def test_more_values_than_one_request_converts_are_given_to_a_job(
    browser: Client, host: Entity, settings: Any
) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"domain_max_converted": 1})
    sent = form(browser, host, type="number")
    assert "A job converts the values of all" in text_of(browser.post(url(host, "change"), sent))
    answer = browser.post(url(host, "change"), {**sent, "sure": "1"})
    job = Job.objects.get()
    assert answer.headers["Location"] == reverse("console-job", args=[job.pk])
    job.run(will_delay=False)
    assert read(host) == [1, 2.5]


def test_who_may_not_change_the_entity_changes_nothing(host: Entity, make_user: Any) -> None:
    eve = browser_of(make_user("eve"))
    Entity.objects.filter(pk=host.pk).update(default_permission=Level.READABLE)
    answer = eve.post(url(host, "change"), form(eve, host, name="x"))
    assert (answer.status_code, host.attrs.filter(name="x").exists()) == (403, False)
    assert "permission on entity" in text_of(answer)
    assert eve.get(url(host, "remove")).status_code == 403
    Entity.objects.filter(pk=host.pk).update(default_permission=Level.NOTHING)
    for what in ("", "new", "change", "remove"):
        assert eve.get(url(host, what)).status_code == 404
    assert eve.post(url(host, "restore")).status_code == 302


def test_queries_do_not_grow_with_attributes_and_entries(
    browser: Client, host: Entity, make_entry: Any, django_assert_max_num_queries: Any
) -> None:
    host.update_attrs(None, [{"name": f"more {n}", "type": "string"} for n in range(40)])
    for number in range(20):
        make_entry(host, f"more {number}", ram=str(number))
    sent = form(browser, host, type="number")
    with django_assert_max_num_queries(20):
        assert browser.get(url(host)).status_code == 200
    with django_assert_max_num_queries(15):
        assert browser.get(url(host, "change")).status_code == 200
    with django_assert_max_num_queries(60):
        assert browser.post(url(host, "change"), sent).status_code == 200
