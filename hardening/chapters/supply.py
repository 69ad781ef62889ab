"""What toprock is built on: whether the pins are complete, the ranges true at both ends, and the licences known.

The long run makes two environments outside the repository, with the lowest release that each range in pyproject.toml
allows of what toprock itself asks for, and with the newest there is, and runs the tests of the runtime in both.
torch stays at its pin in both: it alone is as large as all the rest.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from hardening.bill import ROOT, RUN_TIME, WRITTEN, complaints, everything, licence_of, needed
from hardening.chapter import Chapter, Scale, Table

FIXED = "torch"
TESTS = (
    *("tests/test_public.py", "tests/test_performance.py", "tests/assess", "tests/backbones", "tests/calibration"),
    *(
        "tests/comparisons",
        "tests/engines",
        "tests/exports",
        "tests/features",
        "tests/library",
        "tests/sound",
        "tests/video",
    ),
    *("tests/cli/test_commands.py", "tests/cli/test_contract.py", "tests/cli/test_networks.py"),
    *("tests/cli/test_serving.py", "tests/report/test_page.py", "tests/report/test_pdf.py"),
    *("tests/report/test_pictures.py", "tests/web/test_security.py", "tests/web/test_doors.py"),
    *("tests/web/test_judging_api.py", "tests/web/test_room_pages.py", "tests/web/test_exports_api.py"),
    "tests/web/test_postgres.py",
)
"""Those that go through what others make: decoding, arrays, networks, pages, databases, commands."""
_PATIENCE_S = 5400


@dataclass(frozen=True)
class End:
    """The tests at one end of the ranges.

    Attributes:
        versions: of what toprock itself asks for, as installed.
        summary: the last line of pytest, or what pip said.
        failed: the tests that did not pass, or that nothing could be installed.
    """

    versions: Mapping[str, str]
    summary: str
    failed: tuple[str, ...]


def run(scale: Scale) -> Chapter:
    """Pins and licences; at length, the ranges too."""
    bill = json.loads(WRITTEN.read_text(encoding="utf-8"))
    lost = [*wrong_pins(pins(), needed(["all"])), *stale(bill, needed(RUN_TIME)), *complaints(bill)]
    tables = []
    if scale.full:
        ends = {name: try_end(scale.folder / name, lowest=name == "lowest") for name in ("lowest", "newest")}
        for name, end in ends.items():
            lost += [f"{name} versions: {test}" for test in end.failed]
        tables.append(Table(("versions", "tests"), [(name, end.summary) for name, end in ends.items()]))
        rows = [(name, *(end.versions.get(name, "absent") for end in ends.values())) for name in sorted(lowest())]
        tables.append(Table(("asked for", "lowest", "newest"), rows))
    tables.append(Table(("what", "version", "licence"), [*licences(bill)]))
    lead = (
        f"`constraints.txt` pins {len(pins())} releases: all that `toprock[all]` installs, compared with the "
        "environment that runs the tests. The ranges in `pyproject.toml` are tried at both ends, each in an "
        "environment of its own. `docs/sbom.cdx.json` (CycloneDX, by `make sbom`) lists what toprock with its extras "
        "installs at run time, what lies in it (htmx), and the libraries that wheels for Linux bring along."
    )
    notes = [
        f"{FIXED} was tried at its pin alone. Of the ranges of tools for tests and development, nothing is claimed.",
        "PyAV's wheel brings FFmpeg with x264 and x265, which are under the GPL. Toprock ships no such file and calls "
        "them through PyAV only; who passes on an installation with that wheel in it has the GPL to keep.",
    ]
    return Chapter(lead, tables, lost, notes)


def pins() -> dict[str, str]:
    """What constraints.txt says."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = [line.split("==") for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(name): version.strip() for name, version in found}


