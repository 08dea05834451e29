from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tools.chart.rendering import CHART

Document = dict[str, Any]


def policies(documents: list[Document]) -> dict[str, dict[str, Any]]:
    return {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "NetworkPolicy"}


def reached(policy: dict[str, Any], direction: str = "egress") -> set[tuple[int, str]]:
    """Return ``{(port, who)}`` that a policy names; "anybody" for a rule without peers."""
    found = set()
    for rule in policy.get(direction, []):
        peers = rule.get("to" if direction == "egress" else "from") or ["anybody"]
        found |= {(port["port"], who(peer)) for port in rule["ports"] for peer in peers}
    return found


def who(peer: Any) -> str:
    if isinstance(peer, str):
        return peer
    if "ipBlock" in peer:
        return str(peer["ipBlock"]["cidr"])
    for name, selector in peer.items():
        labels = selector.get("matchLabels", {})
        if "app.kubernetes.io/component" in labels:
            return str(labels["app.kubernetes.io/component"])
        return f"{name} " + ",".join(f"{k}={v}" for k, v in sorted(labels.items()) if "instance" not in k)
    raise AssertionError(peer)


PROMETHEUS = "namespaceSelector kubernetes.io/metadata.name=monitoring"
DNS = {(53, "namespaceSelector kubernetes.io/metadata.name=kube-system")}


def test_everything_is_denied_unless_it_is_named(documents: list[Document]) -> None:
    deny = policies(documents)["pagoda-default-deny"]

    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny
    assert "egress" not in deny
    selected = deny["podSelector"]["matchLabels"].items()
    for document in documents:
        if document["kind"] in ("Deployment", "StatefulSet", "Job"):
            assert selected <= document["spec"]["template"]["metadata"]["labels"].items()
        if document["kind"] == "Pod":
            assert selected <= document["metadata"]["labels"].items()


def test_every_workload_has_its_policy(documents: list[Document]) -> None:
    for document in documents:
        if document["kind"] in ("Deployment", "StatefulSet"):
            policy = policies(documents)[document["metadata"]["name"]]
            assert policy["podSelector"] == document["spec"]["selector"]
            assert policy["policyTypes"] == ["Ingress", "Egress"]


def test_plugin_worker_reaches_dns_database_broker_and_what_its_values_name(rendered: Any) -> None:
    named = {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443, "protocol": "TCP"}]}
    documents = rendered({"plugins": {"inventory": {"networkPolicy": {"egress": [named]}}}})

    servers = {(5432, "postgresql"), (6379, "redis")}
    assert reached(policies(documents)["pagoda-worker-inventory"]) == DNS | servers | {(443, "192.0.2.0/24")}
    assert reached(policies(documents)["pagoda-worker-hello-world-plugin"]) == DNS | servers


def test_plugin_that_may_reach_the_network_reaches_what_is_outside(rendered: Any) -> None:
    documents = rendered({"plugins": {"inventory": {"permissions": ["entry:write", "network"]}}})

    (rule,) = [
        rule for rule in policies(documents)["pagoda-worker-inventory"]["egress"] if "ports" not in rule
    ]
    everywhere = {peer["ipBlock"]["cidr"]: peer["ipBlock"]["except"] for peer in rule["to"]}
    assert everywhere.keys() == {"0.0.0.0/0", "::/0"}
    # Not the cluster's own Pods and Services, nor the cloud's metadata
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(everywhere["0.0.0.0/0"])
    others = policies(documents)["pagoda-worker-hello-world-plugin"]["egress"]
    assert all("ports" in rule for rule in others)


def test_worker_takes_nothing_but_a_look_at_its_metrics(rendered: Any) -> None:
    policy = policies(rendered())["pagoda-worker-inventory"]

    assert reached(policy, "ingress") == {(9100, PROMETHEUS)}


def test_api_lets_everybody_in_unless_peers_are_named(rendered: Any) -> None:
    assert reached(policies(rendered())["pagoda-api"], "ingress") == {(8000, "anybody")}

    named = {"networkPolicy": {"apiPeers": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}}
    assert reached(policies(rendered(named))["pagoda-api"], "ingress") == {
        (8000, "192.0.2.0/24"),
        (8000, PROMETHEUS),
        (8000, "podSelector pagoda/api=client"),
    }


def test_test_pod_is_a_client_of_the_api(rendered: Any) -> None:
    (pod,) = [document for document in rendered() if document["kind"] == "Pod"]

    assert pod["metadata"]["labels"]["pagoda/api"] == "client"


