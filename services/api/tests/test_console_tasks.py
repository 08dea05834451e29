"""The console's form of a task: made from its schema, refused beside its fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from pagoda.jobs.models import Job
from pagoda.jobs.testing import plugin_tasks, recording_publisher
from pagoda_api.testing.host import browser_of
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.tasks import EntryReference, plugin_task

pytestmark = pytest.mark.django_db

EVIL = '<script>alert("1")</script>'
URL = "/console/tasks/shop-of-test/order/"


class Size(Enum):
    SMALL = "small"
    LARGE = EVIL


class Inner(BaseModel):
    deep: int


class OrderParams(BaseModel):
    """An order <script>alert(1)</script>."""

    name: str = Field(min_length=2, max_length=20, title=f"Name {EVIL}", description=EVIL)
    amount: int = Field(default=1, ge=1, le=9)
    weight: float | None = None
    sure: bool = False
    size: Size = Size.SMALL
    due: date | None = None
    at: datetime | None = None
    words: list[str] = []
    numbers: list[int] = []
    host: Annotated[int, EntryReference("Host")] | None = None
    inner: Inner | None = None
    limit: int | None = 5
    note: str = Field(default="as it is", max_length=2000)


@plugin_task(0, params_model=OrderParams)
def order(job: Any) -> None: ...


@plugin_task(1, params_model=OrderParams, permission="entity.add_entity")
def bounded(job: Any) -> None: ...


@plugin_task(2)
def inner(job: Any) -> None: ...


@plugin_task(3, params_model=OrderParams, target="entry")
def at_entry(job: Any) -> None: ...


@plugin_task(4, params_model=OrderParams, target="entity")
def at_entity(job: Any) -> None: ...


@plugin_task(5, params_model=OrderParams, target="entry", target_entity="Host")
def at_host(job: Any) -> None: ...


@plugin_task(6, params_model=OrderParams, target="entity", target_entity=" Host")
def at_hosts(job: Any) -> None: ...


class Shop(Plugin):
    id = "shop-of-test"
    name = "Shop"


TASKS = [order, bounded, inner, at_entry, at_entity, at_host, at_hosts]


@pytest.fixture(autouse=True)
def shop(register: Callable[[Any], Any]) -> Iterator[None]:
    register(Shop())
    with recording_publisher(), plugin_tasks("shop-of-test", TASKS):
        yield


@pytest.fixture
def browser(make_user: Any) -> Any:
    return browser_of(make_user("bob"))


def test_a_form_has_inputs_by_the_types_of_the_params(
    browser: Any, web: Any, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(16):
        answer = browser.get(URL)
    text = answer.content.decode()
    assert EVIL not in text
    assert "<script>alert" not in text
    kinds = {each.name: (each.kind, each.is_array) for each in answer.context["fields"]}
    assert kinds == {
        "name": ("string", False),
        "amount": ("integer", False),
        "weight": ("number", False),
        "sure": ("boolean", False),
        "size": ("enum", False),
        "due": ("date", False),
        "at": ("datetime", False),
        "words": ("string", True),
        "numbers": ("integer", True),
        "host": ("entry", False),
        "inner": ("json", False),
        "limit": ("integer", False),
        "note": ("text", False),
    }
    assert 'name="param-amount" value="1" type="number" step="1"' in text
    assert 'min="1" max="9"' in text
    assert 'minlength="2" maxlength="20"' in text
    assert f'entity={web.schema.name}"' in text
    assert '<option value="false" selected>' in text


def test_what_is_sent_becomes_the_params(browser: Any, web: Any) -> None:
    sent = {
        "param-name": EVIL[:20],
        "param-amount": "3",
        "param-weight": "1.5",
        "param-sure": "true",
        "param-size": "small",
        "param-due": "2026-03-31",
        "param-at": "2026-03-31T09:30:00+02:00",
        "param-words": ["a", "", "b"],
        "param-numbers": ["1", "2"],
        "param-host": "web",
        "param-inner": '{"deep": 1}',
        "param-note": "",
    }
    answer = browser.post(URL, sent)

    job = Job.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/console/jobs/{job.pk}/")
    shown = browser.get(f"/api/v2/jobs/{job.pk}/").json()
    assert (shown["user"], shown["operation_name"]) == ("bob", "order")
    assert shown["params"] == {
        "name": EVIL[:20],
        "amount": 3,
        "weight": 1.5,
        "sure": True,
        "size": "small",
        "due": "2026-03-31",
        "at": "2026-03-31T09:30:00+02:00",
        "words": ["a", "b"],
        "numbers": [1, 2],
        "host": web.pk,
        "inner": {"deep": 1},
        "note": "",
    }


def test_what_is_left_out_has_its_default(browser: Any) -> None:
    browser.post(URL, {"param-name": "abc"})
    job = Job.objects.get()
    assert browser.get(f"/api/v2/jobs/{job.pk}/").json()["params"] == {"name": "abc"}


def test_a_default_that_is_taken_away_is_no_value_where_there_may_be_none(browser: Any) -> None:
    browser.post(URL, {"param-name": "abc", "param-limit": "", "param-amount": "", "param-note": ""})
    job = Job.objects.get()
    shown = browser.get(f"/api/v2/jobs/{job.pk}/").json()["params"]
    assert shown == {"name": "abc", "limit": None, "note": ""}


@pytest.mark.parametrize(
    ("sent", "name", "fault"),
    [
        ({"param-name": "a"}, "name", "String should have at least 2 characters"),
        ({"param-name": "abc", "param-amount": "many"}, "amount", "Input should be a valid integer"),
        ({"param-name": "abc", "param-amount": "12"}, "amount", "less than or equal to 9"),
        ({"param-name": "abc", "param-numbers": ["1", "x"]}, "numbers", "1: Input should be a valid integer"),
        ({"param-name": "abc", "param-host": "nobody"}, "host", "Nothing, or more than one, is called so"),
        ({"param-name": "abc", "param-inner": "{"}, "inner", "It is no JSON"),
        (
            {"param-name": "abc", "param-inner": '{"deep": "x"}'},
            "inner",
            "deep: Input should be a valid integer",
        ),
    ],
    ids=repr,
)
def test_a_refusal_stands_beside_its_field(browser: Any, sent: Any, name: str, fault: str) -> None:
    answer = browser.post(URL, sent)
    assert answer.status_code == 400
    faults = {each.name: " ".join(each.faults) for each in answer.context["fields"] if each.faults}
    assert list(faults) == [name]
    assert fault in faults[name]
    assert f'id="param-{name}-faults"' in answer.content.decode()
    assert sent[f"param-{name}"] in (
        answer.context["fields"][list(OrderParams.model_fields).index(name)].rows[0],
        answer.context["fields"][list(OrderParams.model_fields).index(name)].rows,
    )
    assert not Job.objects.exists()


def test_an_array_gets_more_rows_without_a_script(browser: Any) -> None:
    answer = browser.post(URL, {"param-name": "abc", "param-words": ["a"], "more": "param-words"})
    assert answer.content.decode().count('name="param-words"') == 5
    assert not Job.objects.exists()


def test_tasks_are_found_by_those_who_may_run_them(browser: Any, ann: Any) -> None:
    of_all, of_some = URL, URL.replace("order", "bounded")
    for page in ("/console/jobs/", "/console/plugins/shop-of-test/"):
        assert f'href="{of_all}"' in browser.get(page).content.decode()
        assert f'href="{of_some}"' not in browser.get(page).content.decode()
        assert f'href="{of_some}"' in browser_of(ann).get(page).content.decode()
    assert browser.get(of_some).status_code == 403
    assert browser.post(of_some, {"param-name": "abc"}).status_code == 403
    assert browser.get(URL.replace("order", "inner")).status_code == 404
    assert browser.get("/console/tasks/nobody/order/").status_code == 404
    assert not Job.objects.exists()


@pytest.mark.parametrize("kind", ["entry", "entity"])
def test_a_task_is_run_on_what_it_works_on_from_its_page(browser: Any, web: Any, kind: str) -> None:
    on = {"entry": web, "entity": web.schema}[kind]
    url = URL.replace("order", f"at_{kind}")
    link = f"{url}?target={on.name}%20%23{on.pk}"
    other = {"entry": f"/console/entities/{web.schema_id}/", "entity": f"/console/entries/{web.pk}/"}[kind]
    own = {"entry": f"/console/entries/{web.pk}/", "entity": f"/console/entities/{web.schema_id}/"}[kind]
    assert f'href="{link}"' in browser.get(own).content.decode()
    assert url not in browser.get(other).content.decode()
    form = browser.get(link).content.decode()
    assert f'name="target-{kind}" value="{on.name} #{on.pk}" required' in form
    for text in (on.name, f"{on.name} #{on.pk}"):
        Job.objects.all().delete()
        assert browser.post(url, {"param-name": "abc", f"target-{kind}": text}).status_code == 302
        assert Job.objects.get().target == on


@pytest.mark.parametrize("kind", ["entry", "entity"])
@pytest.mark.parametrize("text", ["", "nobody", "nobody #99999"])
def test_what_a_task_works_on_has_to_be_there(browser: Any, web: Any, kind: str, text: str) -> None:
    url = URL.replace("order", f"at_{kind}")
    answer = browser.post(url, {"param-name": "abc", f"target-{kind}": text})
    assert answer.status_code == 400
    faults = {each.name: each.faults for each in answer.context["fields"] if each.faults}
    assert list(faults) == [kind]
    assert (f"works on an {kind}: give one" in faults[kind][0]) is (text == "")
    assert not Job.objects.exists()
    data = {"plugin": "shop-of-test", "operation": f"at_{kind}", "params": {"name": "abc"}}
    for given in ({}, {kind: 99999}, {"entity" if kind == "entry" else "entry": web.pk}):
        refused = browser.post("/api/v2/jobs/", {**data, **given}, content_type="application/json")
        assert refused.status_code == 400, given
        assert list(refused.json()["errors"]) == [kind], given


def test_a_task_of_one_entity_is_offered_there_alone(
    browser: Any, web: Any, make_entity: Any, make_entry: Any
) -> None:
    assert web.schema.name == "Host"
    other = make_entry(make_entity("Rack"), "a rack")
    for operation, path, given in (
        ("at_host", "entries", {"entry": other.pk}),
        ("at_hosts", "entities", {"entity": other.schema_id}),
    ):
        url, [kind] = URL.replace("order", operation), given
        own = web if kind == "entry" else web.schema
        assert f'href="{url}?' in browser.get(f"/console/{path}/{own.pk}/").content.decode()
        assert f'href="{url}?' not in browser.get(f"/console/{path}/{given[kind]}/").content.decode()
        data = {"plugin": "shop-of-test", "operation": operation, "params": {"name": "abc"}}
        refused = browser.post("/api/v2/jobs/", {**data, **given}, content_type="application/json")
        assert refused.status_code == 400, kind
        [told] = refused.json()["errors"][kind]
        assert told.startswith(f"Task '{operation}' works on entity 'Host' or its entries alone")
        form = browser.post(url, {"param-name": "abc", f"target-{kind}": f"x #{given[kind]}"})
        assert form.status_code == 400, kind
        assert not Job.objects.exists()
        assert browser.post(url, {"param-name": "abc", f"target-{kind}": own.name}).status_code == 302
        assert Job.objects.get().target == own
        Job.objects.all().delete()
    assert 'name="target-entity" value="Host"' in browser.get(url).content.decode()
    assert "entity=Host" in browser.get(URL.replace("order", "at_host")).content.decode()


def test_the_form_speaks_japanese(browser: Any) -> None:
    text = browser.get(URL, headers={"accept-language": "ja"}).content.decode()
    assert "order を実行" in text