def wrong_pins(pinned: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Where pins and an environment do not say the same."""
    found = [f"{name} {wanted[name]} is installed and not pinned" for name in sorted(wanted.keys() - pinned.keys())]
    found += [f"{name} is pinned and nobody needs it" for name in sorted(pinned.keys() - wanted.keys())]
    both = sorted(wanted.keys() & pinned.keys())
    differ = [name for name in both if Version(pinned[name]) != Version(wanted[name])]
    return found + [f"{name} is pinned at {pinned[name]} and {wanted[name]} is installed" for name in differ]


def stale(bill: dict[str, object], wanted: Mapping[str, str]) -> list[str]:
    """Where the bill of materials does not say what is installed."""
    listed = {
        canonicalize_name(c["name"]): c["version"]
        for within, c in everything(bill)
        if not within and c.get("purl", "").startswith("pkg:pypi/")
    }
    differ = sorted(name for name in listed.keys() | wanted.keys() if listed.get(name) != wanted.get(name))
    return [
        f"the bill of materials has {name} {listed.get(name, 'not at all')}, and {wanted.get(name, 'nothing')} is "
        "needed: run make sbom"
        for name in differ
    ]


def licences(bill: dict[str, object]) -> Iterable[tuple[str, str, str]]:
    """Name, version and licence of each component; what lies within another names it."""
    for within, component in everything(bill):
        name = f"{component['name']} (in {within})" if within else component["name"]
        yield name, component.get("version", ""), licence_of(component)


def lowest() -> dict[str, str]:
    """The lowest release that the ranges allow of each package that users need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    wanted = map(Requirement, [*project["dependencies"], *(line for extra in RUN_TIME for line in optional[extra])])
    found = {}
    for one in wanted:
        if one.name != "toprock":
            (found[canonicalize_name(one.name)],) = (s.version for s in one.specifier if s.operator == ">=")
    return found | {FIXED: pins()[FIXED]}


def try_end(folder: Path, *, lowest: bool) -> End:
    """Install in a new environment in `folder`, and run the tests there."""
    folder.mkdir()
    python = folder / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    fixed = folder / "constraints.txt"
    fixed.write_text("".join(f"{name}=={version}\n" for name, version in _fixed(lowest).items()))
    helpers = folder / "helpers.txt"
    try:
        _pip(python, "--constraint", fixed, f"{ROOT}[{','.join(RUN_TIME)}]")
        here = _versions(python)
        helpers.write_text("".join(f"{n}=={v}\n" for n, v in here.items() if n != "toprock"))
        _pip(python, "--constraint", helpers, *_helpers(here))
    except subprocess.CalledProcessError as trouble:
        said = [line for line in trouble.stderr.splitlines() if line.startswith("ERROR")]
        return End({}, "nothing to run", (f"cannot be installed: {' '.join(said)[-600:]}",))
    done = _pytest(python, folder)
    lines = done.stdout.strip().splitlines()
    failed = tuple(line[:300] for line in lines if re.match("(FAILED|ERROR) ", line))
    if done.returncode and not failed:
        failed = (f"pytest ended with {done.returncode}: {' '.join(lines[-3:])[-300:]}",)
    return End(_versions(python), lines[-1].strip("= ") if lines else "", failed)


def _fixed(low: bool) -> dict[str, str]:
    return lowest() if low else {FIXED: pins()[FIXED]}


def _helpers(here: Mapping[str, str]) -> list[str]:
    """What these tests themselves need, at its pin."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {canonicalize_name(Requirement(line).name) for line in project["optional-dependencies"]["test"]}
    names -= {
        "schemathesis"
    }  # asks for newer releases than toprock does, and the tests of hardening are not among these
    return [f"{name}=={pins()[name]}" for name in sorted(names - here.keys())]


def _pip(python: Path, *wanted: object) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--prefer-binary", *map(str, wanted)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE_S)


def _versions(python: Path) -> dict[str, str]:
    command = [python, "-m", "pip", "list", "--format", "json"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {canonicalize_name(one["name"]): one["version"] for one in told}


def _pytest(python: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Deprecations are for those who choose releases: here, they fail nothing."""
    words = ("-q", "-W", "default", "-p", "no:cacheprovider", "--basetemp", folder / "tests", *TESTS)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [python, "-m", "pytest", *map(str, words)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests interrupt commands
    )
