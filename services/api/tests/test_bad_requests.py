"""Requests that are wrong: a clear answer that names what is wrong, and nothing half-written."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.django_db

ENTRIES = "/api/v2/entries/"
ENTITIES = "/api/v2/entities/"
JOBS = "/api/v2/jobs/"

unwritten = pytest.mark.usefixtures("nothing_is_written")


@unwritten
@pytest.mark.parametrize("url", [ENTRIES, ENTITIES, "/api/v2/auth/token/", "/api/v2/auth/login/"])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"name": ', "JSON parse error"),
        (b"\xff\xfe", "JSON parse error"),
        (b'{"name": NaN}', "JSON parse error - Out of range float values are not JSON compliant"),
        (b"[" * 100_000, "too deeply nested"),
        (b'{"name": "\\ud800"}', "half of a surrogate pair"),
        (b'{"name": "a", "name": "b"}', "the key 'name' is twice in one object; keep one."),
        (b'{"name": "a", "attrs": {"os": 1, "x": {"b": 1, "b": 1}}}', "the key 'b' is twice"),
        (b"[1, 2]", "Expected a dictionary"),
        (b'"text"', "Expected a dictionary"),
        (b"null", "No data provided"),
    ],
    ids=[
        "cut off",
        "not UTF-8",
        "NaN",
        "nested",
        "surrogate",
        "twice",
        "twice inside",
        "list",
        "text",
        "null",
    ],
)
def test_body_that_is_no_json_object(api: Any, url: str, body: bytes, says: str) -> None:
    response = api.generic("POST", url, body, content_type="application/json")

    assert response.status_code == 400
    assert says in response.json()["detail"]
    assert response.json()["code"] in ("parse_error", "invalid")


@unwritten
def test_body_of_another_type(api: Any) -> None:
    response = api.generic("POST", ENTRIES, b"name=web", content_type="application/x-www-form-urlencoded")

    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_media_type"


@unwritten
@pytest.mark.parametrize("charset", ["zlib", "bz2", "hex", "quopri", "rot13"])
def test_body_in_a_charset_that_is_none_of_text(api: Any, charset: str) -> None:
    kind = f"application/json; charset={charset}"

    response = api.generic("POST", ENTRIES, b"{}", content_type=kind)

    assert response.status_code == 400
    assert charset in response.json()["detail"]


@unwritten
def test_body_that_is_too_long(api: Any, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    response = api.post(ENTRIES, {"name": "x" * 1000, "schema": "Host"})

    assert response.status_code == 413
    assert "at most 1000 are accepted" in response.json()["detail"]


@unwritten
@pytest.mark.parametrize(
    ("url", "parameters", "key", "says"),
    [
        (ENTRIES, {"limit": 1001}, "limit", "'1001' is not a whole number from 1 to 1000."),
        (ENTRIES, {"limit": 10**30}, "limit", "is not a whole number from 1 to 1000."),
        (ENTRIES, {"limit": 0}, "limit", "'0' is not a whole number from 1 to 1000."),
        (ENTRIES, {"limit": "all"}, "limit", "'all' is not a whole number from 1 to 1000."),
        (ENTRIES, {"offset": -1}, "offset", "'-1' is not a whole number from 0"),
        (ENTRIES, {"offset": 10**30}, "offset", "is not a whole number from 0"),
        (ENTRIES, {"entity": "Hots"}, "entity", "There is no entity 'Hots'. Did you mean 'Host'?"),
        (ENTRIES, {"entity": 10**6}, "entity", "There is no entity '1000000'."),
        (ENTRIES, {"entity": 10**30}, "entity", "There is no entity"),
        (ENTRIES, {"entity": "²"}, "entity", "There is no entity '²'."),
        (ENTRIES, {"is_active": "maybe"}, "is_active", "maybe is not one of the available choices"),
        (ENTRIES, {"search": "a\0b"}, "search", "Null characters are not allowed"),
        (ENTRIES, {"serach": "x"}, "serach", "no query parameter 'serach'. Did you mean 'search'?"),
        (ENTITIES, {"limit": 1001}, "limit", "'1001' is not a whole number from 1 to 1000."),
        (ENTITIES, {"entity": "Host"}, "entity", "There is no query parameter 'entity'."),
        (JOBS, {"limit": 1001}, "limit", "'1001' is not a whole number from 1 to 1000."),
        (JOBS, {"status": "don"}, "status", "There is no status 'don'. Did you mean 'done'?"),
        (JOBS, {"plugin": "nothing"}, "plugin", "No enabled plugin is called 'nothing'."),
        (JOBS, {"created_after": "yesterday"}, "created_after", "Enter a valid date/time"),
        (JOBS, {"hidden": "maybe"}, "hidden", "maybe is not one of the available choices"),
        (JOBS, {"cursor": "!"}, "cursor", "'!' is no cursor. Follow the links of the pages."),
        (JOBS, {"cursor": "bz14"}, "cursor", "is no cursor"),
        (JOBS, {"cursor": "cD1hYmM="}, "cursor", "is no cursor"),
        (JOBS, {"statsu": "done"}, "statsu", "Did you mean 'status'"),
    ],
)
def test_query_that_is_wrong(api: Any, url: str, parameters: dict[str, Any], key: str, says: str) -> None:
    response = api.get(url, parameters)

    assert response.status_code == 400, response.json()
    assert says in str(response.json()["errors"][key])


@unwritten
@pytest.mark.parametrize("identity", ["1000000", str(10**30), "0"])
@pytest.mark.parametrize(
    ("method", "path", "noun"),
    [
        ("get", "entries/{}/", "entry"),
        ("patch", "entries/{}/", "entry"),
        ("delete", "entries/{}/", "entry"),
        ("post", "entries/{}/restore/", "entry"),
        ("post", "entries/{}/revert/", "entry"),
        ("get", "entries/{}/history/", "entry"),
        ("get", "entities/{}/", "entity"),
        ("patch", "entities/{}/", "entity"),
        ("put", "entities/{}/", "entity"),
        ("delete", "entities/{}/", "entity"),
        ("post", "entities/{}/restore/", "entity"),
        ("get", "jobs/{}/", "job"),
        ("post", "jobs/{}/cancel/", "job"),
        ("post", "jobs/{}/retry/", "job"),
        ("get", "jobs/{}/log/", "job"),
        ("get", "jobs/{}/file/", "job"),
    ],
)
def test_unknown_id(api: Any, method: str, path: str, noun: str, identity: str) -> None:
    body = {"name": "new"} if method == "put" else {}

    response = getattr(api, method)(f"/api/v2/{path.format(identity)}", body)

    assert response.status_code == 404
    assert response.json() == {
        "detail": f"There is no {noun} {identity}, or you may not see it.",
        "code": "not_found",
    }


@unwritten
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/api/v2/nothing/", "Nothing is served at '/api/v2/nothing/'"),
        ("/api/v2/entries/web/", "Nothing is served at '/api/v2/entries/web/'"),
        ("/api/v2/plugins/nothing/", "No enabled plugin is called 'nothing'"),
        ("/api/v2/plugins/nothing/scan/", "No enabled plugin is called 'nothing'"),
        ("/api/v2/plugins/../", "No enabled plugin is called '..'"),
    ],
)
def test_unknown_path(api: Any, path: str, says: str) -> None:
    response = api.get(path)

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
    assert says in response.json()["detail"]


@unwritten
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("delete", "entries/"),
        ("put", "entries/{}/"),
        ("post", "entries/{}/"),
        ("get", "entries/{}/restore/"),
        ("delete", "entities/"),
        ("put", "jobs/"),
        ("delete", "jobs/"),
        ("post", "plugins/"),
        ("get", "auth/token/"),
        ("get", "auth/login/"),
    ],
)
def test_method_that_is_not_allowed(api: Any, web: Any, method: str, path: str) -> None:
    response = getattr(api, method)(f"/api/v2/{path.format(web.pk)}")

    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"
    assert method.upper() in response.json()["detail"]


@pytest.mark.parametrize(
    "query", ["search=%ff", "search=a%C3", "entity=%80", "is_active=tr%FFue", "sea%ffrch=x"]
)
def test_a_query_that_is_no_utf8_is_refused(api: Any, query: str) -> None:
    response = api.get(f"/api/v2/entries/?{query}")
    assert response.status_code == 400
    assert "is no UTF-8" in str(response.json())


def test_a_number_of_too_many_digits_is_refused_in_our_words(api: Any) -> None:
    body = b'{"name": ' + b"9" * 5_000 + b"}"
    response = api.generic("POST", "/api/v2/entities/", body, content_type="application/json")
    assert response.status_code == 400
    assert response.json()["detail"] == (
        "JSON parse error - an integer has more than 4,300 digits; send it as text."
    )


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/api/v2/entities", "/api/v2/auth/token", "/api/v2/plugins"])
def test_what_was_sent_without_the_slash_is_not_lost_on_the_way(api: Any, method: str, path: str) -> None:
    response = getattr(api, method)(path, {"name": "Host"}, format="json")
    assert response.status_code == 404
    assert (
        response.json()["detail"] == f"Nothing is served at '{path}'; send it to '{path}/', with the slash."
    )


def test_what_is_read_is_found_without_the_slash(api: Any) -> None:
    response = api.get("/api/v2/entities?page_size=1")
    assert (response.status_code, response.headers["Location"]) == (301, "/api/v2/entities/?page_size=1")


def test_the_bare_host_leads_to_the_console(anonymous: Any) -> None:
    response = anonymous.get("/")
    assert (response.status_code, response.headers["Location"]) == (302, "/console/")


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        *(("audit", name) for name in ("happened_after", "happened_before")),
        *(("jobs", name) for name in ("created_after", "created_before")),
        ("tokens", "used_before"),
    ],
)
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_moment_that_utc_does_not_have_is_refused(
    make_user: Any, client_of: Any, path: str, parameter: str, moment: str
) -> None:
    root = client_of(make_user("root", is_superuser=True))
    response = root.get(f"/api/v2/{path}/", {parameter: moment})
    assert response.status_code == 400
    assert "before the year 1 or behind the year 9999" in response.json()[parameter][0]
    assert root.get(f"/api/v2/{path}/", {parameter: "2026-01-01T00:00:00+23:00"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "parameter", "says"),
    [
        ("users/?is_staff=maybe", "is_staff", "Give `true` or `false`"),
        ("roles/?is_active=null", "is_active", "Give `true` or `false`"),
        ("roles/?is_active=true&is_active=null", "is_active", "It is given 2 times; give it once."),
        ("entries/?is_active=", "is_active", "It is empty"),
        ("jobs/?created_after=", "created_after", "It is empty"),
        ("groups/?user=", "user", "It is empty"),
    ],
)
def test_filters_take_nothing_for_not_given(superuser_api: Any, path: str, parameter: str, says: str) -> None:
    response = superuser_api.get(f"/api/v2/{path}")

    assert response.status_code == 400
    assert says in response.json()["errors"][parameter][0]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("me/tokens/", {"name": 1}, "name"),
        ("me/tokens/", {"name": "ci", "expires_time": 20300101}, "expires_time"),
        ("users/", {"username": 5}, "username"),
        ("users/", {"username": "bob", "is_active": 1}, "is_active"),
        ("users/", {"username": "bob", "is_active": "yes"}, "is_active"),
        ("groups/", {"name": 5.5}, "name"),
        ("roles/", {"name": "r", "can_add_entities": "true"}, "can_add_entities"),
        ("roles/", {"name": "r", "note": 1}, "note"),
        ("exports/", {"file_format": "csv", "entities": ["Host", 5]}, "entities"),
        ("search/", {"entities": [], "limit": "5"}, "limit"),
        ("search/", {"entities": [], "text": 5}, "text"),
        ("entries/bulk/", {"items": [], "atomic": "no"}, "atomic"),
        ("auth/token/", {"username": 5, "password": "x"}, "username"),
    ],
)
def test_json_of_another_type_than_the_schema_says(
    superuser_api: Any, path: str, body: dict[str, Any], field: str
) -> None:
    response = superuser_api.post(f"/api/v2/{path}", body, format="json")

    assert response.status_code == 400
    assert [name.partition("[")[0] for name in response.json()["errors"]] == [field]
    [[fault]] = response.json()["errors"].values()
    assert fault.startswith("Expected ")


def test_parameters_are_text(superuser_api: Any, web: Any) -> None:
    path = "/api/v2/imports/?file_format=csv&entity=Host&preview=true"

    response = superuser_api.post(path, "name\nx", content_type="text/csv")

    assert response.status_code == 202, response.json()
    assert response.json()["params"]["is_preview"] is True


def test_an_empty_cursor_is_the_first_page(superuser_api: Any) -> None:
    for path in ("jobs/", "entries/"):
        assert superuser_api.get(f"/api/v2/{path}?cursor=").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "entities/{entity}/?nope=1"),
        ("get", "entries/{entry}/?nope=1"),
        ("patch", "entries/{entry}/?nope=1"),
        ("post", "entries/?nope=1"),
        ("delete", "entries/{entry}/?cascade=1"),
        ("post", "entries/{entry}/restore/?nope=1"),
        ("put", "entities/{entity}/?nope=1"),
        ("get", "users/{user}/?nope=1"),
    ],
)
def test_a_parameter_that_nobody_reads_is_refused(
    superuser_api: Any, web: Any, nothing_is_written: None, method: str, path: str
) -> None:
    from pagoda.domain.user.models import User

    url = path.format(entity=web.schema_id, entry=web.pk, user=User.objects.get(username="root").pk)
    body = {"name": "x", "schema": "Host"} if method == "post" and path.startswith("entries/?") else {}

    response = getattr(superuser_api, method)(f"/api/v2/{url}", body if method != "get" else None)

    [parameter] = response.json()["errors"]
    assert (response.status_code, f"?{parameter}=" in path) == (400, True)


def test_a_whole_number_may_be_written_with_a_point(superuser_api: Any, web: Any) -> None:
    body = f'{{"name": "x", "schema": {web.schema_id}.0}}'
    made = superuser_api.post("/api/v2/entries/", body, content_type="application/json")
    body = f'{{"name": "g", "users": [{superuser_api.get("/api/v2/me/").json()["id"]}.0]}}'
    group = superuser_api.post("/api/v2/groups/", body, content_type="application/json")

    assert (made.status_code, made.json()["schema"]["id"]) == (201, web.schema_id)
    assert (group.status_code, len(group.json()["users"])) == (201, 1)
