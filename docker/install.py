"""Install Pagoda's distributions and its plugins into the images' environment; runs while an image is built.

Third-party packages are installed before, from ``requirements/runtime.txt``. What is added here is a wheel
made from a folder of this repository, a wheel given with its hash, or a distribution that ``plugins.lock``
pins by version and hash; nothing else can come in. It leaves behind ``wheels.lock`` (these wheels, by hash)
and ``sbom.cdx.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path

HOST = ("sdk", "core", "services/api", "services/worker")
UNREAD = (
    "*.po", "*.map", "*.pyi",  # sources of translations, maps for debuggers, types
    "static/drf_spectacular_sidecar/redoc/**/*.js",  # a viewer of the API's description that is not served
    "locale/[!ej]*/LC_MESSAGES/*.mo", "locale/e[!n]*/LC_MESSAGES/*.mo", "locale/j[!a]*/LC_MESSAGES/*.mo",
    # languages: the console speaks English and Japanese
    "django/contrib/gis/**/*",  # needs libraries that are not in the images
    "allauth/socialaccount/providers/[!bo]*/**/*",  # of accounts; OpenID Connect is the one that is used
    "allauth/headless/**/*", "allauth/idp/**/*", "allauth/mfa/**/*",  # not installed, as the next ones
    "unfold/contrib/**/*", "django/contrib/flatpages/**/*", "django/contrib/redirects/**/*",
    "django/contrib/sitemaps/**/*", "django/contrib/syndication/**/*",
    "static/unfold/js/jedison/*", "rest_framework/static/**/*",  # not served: editors, the browsable API
    "pygments/lexers/[a-oqrt-z]*.py", "pygments/lexers/p[!y]*.py", "pygments/lexers/s[!p]*.py",
    "pygments/lexers/_*_builtins.py",  # colours for languages: command lines show Python and plain text
    "apprise/assets/themes/**/*",  # pictures for desktops; messages of servers go without
    "dateutil/zoneinfo/*.tar.gz",  # time zones beside those of the system
    "tornado/test/**/*", "jsonschema/tests/**/*", "jsonschema/benchmarks/**/*", "referencing/tests/**/*",
    "wcwidth/_wcwidth_c*.so", "charset_normalizer/*.so",  # faster twins of Python that seldom runs
    "wcwidth/table_grapheme_overrides/_known_*.py",  # of terminals; it goes without where they are not there
    "static/admin/js/vendor/*/*[!n].js", "static/django_htmx/*[!n].js",  # beside their *.min.js
)  # fmt: skip
"""Files of packages that nothing uses at run time."""
WHEEL = re.compile(r"\S+\.whl#sha256=[0-9a-f]{64}")
PIN = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)==", re.MULTILINE)


def main() -> None:
    """Run the command line; a fault ends the build with what to do about it."""
    arguments = _parser().parse_args()
    names, folders, given = divide(arguments.plugins.split())
    missing = sorted(set(names) - locked(arguments.lock))
    if missing:
        sys.exit(f"{', '.join(missing)}: not pinned in {arguments.lock}; run `make plugins-lock PLUGINS=...`")
    python = arguments.into / "bin" / "python"
    built = arguments.into / "wheels.lock"
    wheels = [build(folder) for folder in (*HOST, *folders)]
    pins = [f"./{wheel} --hash=sha256:{_sha256(wheel)}\n" for wheel in wheels]
    built.write_text("".join(pins + [pin_of(wheel) for wheel in given]), encoding="utf-8")
    if names or (given and locked(arguments.lock)):  # what a wheel needs beyond the host is in the lock, too
        install(python, arguments.lock)
    install(python, built, "--no-index")
    _pip(python, "check")
    _run(sys.executable, "-m", "cyclonedx_py", "environment", str(python),
         "--output-reproducible", "--output-file", str(arguments.into / "sbom.cdx.json"))  # fmt: skip
    leave_out(arguments.into / "lib")
    # Byte code that trusts the sources, as nothing in an image changes: the root file system is read-only.
    _run(
        str(python),
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        str(arguments.into / "lib"),
    )


def leave_out(folder: Path) -> None:
    """Remove what nothing uses at run time."""
    for path in {path for pattern in UNREAD for path in folder.rglob(pattern)}:
        if path.is_file():
            path.unlink()


def divide(plugins: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Divide PLUGINS into distributions (normalised, version left out), folders, and wheels with a hash."""
    wheels = [item for item in plugins if WHEEL.fullmatch(item)]
    folders = [item for item in plugins if "/" in item and item not in wheels]
    absent = [folder for folder in folders if not (Path(folder) / "pyproject.toml").is_file()]
    if absent:
        sys.exit(f"{', '.join(absent)}: no pyproject.toml there; PLUGINS names folders of the repository")
    names = [item for item in plugins if item not in {*folders, *wheels}]
    return [normalise(re.split(r"[=<>~!\[]", item)[0]) for item in names], folders, wheels


def pin_of(wheel: str) -> str:
    """Return the line of a lock for a wheel with a hash."""
    path, _, digest = wheel.partition("#sha256=")
    return f"./{path} --hash=sha256:{digest}\n"


def locked(lock: Path) -> set[str]:
    """Return the normalised names that the lock pins."""
    return {normalise(name) for name in PIN.findall(lock.read_text(encoding="utf-8"))}


def normalise(name: str) -> str:
    """Return a distribution's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def build(folder: str) -> Path:
    """Build the wheel of a folder with the pinned backend; return its path."""
    target = Path("dist") / folder
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(target), f"./{folder}")  # fmt: skip
    (wheel,) = target.glob("*.whl")
    return wheel


def install(python: Path, lock: Path, *options: str) -> None:
    """Install what the lock pins, each file held against its hash."""
    _pip(python, "install", "--require-hashes", "--only-binary", ":all:", "--no-deps", "--no-compile",
         *options, "-r", str(lock))  # fmt: skip


def _pip(python: Path, *arguments: str) -> None:
    _run(sys.executable, "-m", "pip", "--python", str(python), *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False)  # noqa: S603 - our own command lines
    if done.returncode:
        sys.exit(f"failed with {done.returncode}: {' '.join(command)}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="the environment, without pip of its own")
    parser.add_argument("--plugins", required=True, help="distributions and folders, separated by blanks")
    parser.add_argument("--lock", type=Path, required=True)
    return parser


if __name__ == "__main__":
    main()
