"""Many entries at once in the console: changed, deleted, exported, imported."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from pagoda.domain.entry.models import Entry
from pagoda.jobs.models import Job
from pagoda_api.testing.host import browser_of

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def browser(ann: Any) -> Client:
    return browser_of(ann)


@pytest.fixture
def hosts(make_entity: Any, make_entry: Any) -> list[Any]:
    host = make_entity("Host", address="string", count="number", tags="array_string")
    return [make_entry(host, f"host {n} {EVIL}", address="a", count=n, tags=["x"]) for n in range(3)]


def url(hosts: list[Any], what: str) -> str:
    return reverse(f"console-entity-{what}", args=[hosts[0].schema_id])


def picks(hosts: list[Any]) -> list[str]:
    return [f"{each.name} #{each.pk}" for each in hosts]


def key(hosts: list[Any], name: str) -> str:
    return f"attr-{hosts[0].schema.attrs.get(name=name).pk}"


def values(hosts: list[Any], name: str) -> list[Any]:
    return [Entry.objects.get(pk=each.pk).get_attrs()[name] for each in hosts]


def test_what_is_picked_in_the_table_is_changed_together(browser: Client, hosts: list[Any]) -> None:
    table = browser.get(reverse("console-entity", args=[hosts[0].schema_id])).content.decode()
    assert table.count('name="pick"') == 3
    form = {"pick": picks(hosts[:2]), "do": "edit"}
    asked = browser.post(url(hosts, "bulk"), form).content.decode()
    assert asked.count('type="hidden" name="pick"') == 2
    assert EVIL not in asked

    form |= {"set": [key(hosts, "address"), key(hosts, "tags")], key(hosts, "address"): "b", "sure": "1"}
    form |= {key(hosts, "count"): "99"}  # filled in, and not set
    answer = browser.post(url(hosts, "bulk"), form, follow=True)
    assert "2 entries are changed." in answer.content.decode()
    assert values(hosts, "address") == ["b", "b", "a"]
    assert values(hosts, "tags") == [[], [], ["x"]]
    assert values(hosts, "count") == [0, 1, 2]


def test_one_that_is_refused_has_nothing_changed(browser: Client, hosts: list[Any]) -> None:
    form = {"pick": picks(hosts), "set": key(hosts, "count"), key(hosts, "count"): "many", "sure": "1"}
    answer = browser.post(url(hosts, "bulk"), form)
    assert answer.status_code == 400
    assert "Nothing was written" in answer.content.decode()
    assert f"#{hosts[2].pk}: " in answer.content.decode()
    assert EVIL not in answer.content.decode()
    assert values(hosts, "count") == [0, 1, 2]


def test_they_are_deleted_together_after_a_question(browser: Client, hosts: list[Any]) -> None:
    form = {"pick": picks(hosts), "do": "delete"}
    assert "Delete 3 entries?" in browser.post(url(hosts, "bulk"), form).content.decode()
    assert Entry.objects.active().count() == 3
    browser.post(url(hosts, "bulk"), {**form, "sure": "1"})
    assert Entry.objects.active().count() == 0
    nothing = browser.post(url(hosts, "bulk"), {"do": "delete", "sure": "1"}, follow=True)
    assert "Pick entries first." in nothing.content.decode()


def test_who_may_not_change_them_is_told_and_changes_nothing(
    browser: Client, hosts: list[Any], make_user: Any
) -> None:
    type(hosts[0].schema).objects.update(default_permission=2)
    form = {"pick": picks(hosts), "do": "delete", "sure": "1"}
    assert browser_of(make_user("bob")).post(url(hosts, "bulk"), form).status_code == 400
    assert Entry.objects.active().count() == 3


def run_and_show(browser: Client, answer: Any) -> str:
    assert answer.status_code == 302, answer.context["faults"]
    job = Job.objects.latest("pk")
    assert answer["Location"] == reverse("console-job", args=[job.pk])
    job.run(will_delay=False)
    return browser.get(answer["Location"]).content.decode()


def test_a_file_is_previewed_mended_and_written(browser: Client, hosts: list[Any]) -> None:
    assert browser.get(url(hosts, "import")).status_code == 200

    def send(rows: str, **form: str) -> str:
        file = SimpleUploadedFile("hosts.csv", f"name,count\n{rows}".encode())
        return run_and_show(browser, browser.post(url(hosts, "import"), {"file": file, **form}))

    preview = send(f"new,1\n{EVIL},many\n", do="preview")
    assert "Nothing is written." in preview
    assert '<th scope="row">3</th>' in preview
    assert EVIL not in preview
    assert "1 new, 0 changed" in send("new,1\nsecond,2\n", do="preview").replace("2 new", "1 new")
    assert not Entry.objects.filter(name="new").exists()
    assert "It is written." in send("new,1\nsecond,2\n", do="import")
    assert Entry.objects.get(name="new").get_attrs()["count"] == 1


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({}, "Choose a file."),
        ({"file": SimpleUploadedFile("hosts.exe", b"x")}, "file_format"),
        ({"file": SimpleUploadedFile("hosts", b"x"), "file_format": "csv", "key": "nothing"}, "nothing"),
    ],
)
def test_what_can_t_be_imported_is_told(browser: Client, hosts: list[Any], form: Any, told: str) -> None:
    answer = browser.post(url(hosts, "import"), form)
    text = answer.content.decode() if answer.status_code == 400 else run_and_show(browser, answer)
    assert told in text


def test_an_export_is_a_job_with_a_file(browser: Client, hosts: list[Any]) -> None:
    text = run_and_show(browser, browser.post(url(hosts, "export"), {"file_format": "csv"}))
    assert "Download" in text
    refused = browser.post(url(hosts, "export"), {"file_format": "exe"}, follow=True)
    assert 'class="notice error"' in refused.content.decode()


def test_the_console_adds_no_query_for_an_entry_to_those_of_the_api(
    browser: Client, api: Any, hosts: list[Any], make_entry: Any, django_assert_max_num_queries: Any
) -> None:
    hosts += [make_entry(hosts[0].schema, f"more {number}", address="a") for number in range(20)]
    items = [{"op": "update", "id": each.pk, "attrs": {"address": "y"}} for each in hosts]
    with django_assert_max_num_queries(60) as own:
        assert api.post("/api/v2/entries/bulk/", {"items": items}).status_code == 200
    form = {"pick": picks(hosts), "set": key(hosts, "address"), key(hosts, "address"): "z", "sure": "1"}
    with django_assert_max_num_queries(len(own) + 6):
        assert browser.post(url(hosts, "bulk"), form).status_code == 302
    assert values(hosts, "address") == ["z"] * 23
