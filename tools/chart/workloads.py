"""What a workload of a rendered chart starts, as a container runtime would start it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.chart.api_server import Document

POD_FIELDS = {"status.podIP": "127.0.0.1", "spec.nodeName": "node-1"}
_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")

Sources = Mapping[tuple[str, str], Mapping[str, str]]
"""``{(kind, name): {key: value}}`` of the ConfigMaps and Secrets."""


class NotRendered(LookupError):
    """The documents hold no such thing; the message says what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadProcess:
    """What one container runs; `command` is empty where the image's entrypoint runs `args`."""

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str]


def environment_of(
    documents: Iterable[Document],
    kind: str,
    name: str,
    *,
    container: str | None = None,
    secrets: Mapping[str, Mapping[str, str]] | None = None,
) -> WorkloadProcess:
    """Return what a workload's container starts, with ConfigMaps and Secrets looked up.

    `container` is the main one unless named, init containers included; `secrets` are Secrets that the chart
    takes for granted, ``{name: {key: value}}``.

    Raises:
        NotRendered: there is no such workload, container, ConfigMap or Secret.
    """
    documents = list(documents)
    spec = pod_spec(_found(documents, kind, name))
    chosen = _container(spec, container)
    given = {("Secret", held): dict(data) for held, data in (secrets or {}).items()}
    env = _environment(chosen, _sources(documents) | given)
    return WorkloadProcess(
        image=chosen["image"],
        command=tuple(_expanded(part, env) for part in chosen.get("command", ())),
        args=tuple(_expanded(part, env) for part in chosen.get("args", ())),
        env=env,
    )


def pod_spec(document: Document) -> dict[str, Any]:
    """Return the spec of the Pods that a document is about."""
    made = document["spec"]["jobTemplate"] if document["kind"] == "CronJob" else document
    about = made if document["kind"] == "Pod" else made["spec"]["template"]
    spec: dict[str, Any] = about["spec"]
    return spec


def containers(document: Document) -> list[dict[str, Any]]:
    """Return the containers of a workload, init containers first."""
    spec = pod_spec(document)
    return [*spec.get("initContainers", []), *spec["containers"]]


def _found(documents: Iterable[Document], kind: str, name: str) -> Document:
    of_kind = {d["metadata"]["name"]: d for d in documents if d["kind"] == kind}
    if name not in of_kind:
        raise NotRendered(f"the chart has no {kind} {name!r}; it has {', '.join(sorted(of_kind)) or 'none'}")
    return of_kind[name]


def _container(spec: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    main: dict[str, Any] = spec["containers"][0]
    every: dict[str, dict[str, Any]] = {
        one["name"]: one for one in (*spec.get("initContainers", []), *spec["containers"])
    }
    if name is None:
        return main
    if name not in every:
        raise NotRendered(f"the Pod has no container {name!r}; it has {', '.join(every)}")
    return every[name]


def _sources(documents: Iterable[Document]) -> dict[tuple[str, str], dict[str, str]]:
    found = {}
    for document in documents:
        key = (document["kind"], document["metadata"]["name"])
        if key[0] == "ConfigMap":
            found[key] = dict(document.get("data") or {})
        elif key[0] == "Secret":
            data = document.get("data") or {}
            found[key] = {name: base64.b64decode(value).decode() for name, value in data.items()}
    return found


def _environment(container: Mapping[str, Any], sources: Sources) -> dict[str, str]:
    env: dict[str, str] = {}
    for source in container.get("envFrom", []):
        env |= _source(source, sources)
    for variable in container.get("env", []):
        if not _is_left_out(variable, sources):
            env[variable["name"]] = _expanded(_value(variable, sources), env)
    return env


def _is_left_out(variable: Mapping[str, Any], sources: Sources) -> bool:
    """Tell whether an optional variable has no value, and so is not there."""
    reference = variable.get("valueFrom", {}).get("secretKeyRef", {})
    held = sources.get(("Secret", reference.get("name", "")), {})
    return bool(reference.get("optional")) and reference["key"] not in held


def _source(source: Mapping[str, Any], sources: Sources) -> Mapping[str, str]:
    for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        if field in source:
            return _data(kind, source[field]["name"], sources)
    raise NotRendered(f"envFrom {source!r} is neither a ConfigMap nor a Secret")


def _value(variable: Mapping[str, Any], sources: Sources) -> str:
    if "value" in variable:
        return str(variable["value"])
    origin = variable["valueFrom"]
    if "fieldRef" in origin:
        return POD_FIELDS[origin["fieldRef"]["fieldPath"]]
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if field in origin:
            reference = origin[field]
            data = _data(kind, reference["name"], sources)
            if reference["key"] not in data:
                raise NotRendered(f"{kind} {reference['name']!r} has no key {reference['key']!r}")
            return data[reference["key"]]
    raise NotRendered(f"the value of {variable['name']} comes from {origin!r}, which is not known here")


def _data(kind: str, name: str, sources: Sources) -> Mapping[str, str]:
    if (kind, name) not in sources:
        raise NotRendered(f"the chart makes no {kind} {name!r}; give it in `secrets`")
    return sources[kind, name]


def _expanded(text: str, env: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` as Kubernetes does; names that are not there stay."""
    return _REFERENCE.sub(lambda match: env.get(match.group(1), match.group(0)), text)


def names_of(documents: Iterable[Document], kind: str) -> Iterator[str]:
    """Yield the names of the objects of one kind."""
    return (document["metadata"]["name"] for document in documents if document["kind"] == kind)