def test_servers_of_the_user_are_reached_where_they_are() -> None:
    from tools.chart import render

    values = yaml.safe_load((CHART / "ci" / "production.yaml").read_text(encoding="utf-8"))
    found = policies(render(values))

    servers = {(5432, "192.0.2.10/32"), (6379, "192.0.2.11/32")}
    assert reached(found["pagoda-dispatcher"]) == DNS | servers | {(443, "192.0.2.30/32")}
    assert (443, "192.0.2.20/32") in reached(found["pagoda-api"])


def test_rabbitmq_carries_messages_beside_the_redis_of_the_chart(rendered: Any) -> None:
    values = yaml.safe_load((CHART / "ci" / "rabbitmq.yaml").read_text(encoding="utf-8"))

    found = reached(policies(rendered(values))["pagoda-dispatcher"])

    assert found == DNS | {(5432, "postgresql"), (5671, "192.0.2.12/32"), (6379, "redis")}


def test_flower_lets_nobody_in_unless_named(rendered: Any) -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}

    assert "ingress" not in policies(rendered())["pagoda-flower"]
    found = reached(policies(rendered({"flower": {"peers": [peer]}}))["pagoda-flower"], "ingress")
    assert found == {(5555, "namespaceSelector kubernetes.io/metadata.name=ingress")}


def test_servers_let_their_clients_in_alone(everything: list[Document]) -> None:
    found = policies(everything)

    keda = (5432, "namespaceSelector kubernetes.io/metadata.name=keda")
    assert reached(found["pagoda-postgresql"], "ingress") == {
        (5432, "podSelector pagoda/database=client"),
        keda,
    }
    assert reached(found["pagoda-redis"], "ingress") == {
        (6379, "podSelector pagoda/broker=client"),
        (6379, "podSelector pagoda/cache=client"),
    }
    assert "egress" not in found["pagoda-postgresql"]
    assert "egress" not in found["pagoda-redis"]


def test_test_reaches_the_api_alone(rendered: Any) -> None:
    assert reached(policies(rendered())["pagoda-test"]) == DNS | {(8000, "api")}


def test_policies_can_be_left_to_others(rendered: Any) -> None:
    assert policies(rendered({"networkPolicy": {"enabled": False}})) == {}


OF_THE_API = ("/api", "/console", "/admin", "/accounts", "/static", "/healthz")


def test_what_asks_for_no_login_is_not_routed_to_the_world(everything: list[Document]) -> None:
    routed = [
        *(
            (path["path"], path["pathType"])
            for d in everything
            if d["kind"] == "Ingress"
            for rule in d["spec"]["rules"]
            for path in rule["http"]["paths"]
        ),
        *(
            (match["path"]["value"], match["path"]["type"].removeprefix("Path"))
            for d in everything
            if d["kind"] == "HTTPRoute"
            for rule in d["spec"]["rules"]
            for match in rule["matches"]
        ),
    ]

    assert ("/workers", "Prefix") in routed
    for hidden in ("/metrics", "/readyz", "/healthcheck"):
        assert [
            path
            for path, kind in routed
            if kind == "Prefix" and f"{hidden}/".startswith(f"{path.rstrip('/')}/")
        ] == []
        assert (hidden, "Exact") not in routed


def test_every_page_of_the_api_is_routed_but_those_of_the_cluster(rendered: Any, tmp_path: Path) -> None:
    show = "from pagoda_api.urls import host; print(*[str(u.pattern) for u in host], sep=chr(10))"
    env = {"PATH": os.environ["PATH"], "PAGODA_DATA_DIR": str(tmp_path), "PAGODA_LOG_LEVEL": "ERROR"}
    env |= {"PAGODA_OIDC_ISSUER": "https://login.example.org", "PAGODA_OIDC_CLIENT_ID": "pagoda"}
    args = [str(Path(sys.executable).with_name("pagoda")), "manage", "shell", "--no-imports", "-c", show]
    done = subprocess.run(
        args, env=env | {"PAGODA_OIDC_CLIENT_SECRET": "x"}, capture_output=True, text=True, check=True
    )
    pages = {f"/{line.partition('/')[0]}" for line in done.stdout.splitlines()} - {"/", "/metrics", "/readyz"}
    (ingress,) = [
        d for d in rendered({"ingress": {"enabled": True, "hosts": ["a.b"]}}) if d["kind"] == "Ingress"
    ]

    assert {"/api", "/console", "/admin", "/accounts"} <= pages
    assert pages <= {path["path"] for path in ingress["spec"]["rules"][0]["http"]["paths"]}


