"""Users, groups, roles and all tokens through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from pagoda.audit.models import AuditEvent
from pagoda.domain.acting import acting_as
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import ApiToken, GroupNesting, Level, Role, RolePermission, User
from pagoda_api.claims import follow_claims

pytestmark = pytest.mark.django_db

USERS, GROUPS, ROLES, TOKENS = (f"/api/v2/{name}/" for name in ("users", "groups", "roles", "tokens"))
ADDED = {
    USERS: {"username": "new"},
    GROUPS: {"name": "new"},
    ROLES: {"name": "new"},
}


@pytest.fixture
def root(make_user: Callable[..., Any], client_of: Callable[..., Any]) -> Any:
    return client_of(make_user("root", is_superuser=True))


@pytest.fixture
def mary(make_user: Callable[..., Any]) -> User:
    """Who manages everything and has no level on what is closed."""
    user: User = make_user("mary")
    models = ("user", "group", "role", "apitoken")
    names = [f"{verb}_{model}" for verb in ("view", "add", "change", "delete") for model in models]
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    return user


@pytest.fixture
def manager(mary: User, client_of: Callable[..., Any]) -> Any:
    return client_of(mary)


@pytest.fixture
def shut(db: None) -> Entity:
    return Entity.objects.create(name="Shut", default_permission=Level.NOTHING)


def done(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, response.content
    return response.json() if response.content else None


def names(response: Any, field: str = "name") -> list[str]:
    return [each[field] for each in done(response)["results"]]


def test_a_user_from_first_to_last(root: Any, anonymous: Any) -> None:
    group, role = Group.objects.create(name="ops"), Role.objects.create(name="makers")
    body = {
        "username": "bob",
        "password": "correct horse",
        "email": "b@example.org",
        "first_name": "Bob",
        "groups": [group.pk],
        "roles": [{"id": role.pk}],
        "permissions": ["entity.add_entity"],
    }
    made = done(root.post(USERS, body), 201)
    assert "password" not in made
    assert made | {"id": 0, "date_joined": None} == {
        "id": 0,
        "username": "bob",
        "first_name": "Bob",
        "last_name": "",
        "email": "b@example.org",
        "is_active": True,
        "is_staff": False,
        "is_superuser": False,
        "last_login": None,
        "groups": [{"id": group.pk, "name": "ops"}],
        "roles": [{"id": role.pk, "name": "makers"}],
        "permissions": ["entity.add_entity"],
        "date_joined": None,
    }
    url = f"{USERS}{made['id']}/"
    assert done(root.get(url)) == made
    assert done(root.put(url, made)) == made  # what is shown can be sent back
    credentials = {"username": "bob", "password": "correct horse"}
    token = done(anonymous.post("/api/v2/auth/token/", credentials))["token"]
    changed = done(root.patch(url, {"is_superuser": True, "groups": [], "permissions": []}))
    assert (changed["is_superuser"], changed["groups"], changed["roles"]) == (True, [], made["roles"])
    assert ApiToken.authenticate(token) is not None
    done(root.patch(url, {"password": "staple of a new one"}))
    assert ApiToken.authenticate(token) is None
    done(root.delete(url), 204)
    done(root.get(url), 404)
    told = AuditEvent.objects.filter(subject="bob").values_list("action", flat=True)
    assert {"user.created", "user.updated", "user.rights_changed", "user.deleted"} <= set(told)


def test_without_a_password_nobody_logs_in(root: Any) -> None:
    made = done(root.post(USERS, {"username": "bob"}), 201)
    assert not User.objects.get(pk=made["id"]).has_usable_password()


def test_a_name_is_stored_in_the_form_that_django_looks_for(root: Any, make_user: Any) -> None:
    make_user("alice")
    full_width = "".join(chr(ord(letter) + 0xFEE0) for letter in "alice")
    refused = done(root.post(USERS, {"username": full_width}), 409)
    assert refused["username"] == ["A user with that username already exists."]
    made = done(root.post(USERS, {"username": "e\u0301lan"}), 201)
    assert made["username"] == "\u00e9lan"
    done(root.patch(f"{USERS}{made['id']}/", {"username": full_width}), 409)
    done(root.post(USERS, {"username": "\ufb03" * 100}), 400)  # three letters each


def test_groups_nest_and_what_holds_for_the_parent_holds_for_them(
    root: Any, shut: Entity, make_user: Any, client_of: Any
) -> None:
    bob = make_user("bob")
    company = done(root.post(GROUPS, {"name": "company"}), 201)
    team = done(root.post(GROUPS, {"name": "team", "parent": company["id"], "users": [bob.pk]}), 201)
    assert team["parent"] == {"id": company["id"], "name": "company"}
    assert team["users"] == [{"id": bob.pk, "username": "bob"}]
    url = f"{GROUPS}{team['id']}/"
    assert done(root.put(url, team)) == team
    grant = {"entity": "Shut", "level": "writable"}
    body = {"name": "r", "groups": [company["id"]], "permissions": [grant]}
    role = done(root.post(ROLES, body), 201)
    api = client_of(bob)
    assert names(api.get("/api/v2/entities/")) == ["Shut"]
    assert names(api.get(GROUPS)) == ["company", "team"]
    assert names(api.get(ROLES)) == ["r"]
    refused = done(root.patch(f"{GROUPS}{company['id']}/", {"parent": team["id"]}), 400)
    fault = "Group 'company' can't be nested in 'team', which is nested in it. Choose another parent."
    assert refused["parent"] == [fault]
    assert done(root.patch(url, {"parent": None}))["parent"] is None
    assert names(api.get("/api/v2/entities/")) == []
    done(root.delete(f"{ROLES}{role['id']}/"), 204)


def test_a_role_with_the_levels_that_it_grants(root: Any, make_entity: Any, make_entry: Any) -> None:
    host = make_entity("Host", address="string")
    web, attr = make_entry(host, "web"), host.attrs.get()
    grants = [
        {"entity": "Host", "level": "full"},
        {"attr": attr.pk, "level": 2},
        {"entry": {"id": web.pk}, "level": "writable"},
    ]
    made = done(root.post(ROLES, {"name": "r", "note": "n", "permissions": grants}), 201)
    assert [each | {"id": 0} for each in made["permissions"]] == [
        {"id": 0, "entity": {"id": host.pk, "name": "Host"}, "attr": None, "entry": None, "level": "full"},
        {
            "id": 0,
            "entity": None,
            "attr": {"id": attr.pk, "name": "address"},
            "entry": None,
            "level": "readable",
        },
        {"id": 0, "entity": None, "attr": None, "entry": {"id": web.pk, "name": "web"}, "level": "writable"},
    ]
    url = f"{ROLES}{made['id']}/"
    assert done(root.put(url, made)) == made
    kept = made["permissions"][0] | {"level": "readable"}
    changed = done(root.patch(url, {"permissions": [kept]}))
    assert changed["permissions"] == [kept]  # the same row, of another level
    for parameters in ({"entity": host.pk}, {"search": "R"}, {"is_active": "true"}):
        assert names(root.get(ROLES, parameters)) == ["r"]
    for parameters in (
        {"attr": attr.pk},
        {"entity": host.pk + 1},
        {"search": "x"},
        {"can_add_entities": "true"},
    ):
        assert names(root.get(ROLES, parameters)) == []


@pytest.mark.parametrize(
    ("url", "body", "field", "words"),
    [
        (USERS, {}, "username", "required"),
        (USERS, {"username": "ann"}, "username", "already exists"),
        (USERS, {"username": "a b"}, "username", "valid username"),
        (USERS, {"username": "b", "password": "123"}, "password", "too short"),
        (USERS, {"username": "b", "groups": [99]}, "groups", "There is no group 99, or you may not see it."),
        (USERS, {"username": "b", "groups": 5}, "groups", "list"),
        (USERS, {"username": "b", "groups": [True]}, "groups", "no id"),
        (USERS, {"username": "b", "groups": [2**70]}, "groups", "There is no group"),
        (USERS, {"username": "b", "permissions": ["user.ad_user"]}, "permissions", "'user.add_user'"),
        (USERS, {"username": "b", "pasword": "x"}, "pasword", "Did you mean"),
        (USERS, {"username": "b", "last_login": "2020-01-01T00:00:00Z"}, "last_login", "can't be changed"),
        (GROUPS, {"name": "taken"}, "name", "choose another name"),
        (GROUPS, {"name": "a\nb"}, "name", "line break"),
        (GROUPS, {"name": "x" * 151}, "name", "150"),
        (GROUPS, {"name": "b", "parent": 99}, "parent", "There is no group 99"),
        (GROUPS, {"name": "b", "parent": "taken"}, "parent", "no id"),
        (ROLES, {"name": " "}, "name", "blank"),
        (ROLES, {"name": "b", "permissions": [{"level": "full"}]}, "permissions", "exactly one"),
        (
            ROLES,
            {"name": "b", "permissions": [{"entity": 99, "level": "full"}]},
            "permissions",
            "no entity 99",
        ),
        (ROLES, {"name": "b", "permissions": [{"entity": "Shot", "level": "full"}]}, "entity", "'Shut'"),
        (
            ROLES,
            {"name": "b", "permissions": [{"entity": "Shut", "level": "most"}]},
            "permissions",
            "readable",
        ),
        (ROLES, {"name": "b", "permissions": [{"entity": "Shut", "level": 3}]}, "permissions", "no level"),
        (ROLES, {"name": "b", "permissions": [{"entity": "Shut", "levl": 8}]}, "levl", "level"),
        (ROLES, {"name": "b", "permissions": [5]}, "permissions", "no object"),
        (ROLES, {"name": "b", "permissions": {"entity": 1}}, "permissions", "list"),
        (ROLES, {"name": "b", "permissions": [{"entry": 2**70, "level": 8}]}, "permissions", "no entry"),
    ],
)
def test_what_makes_no_sense_is_refused(
    root: Any, ann: Any, shut: Entity, url: str, body: dict[str, Any], field: str, words: str
) -> None:
    Group.objects.create(name="taken")
    before = [model.objects.count() for model in (User, Group, Role)]
    is_taken = "taken" in (body.get("username"), body.get("name")) or words == "already exists"
    refused = done(root.post(url, body), 409 if is_taken else 400)
    assert words in str(refused.get(field) or refused), refused
    assert [model.objects.count() for model in (User, Group, Role)] == before


def test_lists_are_paged_searched_and_filtered(root: Any, make_user: Any) -> None:
    bob = make_user("bob")
    User.objects.filter(pk=bob.pk).update(email="builder@example.org", is_active=False)
    group = Group.objects.create(name="ops")
    bob.groups.add(group)
    page = done(root.get(USERS, {"limit": 1}))
    assert (page["count"], len(page["results"])) == (2, 1)
    for parameters in (
        *({"search": "BUILD"}, {"is_active": "false"}, {"group": group.pk}, {"username": "bob"}),
        *({"is_superuser": "false"}, {"offset": 1}),
    ):
        assert names(root.get(USERS, parameters), "username") == ["bob"], parameters
    assert names(root.get(GROUPS, {"user": bob.pk})) == ["ops"]
    for url in (USERS, GROUPS, ROLES, TOKENS):
        assert "There is no query parameter" in str(done(root.get(url, {"serch": "x"}), 400)["serch"])
        done(root.get(url, {"user" if url != USERS else "group": "x"}), 400)
        done(root.get(f"{url}{2**62}/"), 404)


@pytest.mark.parametrize(
    ("url", "parameter"),
    [
        *((USERS, name) for name in ("group", "role")),
        *((GROUPS, name) for name in ("parent", "user", "role")),
        *((ROLES, name) for name in ("user", "group", "entity", "attr", "entry")),
        (TOKENS, "user"),
    ],
)
def test_a_filter_takes_ids_alone(root: Any, url: str, parameter: str) -> None:
    assert names(root.get(url, {parameter: 2**63 - 1})) == []
    for given in (10**22, -1, "1.5", "1e3", "x"):
        assert list(done(root.get(url, {parameter: given}), 400)["errors"]) == [parameter]


def test_a_filter_finds_nothing_by_what_one_may_not_see(
    api: Any, ann: Any, make_user: Any, client_of: Any
) -> None:
    bob, group = make_user("bob"), Group.objects.create(name="ours")
    role, off = Role.objects.create(name="held"), Role.objects.create(name="off", is_active=False)
    group.user_set.add(ann, bob)
    role.users.add(ann, bob)
    role.groups.add(other := Group.objects.create(name="other"))
    off.groups.add(group)
    for url, field, own in ((ROLES, "user", [ann]), (GROUPS, "user", [ann])):
        assert [len(names(api.get(url, {field: each.pk}))) for each in (*own, bob)] == [1, 0], url
    assert names(api.get(ROLES, {"group": other.pk})) == []
    assert names(api.get(GROUPS, {"role": off.pk})) == []
    ann.user_permissions.add(Permission.objects.get(codename="view_user"))
    reader = client_of(User.objects.get(pk=ann.pk))  # sees users, and the groups and roles of her own
    assert names(reader.get(USERS, {"role": role.pk}), "username") == ["ann", "bob"]
    role.users.remove(ann)
    assert names(reader.get(USERS, {"role": role.pk}), "username") == []


def test_the_queries_of_a_list_do_not_grow(
    root: Any, make_entity: Any, django_assert_max_num_queries: Any
) -> None:
    group: Group | None = None
    for number in range(30):
        role, user = Role.objects.create(name=f"r{number}"), User.objects.create(username=f"u{number}")
        parent, group = group, Group.objects.create(name=f"g{number}")
        if parent is not None:
            GroupNesting.objects.create(group=group, parent=parent)
        user.groups.add(group)
        role.groups.add(group)
        role.users.add(user)
        RolePermission.objects.create(role=role, entity=make_entity(f"E{number}"), level=2)
        ApiToken.issue(user, "t", None)
    root.get(USERS)
    for url in (USERS, GROUPS, ROLES, TOKENS):
        with django_assert_max_num_queries(6):
            assert len(done(root.get(url))["results"]) >= 30


@pytest.mark.parametrize("url", [USERS, GROUPS, ROLES])
def test_for_who_manages_nothing_others_are_not_there(api: Any, ann: Any, make_user: Any, url: str) -> None:
    others = {
        USERS: make_user("new"),
        GROUPS: Group.objects.create(name="new"),
        ROLES: Role.objects.create(name="new"),
    }
    own = {USERS: ann, GROUPS: Group.objects.create(name="own"), ROLES: Role.objects.create(name="own")}
    ann.groups.add(own[GROUPS])
    own[GROUPS].roles.add(own[ROLES])
    others[USERS].groups.add(own[GROUPS])
    page = done(api.get(url))
    assert [each["id"] for each in page["results"]] == [own[url].pk]
    assert "new" not in str(page)
    refused = done(api.post(url, ADDED[url]), 403)  # and not that the name is taken
    assert "takes a right that user 'ann' has not" in refused["detail"]
    hidden, absent = f"{url}{others[url].pk}/", f"{url}{10**6}/"
    for method in ("get", "patch", "put", "delete"):
        answers = [getattr(api, method)(each, {}) for each in (hidden, absent)]
        assert [answer.status_code for answer in answers] == [404, 404]
        told = [
            answer.json()["detail"].replace(f" {pk},", " N,")
            for answer, pk in zip(answers, (others[url].pk, 10**6), strict=True)
        ]
        assert told[0] == told[1]
        if method != "get":
            done(getattr(api, method)(f"{url}{own[url].pk}/", {}), 403)


def test_nobody_is_anybody(anonymous: Any) -> None:
    for url in (USERS, GROUPS, ROLES, TOKENS):
        assert anonymous.get(url).status_code == 401


def test_who_manages_gives_no_more_than_they_have(
    manager: Any, mary: User, shut: Entity, make_user: Any
) -> None:
    bob, root = make_user("bob"), make_user("boss", is_superuser=True)
    strong = Role.objects.create(name="strong")
    RolePermission.objects.create(role=strong, entity=shut, level=Level.READABLE)
    group = Group.objects.create(name="strong ones")
    strong.groups.add(group)
    done(manager.post(USERS, {"username": "new", "password": "correct horse"}), 201)
    own = f"{USERS}{mary.pk}/"
    for method, url, body in (
        ("post", USERS, {"username": "x", "is_superuser": True}),
        ("post", USERS, {"username": "x", "is_staff": True}),
        ("post", USERS, {"username": "x", "roles": [strong.pk]}),
        ("post", USERS, {"username": "x", "permissions": ["entity.add_entity"]}),
        ("post", GROUPS, {"name": "x", "parent": group.pk}),
        ("post", ROLES, {"name": "x", "can_add_entities": True}),
        ("patch", own, {"is_superuser": True}),
        ("patch", own, {"groups": [group.pk]}),
        ("patch", f"{USERS}{bob.pk}/", {"groups": [group.pk]}),
        ("patch", f"{GROUPS}{group.pk}/", {"users": [mary.pk]}),
        ("patch", f"{ROLES}{strong.pk}/", {"users": [mary.pk]}),
        ("patch", f"{USERS}{root.pk}/", {"password": "correct horse battery"}),
        ("patch", f"{USERS}{root.pk}/", {"is_active": False}),
        ("delete", f"{USERS}{root.pk}/", {}),
    ):
        done(getattr(manager, method)(url, body), 403)
    assert not User.objects.filter(username="x").exists()
    assert not Group.objects.filter(name="x").exists()
    bob.roles.add(strong)
    done(manager.patch(f"{USERS}{bob.pk}/", {"password": "correct horse battery"}), 403)
    done(manager.patch(f"{USERS}{bob.pk}/", {"roles": []}))
    done(manager.patch(f"{USERS}{bob.pk}/", {"password": "correct horse battery"}))
    assert "/me/password/" in str(done(manager.patch(own, {"password": "correct horse battery"}), 400))


def test_a_grant_on_what_one_can_not_see_is_not_there_and_stays(
    manager: Any, shut: Entity, make_entity: Any
) -> None:
    seen = make_entity("Seen")
    role = Role.objects.create(name="r")
    for entity in (shut, seen):
        RolePermission.objects.create(role=role, entity=entity, level=Level.READABLE)
    url = f"{ROLES}{role.pk}/"
    shown = done(manager.get(url))
    assert [each["entity"]["name"] for each in shown["permissions"]] == ["Seen"]
    assert names(manager.get(ROLES, {"entity": shut.pk})) == []
    refused = done(manager.patch(url, {"permissions": [{"entity": shut.pk, "level": "full"}]}), 400)
    absent = done(manager.patch(url, {"permissions": [{"entity": 10**6, "level": "full"}]}), 400)
    assert str(refused).replace(str(shut.pk), "") == str(absent).replace(str(10**6), "")
    assert done(manager.put(url, shown | {"permissions": []}))["permissions"] == []
    assert [each.entity for each in role.permissions.all()] == [shut]
    Entity.objects.filter(pk=seen.pk).update(default_permission=Level.WRITABLE)
    refused = done(manager.patch(url, {"permissions": [{"entity": "Seen", "level": "readable"}]}), 403)
    assert "Full permission on entity 'Seen' is needed; user 'mary' has 'writable'." in refused["detail"]


def test_all_tokens_are_listed_and_revoked_by_who_manages_them(
    root: Any, manager: Any, api: Any, ann: Any, make_user: Any, client_of: Any
) -> None:
    token, plain = ApiToken.issue(ann, "laptop", None, networks=["10.0.0.0/8"])
    shown = done(manager.get(TOKENS, {"search": "lap"}))["results"]
    assert shown == [
        {
            "id": token.pk,
            "user": {"id": ann.pk, "username": "ann"},
            "name": "laptop",
            "is_this": False,
            "scope": "read-write",
            "networks": ["10.0.0.0/8"],
            "expires_time": None,
            "last_used_time": None,
            "created_time": shown[0]["created_time"],
        }
    ]
    assert plain not in str(shown)
    assert token.digest not in str(shown)
    assert {each["user"]["username"] for each in done(api.get(TOKENS))["results"]} == {"ann"}
    assert (
        done(root.get(TOKENS, {"user": ann.pk, "is_expired": "false", "scope": "read-write"}))["count"] == 2
    )
    assert done(root.get(TOKENS, {"is_expired": "true"}))["count"] == 0
    done(client_of(make_user("eve")).delete(f"{TOKENS}{token.pk}/"), 404)
    done(manager.delete(f"{TOKENS}{token.pk}/"), 204)
    of_root = ApiToken.objects.get(user__username="root")
    assert "superuser" in done(manager.delete(f"{TOKENS}{of_root.pk}/"), 403)["detail"]
    done(root.delete(f"{TOKENS}{ApiToken.objects.get(user__username='mary').pk}/"), 204)
    done(manager.get(TOKENS), 401)
    done(root.post(TOKENS, {"name": "x"}), 405)


@pytest.mark.parametrize("url", [USERS, GROUPS, ROLES])
def test_of_two_requests_for_one_name_the_second_is_told(
    root: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = {USERS: User, GROUPS: Group, ROLES: Role}[url]
    save = model.save

    def after_the_other(self: Any, *args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(model, "save", save)
        save(model(**ADDED[url]))
        save(self, *args, **kwargs)

    monkeypatch.setattr(model, "save", after_the_other)
    assert done(root.post(url, ADDED[url]), 409)["code"] == "conflict"
    done(root.get(url))


def test_a_login_by_a_provider_gives_what_the_provider_says(ann: Any, settings: Any) -> None:
    group = Group.objects.create(name="ops")
    given = {"pagoda_oidc_groups": {"ops": ["ops"]}, "pagoda_oidc_superusers": ["admins"]}
    settings.PAGODA = settings.PAGODA.model_copy(update=given)
    bob = User.objects.create_user("bob")
    with acting_as(ann):  # whom the browser was logged in as
        follow_claims(bob, {settings.PAGODA.pagoda_oidc_groups_claim: ["ops", "admins"]})
    assert (list(bob.groups.all()), User.objects.get(username="bob").is_superuser) == ([group], True)


@pytest.mark.parametrize("kind", ["group", "role"])
def test_a_value_names_no_group_or_role_that_its_writer_may_not_see(
    client_of: Any, make_user: Any, make_entity: Any, kind: str
) -> None:
    host = make_entity("Host", holder=kind, note="string")
    rows: Any = Group.objects if kind == "group" else Role.objects
    ann, hidden, own = make_user("ann"), rows.create(name="the board"), rows.create(name="ours")
    (ann.groups if kind == "group" else ann.roles).add(own)
    client = client_of(ann)

    def post(name: str, holder: int) -> Any:
        body = {"name": name, "schema": host.name, "attrs": {"holder": holder}}
        return client.post("/api/v2/entries/", body)

    refused, absent = post("a", hidden.pk), post("a", 10**9)
    assert (refused.status_code, absent.status_code) == (400, 400)
    assert refused.content.decode() == absent.content.decode().replace(str(10**9), str(hidden.pk))
    assert post("b", own.pk).status_code == 201

    ann.user_permissions.add(Permission.objects.get(codename=f"view_{kind}"))
    assert post("c", hidden.pk).status_code == 201


def test_a_stored_group_stays_although_its_reader_may_not_see_it(
    client_of: Any, make_user: Any, make_entity: Any, make_entry: Any
) -> None:
    web = make_entry(make_entity("Host", team="group"), "web", team=Group.objects.create(name="ops").pk)
    client, url = client_of(make_user("ann")), f"/api/v2/entries/{web.pk}/"

    shown = client.get(url).json()
    answer = client.patch(url, {**shown, "note": "changed"})

    assert (answer.status_code, answer.json()["attrs"]) == (200, shown["attrs"])
