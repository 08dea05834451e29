"""The inventory in the console, on the real host."""

from __future__ import annotations

from typing import Any

from pagoda_inventory.schema import HOST
from pagoda_inventory.tasks import take_stock
from pagoda_plugin_sdk import Job, JobStatus, PermissionLevel
from pagoda_plugin_sdk.models import Entity, Entry
from pagoda_plugin_sdk.testing import FakeJob


def test_a_host_shows_its_packages_and_no_others(pagoda_host: Any, make: Any) -> None:
    for name in ("web-1", "web-10"):
        facts = make.machine(make.package(f"on-{name}", "2.5"), host=make.host(hostname=name))
        take_stock(FakeJob(), facts)
    host = Entry.objects.get(schema__name=HOST, name="web-1")
    ann = pagoda_host.user("ann")
    pagoda_host.allow(ann, PermissionLevel.READABLE)

    [panel] = pagoda_host.browser(ann).get(f"/console/entries/{host.id}/").context["panels"]

    assert (panel.title, panel.notice) == ("Python packages", "")
    assert ">on-web-1</a>" in panel.content
    assert "<td>2.5</td><td>/srv/app</td>" in panel.content
    assert "on-web-10" not in panel.content


def test_packages_that_one_may_not_see_are_not_told(pagoda_host: Any, make: Any) -> None:
    take_stock(FakeJob(), make.machine(make.package("secret")))
    host = Entry.objects.get(schema__name=HOST, name="web-1")
    entity: Any = Entity.objects.get(name="PythonPackage")
    entity.default_permission = PermissionLevel.NOTHING
    entity.save()

    page = pagoda_host.browser(pagoda_host.user("bob")).get(f"/console/entries/{host.id}/")

    assert [each.notice for each in page.context["panels"]] == [""]
    assert "secret" not in page.content.decode()
    assert "None was found, or none that you may see." in page.content.decode()


def test_scans_are_listed_and_started(pagoda_host: Any) -> None:
    ann, url = pagoda_host.user("ann"), "/console/plugins/inventory/scans/"
    browser = pagoda_host.browser(ann)
    assert "No scan that you may see." in browser.get(url).content.decode()

    answer = browser.post(url)

    job: Any = Job.objects.get(plugin="inventory")
    assert (answer.status_code, answer["Location"]) == (302, f"/console/jobs/{job.id}/")
    jobs: Any = Job.objects.filter(id=job.id)
    jobs.update(
        status=JobStatus.DONE, result={"host": "<b>web-1</b>", "created": {"Host": 1, "PythonPackage": 41}}
    )
    page = browser.get(url).content.decode()
    assert f'<a href="/console/jobs/{job.id}/">{job.id}</a>' in page
    assert '<td>done</td><td>&lt;b&gt;web-1&lt;/b&gt;</td><td class="number">42</td>' in page
    stranger = pagoda_host.browser(pagoda_host.user("bob")).get(url).content.decode()
    assert "No scan that you may see." in stranger


def test_a_scan_without_the_token_of_the_form_is_refused(pagoda_host: Any) -> None:
    browser = pagoda_host.browser(pagoda_host.user("ann"))
    browser.handler.enforce_csrf_checks = True

    assert browser.post("/console/plugins/inventory/scans/").status_code == 403
    assert not Job.objects.all()
