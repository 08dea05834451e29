"""Jobs and plugins in the console: watched, cancelled, run again, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import reverse

from pagoda.audit.models import AuditEvent
from pagoda.hooks.manager import manager
from pagoda.jobs import operations, store
from pagoda.jobs.models import Job, JobLog
from pagoda.jobs.testing import plugin_tasks, recording_publisher
from pagoda.plugins.registry import registry
from pagoda_api.testing.host import browser_of
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.tasks import plugin_task

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


@plugin_task(0)
def restock(job: Any) -> None: ...


@pytest.fixture
def make_job(db: None) -> Iterator[Callable[..., Job]]:
    def make(user: Any = None, **fields: Any) -> Job:
        return store.submit(
            store.JobRequest(operation=operations.resolve_name("shop", "restock"), user=user, **fields)
        )

    with recording_publisher(), plugin_tasks("shop", [restock], cancelable_operations=["restock"]):
        yield make


def attempt_of(job: Job) -> Any:
    attempt = store.claim(job.pk, "node/1", 30)
    assert attempt is not None
    return attempt


def page(job: Job, name: str = "console-job") -> str:
    return reverse(name, args=[job.pk])


def test_a_job_is_watched_until_it_ends(ann: Any, make_job: Callable[..., Job]) -> None:
    job, browser = make_job(ann, params={"shelf": EVIL}), browser_of(ann)
    attempt = attempt_of(job)
    store.set_progress(attempt, 40.0, EVIL)
    job.logs.create(level="INFO", message=f"line {EVIL}", attempt=1)

    text = browser.get(page(job)).content.decode()
    assert "line &lt;script&gt;" in text
    assert EVIL not in text
    last = job.logs.get().pk
    live = f"{page(job, 'console-job-live')}?after={last}&wait=1"
    assert live.replace("&", "&amp;") in text

    quiet = browser.get(live)
    assert (quiet.context["wait"], quiet.context["next_wait"]) == (1, 2)
    assert "hx-swap-oob" not in quiet.content.decode()
    job.logs.create(level="INFO", message="news", attempt=1)
    news = browser.get(live.replace("wait=1", "wait=30")).content.decode()
    assert 'hx-swap-oob="beforeend:#log-lines"' in news
    assert "wait=1" in news

    store.finish(attempt, JobStatus.DONE, text="ended")
    assert "hx-get" not in browser.get(live).content.decode()


def test_a_long_log_is_read_to_its_end_without_a_script(ann: Any, make_job: Callable[..., Job]) -> None:
    job, browser = make_job(ann), browser_of(ann)
    attempt = attempt_of(job)
    lines = [JobLog(job=job, level="INFO", message=f"line {number};", attempt=1) for number in range(2_500)]
    JobLog.objects.bulk_create(lines)
    store.finish(attempt, JobStatus.DONE)
    path, seen = page(job), list[str]()
    while path:
        answer = browser.get(path)
        text = answer.content.decode()
        seen += re.findall(r"line \d+;", text)
        further = re.search(r'href="(\?after=\d+)#log"', text)
        assert bool(further) == ("hx-get" in text), "a script asks for the rest, too"
        path = page(job) + further[1] if further else ""
    assert seen == [f"line {number};" for number in range(2_500)]


def test_waiting_is_bounded(ann: Any, make_job: Callable[..., Job]) -> None:
    answer = browser_of(ann).get(f"{page(make_job(ann), 'console-job-live')}?after=x&wait=30")
    assert answer.context["next_wait"] == 30


def test_a_job_is_cancelled_and_run_again(ann: Any, make_job: Callable[..., Job]) -> None:
    job, browser = make_job(ann), browser_of(ann)
    browser.post(reverse("console-job-control", args=[job.pk, "cancel"]))
    job.refresh_from_db()
    assert JobStatus(job.status).name == "CANCELED"
    assert "Run it again" in browser.get(page(job)).content.decode()
    browser.post(reverse("console-job-control", args=[job.pk, "retry"]))
    job.refresh_from_db()
    assert job.finished_at is None


def test_what_the_api_refuses_is_told(ann: Any, make_job: Callable[..., Job]) -> None:
    job, browser = make_job(ann), browser_of(ann)
    answer = browser.post(reverse("console-job-control", args=[job.pk, "retry"]), follow=True)
    assert 'class="notice error"' in answer.content.decode()


def test_jobs_of_others_are_not_there(make_user: Any, ann: Any, make_job: Callable[..., Job]) -> None:
    job, browser = make_job(ann), browser_of(make_user("bob"))
    assert browser.get(page(job)).status_code == 404
    assert page(job) not in browser.get("/console/jobs/").content.decode()
    assert browser.post(reverse("console-job-control", args=[job.pk, "cancel"])).status_code == 302
    job.refresh_from_db()
    assert job.finished_at is None


def test_the_list_is_filtered_by_the_url(ann: Any, make_job: Callable[..., Job]) -> None:
    job, browser = make_job(ann), browser_of(ann)
    assert page(job) in browser.get("/console/jobs/?status=processing&user=me&plugin=").content.decode()
    assert page(job) not in browser.get("/console/jobs/?status=error").content.decode()
    assert "There is no status &#x27;lost&#x27;" in browser.get("/console/jobs/?status=lost").content.decode()


def test_a_failed_job_needs_a_person(ann: Any, make_job: Callable[..., Job]) -> None:
    job = make_job(ann)
    store.finish(attempt_of(job), JobStatus.ERROR, text=EVIL)
    text = browser_of(ann).get("/console/").content.decode()
    assert f'<li class="failing"><a href="{page(job)}">' in text
    assert EVIL not in text


class Shop(Plugin):
    id = "shop-of-test"
    name = EVIL
    description = EVIL


def test_a_plugin_is_shown_with_what_is_wrong(ann: Any, register: Callable[[Any], Any]) -> None:
    register(Shop())
    registry().report_fault("shop-of-test", "urls_failed", f"its URLs are broken {EVIL}. Mend them.")
    browser = browser_of(ann)
    for url in ("/console/", "/console/plugins/", "/console/plugins/shop-of-test/"):
        text = browser.get(url).content.decode()
        assert "its URLs are broken &lt;script&gt;" in text, url
        assert EVIL not in text, url
    assert browser.get("/console/plugins/nowhere/").status_code == 404


def test_what_the_host_says_of_a_plugin_and_its_jobs_is_told_in_the_reader_s_language(
    ann: Any, make_job: Callable[..., Job], register: Callable[[Any], Any]
) -> None:
    register(Shop())
    job, japanese = make_job(ann), {"accept-language": "ja"}
    attempt = attempt_of(job)
    store.finish(attempt, JobStatus.ERROR, error="worker lost 2 times (poison): node-1 was killed")
    registry().report_fault("shop-of-test", "urls_failed", "its URLs are broken")
    browser = browser_of(ann)
    told = ("ワーカーが 2 回失われたため、再実行しません", "node-1 が強制終了されました")
    for url in (page(job), "/console/"):
        assert "\uff1a".join(told) in browser.get(url, headers=japanese).content.decode(), url
        assert "worker lost 2 times (poison): node-1 was killed" in browser.get(url).content.decode(), url
    for url in ("/console/", "/console/plugins/", "/console/plugins/shop-of-test/"):
        text = browser.get(url, headers=japanese).content.decode()
        assert "URL を提供できません。それ以外は動作しています" in text, url
        assert 'lang="en">its URLs are broken' in text, url
        assert "restart the processes" in browser.get(url).content.decode(), url


def test_attempts_are_told_from_the_log(ann: Any, make_job: Callable[..., Job]) -> None:
    job = make_job(ann)
    attempt_of(job)
    for attempt, level in ((1, "INFO"), (1, "ERROR"), (2, "WARNING"), (2, "INFO")):
        job.logs.create(level=level, message="line", attempt=attempt)
    told = browser_of(ann).get(page(job)).context["attempts"]
    assert [(each["number"], each["faults"]) for each in told] == [(1, 1), (2, 1)]
    assert all(each["began"] <= each["ended"] for each in told)


def test_what_belongs_to_a_request_is_shown_as_far_as_one_may_see_it(
    ann: Any, make_user: Any, make_job: Callable[..., Job], django_assert_max_num_queries: Any
) -> None:
    job, other = make_job(ann), make_job(ann)
    Job.objects.filter(pk=job.pk).update(request_id="of-it")
    AuditEvent.objects.create(
        action="job.submitted", actor="ann", subject_type="job", subject=EVIL, request_id="of-it"
    )
    url = reverse("console-request", args=["of-it"])
    assert url in browser_of(ann).get(page(job)).content.decode()
    text = browser_of(ann).get(url).content.decode()
    assert page(job) in text
    assert page(other) not in text
    assert "shown to auditors" in text
    assert page(job) not in browser_of(make_user("bob")).get(url).content.decode()
    auditor = browser_of(make_user("root", is_superuser=True))
    with django_assert_max_num_queries(14):
        text = auditor.get(url).content.decode()
    assert "job.submitted" in text
    assert "&lt;script&gt;" in text
    assert EVIL not in text


def test_hooks_of_all_plugins_are_told_in_their_order(
    ann: Any, register: Callable[[Any], Any], django_assert_max_num_queries: Any
) -> None:
    register(Shop())
    for entity, priority in ((None, 50), ("Host", 10), ("Rack", 20)):
        manager().register_hook(
            "entry.before_update",
            lambda *_args, **_given: None,
            plugin_id="shop-of-test",
            entity=entity,
            priority=priority,
        )
    try:
        browser = browser_of(ann)
        with django_assert_max_num_queries(8):
            every = browser.get("/console/hooks/")
        assert [each["entity"] for each in every.context["hooks"]] == ["Host", "Rack", None]
        assert [each["position"] for each in every.context["hooks"]] == [1, 2, 3]
        assert EVIL not in every.content.decode()
        of_host = browser.get("/console/hooks/?entity=Host").context["hooks"]
        assert [each["entity"] for each in of_host] == ["Host", None]
    finally:
        manager().unregister_plugin("shop-of-test")
