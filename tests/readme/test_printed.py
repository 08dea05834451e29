"""Every command and URL that the documentation prints is run and opened on a stack that `make up` started."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import httpx
import pytest

from pagoda.cli import main as pagoda
from pagoda_api.cli import pagoda_api
from pagoda_worker.cli import pagoda_worker
from tools.chart import render
from tools.chart.rendering import installed
from tools.chart.samples import EVERYTHING
from tools.stack import clean_environ, free_port

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PAGES = ("*.md", "docs/**/*.md", "*/README.md", "plugins/*/README.md", "deploy/**/*.md", ".env.example")
PROGRAMS = r"(?:pagoda(?:-api|-worker)?|make|helm|kubectl|python3|docker|curl|\.venv/bin/pytest)"
IN_BACKTICKS = re.compile(rf"`({PROGRAMS} [^`]+)`")
ON_A_LINE = re.compile(rf"^(?: {{2,4}}|\t)({PROGRAMS} .+)$", re.MULTILINE)
LOCAL_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1)(?::\d+)?[\w/.-]*")
PATH = re.compile(r"`(?:(?:GET|POST|PUT|PATCH|DELETE) )?(/(?:api|admin|healthz|readyz|metrics)[^`?\s]*)`")
FOREIGN_URL = re.compile(r"https?://(?!localhost|127\.0\.0\.1)[^\s)>\"'`;,]+")

PROGRAMS_HELP = {"pagoda": pagoda, "pagoda-api": pagoda_api, "pagoda-worker": pagoda_worker}
WIDE = 500  # a command that is broken in two is not found

NOT_RUN = {
    "make chart-docs": "it writes; tests/chart/test_settings.py compares what is written with it",
    "pagoda-worker up": "`make up` runs it",
    "pagoda-worker run --plugin inventory --concurrency 1": "it runs on; `make up` runs one per plugin",
    "pagoda plugins doctor": "its name alone; it is run with a plugin's",
    "pagoda plugins permissions": "its name alone; it is run with a plugin's",
    "pagoda broker acl --apply": "files have no accounts; the tests of the worker's processes run it",
    "pagoda audit verify --head": "its name alone; core/tests/cli/test_audit.py gives it a head",
    "pagoda audit prune": "its name alone",
    "pagoda audit prune --before 2026-01-31 --export old.jsonl": "it writes; test_audit.py runs it",
    "pagoda plugins install <wheel>": "it changes the environment; test_plugin_packages.py runs it",
    "pagoda plugins remove <plugin>": "it does, too",
    "pagoda plugins remove <plugin> --purge --export rows.json": "it does, too",
    "pagoda export Rack Host --output hosts.xlsx": "it writes; core/tests/cli/test_transfer.py runs it",
    "pagoda import hosts.xlsx --preview": "it needs the file; test_transfer.py runs it",
    "pagoda import hosts.csv --entity Host --key serial --skip --as ann": "it does, too",
    "pagoda export": "its name alone",
    "pagoda import": "its name alone",
    "pagoda plugins lock": "it needs wheels, and says so; core/tests/cli/test_plugins.py installs one",
    "pagoda migrate <app> zero": "it drops tables that the other commands read",
}
"""Commands that are printed and not run here, with the reason; beside these, `CLUSTER` and `MAKE`."""
NOT_OPENED = {
    "/api/v2/plugins/greeter/count/": "test_readme_plugin.py has a host with this plugin",
}
CLUSTER = ("helm", "kubectl", "docker")
"""They need a cluster or an engine, where `make cluster-test` and `make test-integration` run them; here the
objects that they name have to be in the rendered chart, or the file in the repository."""
MAKE = ("make", "python3 docker/make_env.py")
"""Each lasts minutes or writes into the repository; .ci/run runs most. Here make plans it: target and
prerequisites are there."""
PUT_IN = {
    r"(?<=plugins/)<id>|(?<=doctor )<id>|<plugin>|(?<= )P(?= |$)|(?<=permissions )scanner": "inventory",
    r"<id>": "1",
    r"<surface>": "hook",
    r"<switch>": "silence",
    r"\[(--[^\]]+)\]": r"\1",  # an option that may be left out
}
"""``{placeholder of the documentation: what is run and opened in its place}``, the first that fits."""
EXIT_1_MAY_TELL = ("pagoda health", "pagoda plugins check", "pagoda plugins doctor", "pagoda alerts test")
"""Their exit status 1 says that something is not well; a usage error is 2, and a traceback is never right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """What `make up` started, and what it printed."""

    output: str
    environ: dict[str, str]
    api: str
    flower: str
    token: str