def test_paths_may_be_added_and_bodies_are_bounded_in_front(rendered: Any) -> None:
    values = {
        "config": {"API_MAX_BODY_BYTES": 12_000_000},
        "ingress": {
            "enabled": True,
            "hosts": ["a.example.org"],
            "paths": ["/own", "/a,b: c #d"],
            "annotations": {"a": "b"},
        },
    }
    (ingress,) = [d for d in rendered(values) if d["kind"] == "Ingress"]

    routed = [path["path"] for path in ingress["spec"]["rules"][0]["http"]["paths"]]
    assert {"/own", "/a,b: c #d"} <= set(routed)
    annotations = ingress["metadata"]["annotations"]
    assert annotations["a"] == "b"
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == "12000000"
    assert annotations["nginx.ingress.kubernetes.io/proxy-request-buffering"] == "on"


def test_the_bound_in_front_is_that_of_the_api(rendered: Any) -> None:
    from pagoda.config.settings import Settings

    (ingress,) = [
        d for d in rendered({"ingress": {"enabled": True, "hosts": ["a.b"]}}) if d["kind"] == "Ingress"
    ]
    bound = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert int(bound) == Settings.model_fields["api_max_body_bytes"].default


def test_each_name_may_have_a_certificate_of_its_own(rendered: Any) -> None:
    tls = [{"secretName": "a-tls", "hosts": ["a.example.org"]}]
    documents = rendered(
        {"ingress": {"enabled": True, "hosts": ["a.example.org", "b.example.org"], "tls": tls}}
    )

    (ingress,) = [d for d in documents if d["kind"] == "Ingress"]
    assert ingress["spec"]["tls"] == tls
    (config,) = [
        d for d in documents if d["kind"] == "ConfigMap" and d["metadata"]["name"] == "pagoda-config"
    ]
    assert config["data"]["PAGODA_CSRF_TRUSTED_ORIGINS"] == "https://a.example.org"


def test_plugin_endpoints_have_pods_of_their_own(everything: list[Document]) -> None:
    (ingress,) = [d for d in everything if d["kind"] == "Ingress"]
    (route,) = [d for d in everything if d["kind"] == "HTTPRoute"]

    paths = {
        path["path"]: path["backend"]["service"]["name"]
        for path in ingress["spec"]["rules"][0]["http"]["paths"]
    }
    wanted = {"/api/v2/plugins/": "pagoda-plugin-api", "/plugins/": "pagoda-plugin-api"}
    wanted |= dict.fromkeys((*OF_THE_API, "/"), "pagoda-api")
    assert paths == wanted
    rules = route["spec"]["rules"]
    assert {r["matches"][0]["path"]["value"]: r["backendRefs"][0]["name"] for r in rules} == wanted
    services = {d["metadata"]["name"]: d["spec"] for d in everything if d["kind"] == "Service"}
    assert services["pagoda-plugin-api"]["selector"] != services["pagoda-api"]["selector"]


def test_api_answers_to_every_name_that_leads_to_it(everything: list[Document]) -> None:
    text = json.dumps([d for d in everything if d["metadata"]["name"] == "pagoda-plugin-api"])

    for name in ("localhost", "a.example.org", "pagoda-api.default.svc", "pagoda-plugin-api", "$(POD_IP)"):
        assert name in text


def test_a_path_prefix_is_in_every_route_and_known_to_the_api(rendered: Any) -> None:
    values = {
        "api": {"pathPrefix": "/cmdb", "trustedProxies": ["10.1.0.0/16", "10.2.0.1"]},
        "pluginApi": {"enabled": True},
        "ingress": {"enabled": True, "hosts": ["a.example.org"]},
        "httpRoute": {"enabled": True, "hostnames": ["a.example.org"], "parentRefs": [{"name": "gateway"}]},
    }
    documents = rendered(values)
    (ingress,) = [d for d in documents if d["kind"] == "Ingress"]
    (route,) = [d for d in documents if d["kind"] == "HTTPRoute"]
    wanted = [
        "/cmdb/api/v2/plugins/",
        "/cmdb/plugins/",
        *(f"/cmdb{path}" for path in OF_THE_API),
        "/cmdb/",
        "/cmdb",
    ]
    assert [path["path"] for path in ingress["spec"]["rules"][0]["http"]["paths"]] == wanted
    assert [rule["matches"][0]["path"]["value"] for rule in route["spec"]["rules"]] == wanted
    (config,) = [
        d for d in documents if d["kind"] == "ConfigMap" and d["metadata"]["name"] == "pagoda-config"
    ]
    assert config["data"]["PAGODA_PATH_PREFIX"] == "/cmdb"
    assert config["data"]["PAGODA_TRUSTED_PROXIES"] == "10.1.0.0/16,10.2.0.1"