def texts() -> dict[str, str]:
    """``{page: its text}``, with what the programs and the chart print."""
    pages = {path for pattern in PAGES for path in ROOT.glob(pattern)}
    pages = {path for path in pages if path.parent.name[:1] != "." and path.name != "CHANGELOG.md"}
    found = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in pages}
    for program, command in PROGRAMS_HELP.items():
        found |= helps(click.Context(command, info_name=program, terminal_width=WIDE))
    found["make help"] = _said("make", "--no-print-directory", "help")
    for name, values in (("defaults", {}), ("everything", EVERYTHING)):
        found[f"NOTES of {name}"] = installed(values)["info"]["notes"]
    return found


def helps(context: click.Context) -> dict[str, str]:
    """``{command: what its --help prints}``, of those below it too."""
    found = {f"{context.command_path} --help": context.get_help()}
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            found |= helps(click.Context(command, context, name, terminal_width=WIDE))
    return found


def _said(*command: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout


def commands_of(text: str) -> set[str]:
    """Return the commands in a text, without the comments and the optional parts."""
    found = [*IN_BACKTICKS.findall(text), *ON_A_LINE.findall(text.replace("\\\n", " "))]
    plain = (re.sub(r" {2,}.*| # .*|\[[^\]]*\]", "", command) for command in found)
    return {" ".join(command.split()) for command in plain if " " in command.strip()}


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    return texts()


@pytest.fixture(scope="module")
def commands(printed: dict[str, str]) -> set[str]:
    return {command for text in printed.values() for command in commands_of(text)}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Start `make up` on free ports."""
    folder = tmp_path_factory.mktemp("up")
    api, flower = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    environ = clean_environ() | {
        "API_BIND": api,
        "FLOWER_BIND": flower,
        "PAGODA_DATA_DIR": str(folder / "data"),
        "PAGODA_ENV_FILE": "",
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    command = (sys.executable, "-u", "tools/up.py")
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("ctrl-c stops it"):
                break
        output = "".join(lines)
        try:
            assert "ctrl-c stops it" in output, output
            get_token, scan = re.findall(r"curl .*?(?=\n  \S|\n\n)", output, flags=re.DOTALL)
            token = httpx.Response(200, text=_shell(get_token, environ)).json()["token"]
            job = json.loads(_shell(scan.replace("Token ...", f"Token {token}"), environ))["job"]
            _wait_for(f"http://{api}/api/v2/jobs/{job}/", {"Authorization": f"Token {token}"})
            yield Up(output=output, environ=environ, api=api, flower=flower, token=token)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(120)


def _filled(text: str) -> str:
    for placeholder, value in PUT_IN.items():
        text = re.sub(placeholder, value, text)
    return text


def _shell(command: str, environ: dict[str, str]) -> str:
    done = subprocess.run(
        ("bash", "-c", command), cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def _wait_for(job: str, headers: dict[str, str]) -> None:
    """Wait until the scan is done: pages name the entry 1, which it makes."""
    deadline = time.monotonic() + 120
    while (told := httpx.get(job, headers=headers).json()["status_name"]) != "DONE":
        assert time.monotonic() < deadline, told
        time.sleep(0.2)


def test_the_commands_of_pagoda_run(up: Up, commands: set[str]) -> None:
    ours = {command for command in commands if command.startswith("pagoda") and command not in NOT_RUN}
    assert len(ours) > 10
    (beside,) = re.findall(r"^  (\S.*) pagoda plugins list$", up.output, flags=re.MULTILINE)
    environ = up.environ | dict(word.split("=", 1) for word in shlex.split(beside))
    faults = []
    for command in sorted(map(_filled, ours)):
        done = subprocess.run(
            shlex.split(command), cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )
        allowed = {0, 1} if command.startswith(EXIT_1_MAY_TELL) else {0}
        if done.returncode not in allowed or "Traceback" in done.stderr:
            faults.append(f"{command}: exit {done.returncode}\n{done.stdout[-500:]}{done.stderr[-500:]}")
    assert not faults, "\n".join(faults)


def test_targets_of_make_are_there(commands: set[str]) -> None:
    ours = sorted(command for command in commands if command.startswith("make ") and command not in NOT_RUN)
    assert len(ours) > 10
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    for command in ours:
        make, *arguments = shlex.split(command)
        plan = (make, "--dry-run", *arguments)
        done = subprocess.run(plan, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def test_tests_are_found_alone(commands: set[str]) -> None:
    ours = sorted(command for command in commands if command.startswith(".venv/bin/pytest"))
    assert ours
    environ = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    for command in ours:
        asked = (*shlex.split(command), "--collect-only")
        done = subprocess.run(asked, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}"


def test_what_commands_for_a_cluster_name_is_there(commands: set[str]) -> None:
    objects = {document["metadata"]["name"] for values in ({}, EVERYTHING) for document in render(values)}
    pods = {f"{name}-0" for name in objects}
    for command in sorted(command for command in commands if command.startswith(CLUSTER)):
        for name in re.findall(r"(?:service/|secret |exec |deployment/)(pagoda[\w-]*)", command):
            assert name in objects | pods, command
        for path in re.findall(r"(?:deploy|docker)/[\w/.-]+", command):
            assert (ROOT / path).exists(), command


def test_the_help_of_each_command_is_read(printed: dict[str, str]) -> None:
    expected = {"pagoda jobs retry --help", "pagoda-api serve --help", "pagoda-worker up --help"}
    assert expected <= set(printed)
    group = click.Group("a", [click.Command("b", help="word " * 14 + "`pagoda plugins list --json`.")])
    said = helps(click.Context(group, info_name="a", terminal_width=WIDE))
    assert commands_of(said["a b --help"]) == {"pagoda plugins list --json"}


def test_every_command_is_run_or_excepted_with_a_reason(commands: set[str]) -> None:
    known = (*CLUSTER, *MAKE, "pagoda", "curl", ".venv/bin/pytest")  # what the tests above take
    assert {command for command in commands if not command.startswith(known)} == set()
    assert set(NOT_RUN) - commands == set(), "exceptions for what is printed no more"


def test_urls_answer(up: Up, printed: dict[str, str]) -> None:
    text = "\n".join([*printed.values(), up.output])
    ports = {"8000": up.api, "8080": up.api, "5555": up.flower}  # `make up`'s, the containers', both' Flower
    (login,) = re.findall(r"^Flower .* login (\S+) / (\S+)$", up.output, flags=re.MULTILINE)
    opened = 0
    token = {"Authorization": f"Token {up.token}"}
    with httpx.Client(follow_redirects=True, timeout=60) as client:
        for url in sorted(set(LOCAL_URL.findall(text))):
            address = httpx.URL(url)
            place = ports.get(str(address.port), address.netloc.decode())
            proof = {"auth": login} if place == up.flower else {"headers": token}
            answer = client.get(f"http://{place}{address.path}", **proof)
            assert answer.status_code in {200, 405}, f"{url}: {answer.status_code}"  # 405: it is for POST
            opened += 1
        for path in sorted(map(_filled, set(PATH.findall(text)) - set(NOT_OPENED))):
            answer = client.get(f"http://{up.api}{path}", headers=token)
            assert answer.status_code in {200, 405}, f"{path}: {answer.status_code} {answer.text[:300]}"
            opened += 1
    assert opened > 10


def test_addresses_of_others_are_examples(printed: dict[str, str]) -> None:
    found = {url for text in printed.values() for url in FOREIGN_URL.findall(text)}
    examples = {url for url in found if re.search(r"example\.(org|com|net)|//key@host|\.\.\.", url)}
    assert found - examples - {"https://github.com/caronc/apprise/wiki"} == set()  # no test asks the internet
