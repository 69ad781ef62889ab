"""The software bill of materials: of what an environment holds, that which toprock needs at run time.

`make sbom` has cyclonedx-py list a whole environment and gives that to this module, which keeps what toprock with all
its extras for users installs, adds what lies within (htmx, libraries in wheels), and says every licence in SPDX terms.

python -m hardening.bill ENVIRONMENT.json docs/sbom.cdx.json
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hardening.bundled import RUNTIME, libraries_of

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = ROOT / "docs/sbom.cdx.json"
RUN_TIME = ("pretrained", "pose", "pdf", "web", "postgres", "ray", "remote")
"""Extras for users."""
CLAIMED = {
    "ai-edge-litert": "Apache-2.0",
    "aiosignal": "Apache-2.0",
    "cssselect2": "BSD-3-Clause",
    "flatbuffers": "Apache-2.0",
    "jinja2": "BSD-3-Clause",
    "markdown-it-py": "MIT",
    "mdurl": "MIT",
    "mpmath": "BSD-3-Clause",
    "opencv-python-headless": "Apache-2.0",
    "protobuf": "BSD-3-Clause",
    "pydyf": "BSD-3-Clause",
    "pyphen": "GPL-2.0-or-later OR LGPL-2.1-or-later OR MPL-1.1",
    "python-dateutil": "BSD-3-Clause",
    "ray": "Apache-2.0",
    "s3fs": "BSD-3-Clause",
    "safetensors": "Apache-2.0",
    "scipy": "BSD-3-Clause",
    "shellingham": "ISC",
    "sympy": "BSD-3-Clause",
    "tinycss2": "BSD-3-Clause",
    "tinyhtml5": "MIT",
    "tokenizers": "Apache-2.0",
    "transformers": "Apache-2.0",
    "weasyprint": "BSD-3-Clause",
    "webencodings": "BSD-3-Clause",
}
"""Licences that packages tell in words of their own, as read in their licence files."""
_PERMISSIVE = """
    0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BSD-3-Clause-Clear BSD-4-Clause-UC BSL-1.0 CC0-1.0 CNRI-Python FTL IJG
    ISC MIT MIT-0 MIT-CMU OLDAP-2.8 OpenSSL PSF-2.0 PostgreSQL Python-2.0 SSLeay X11 Zlib libpng-2.0 libtiff
"""
_ASK_OF_WHO_CHANGES_THEM = """
    LGPL-2.0-or-later LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later MPL-1.1 MPL-2.0
"""
ALLOWED = {*_PERMISSIVE.split(), *_ASK_OF_WHO_CHANGES_THEM.split(), "Apache-2.0 WITH LLVM-exception", RUNTIME}
KNOWN_GPL = {("av", "x264"), ("av", "x265")}
"""Under the GPL, in wheels of others: toprock neither ships nor changes them, and writes MP4 by them."""


def needed(extras: Iterable[str]) -> dict[str, str]:
    """The versions here of all that toprock with these extras installs, by name; toprock itself is left out.

    Raises:
        PackageNotFoundError: something is not installed.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional, found = project["optional-dependencies"], dict[str, str]()
    open_ = [*project["dependencies"], *(line for extra in extras for line in optional[extra])]
    done: set[tuple[str, str]] = set()
    while open_:
        wanted = Requirement(open_.pop())
        name = canonicalize_name(wanted.name)
        if name == "toprock":
            open_ += [line for extra in wanted.extras for line in optional[extra]]
            continue
        installed = distribution(name)
        found[name] = installed.version.partition("+")[0]
        for extra in {"", *wanted.extras}:
            if (name, extra) not in done:
                done.add((name, extra))
                open_ += [line for line in installed.requires or () if _applies(line, extra)]
    return found


def _applies(line: str, extra: str) -> bool:
    marker = Requirement(line).marker
    plain = marker is None or marker.evaluate({"extra": ""})
    return plain if not extra else not plain and marker is not None and marker.evaluate({"extra": extra})


def restricted(environment: dict[str, Any]) -> dict[str, Any]:
    """The bill of what is needed at run time, from that of an environment which holds more."""
    wanted, kept = needed(RUN_TIME), []
    for component in environment["components"]:
        name = canonicalize_name(component["name"])
        if name in wanted:
            kept.append(_component(name, component))
    (itself,) = (c for c in environment["components"] if c["name"] == "toprock")
    refs = {component["bom-ref"] for component in [itself, *kept]}
    depend = [
        {**entry, "dependsOn": sorted(set(entry.get("dependsOn", ())) & refs)}
        for entry in environment["dependencies"]
        if entry["ref"] in refs
    ]
    itself = {key: itself[key] for key in ("bom-ref", "description", "licenses", "name", "type", "version")}
    metadata = {**environment["metadata"], "component": itself}
    return {**environment, "metadata": metadata, "components": [*kept, _htmx()], "dependencies": depend}


def _component(name: str, listed: dict[str, Any]) -> dict[str, Any]:
    made = {key: value for key, value in listed.items() if key != "externalReferences"}
    made["version"] = listed["version"].partition("+")[0]
    made["purl"] = f"pkg:pypi/{name}@{made['version']}"
    if name in CLAIMED:
        made["licenses"] = [{"expression": CLAIMED[name]}]
    within = [
        {
            "type": "library",
            "name": library,
            "licenses": [{"expression": licence}],
            "properties": [{"name": "toprock:file", "value": file} for file in files],
        }
        for library, (licence, files) in libraries_of(distribution(name)).items()
    ]
    return made | ({"components": within} if within else {})


def _htmx() -> dict[str, Any]:
    source = (ROOT / "src/toprock/web/static/htmx.min.js").read_text(encoding="utf-8")
    found = re.search(r'version:"([\d.]+)"', source)
    assert found, "htmx does not say its version"
    version = found[1]
    return {
        "type": "library",
        "name": "htmx.org",
        "version": version,
        "bom-ref": f"htmx.org=={version}",
        "purl": f"pkg:npm/htmx.org@{version}",
        "licenses": [{"expression": "0BSD"}],
        "properties": [{"name": "toprock:file", "value": "src/toprock/web/static/htmx.min.js"}],
    }


def everything(bill: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All components, each with the name of the one that it lies in, or with an empty one."""
    for component in bill["components"]:
        yield "", component
        for inner in component.get("components", ()):
            yield canonicalize_name(component["name"]), inner


def licence_of(component: dict[str, Any]) -> str:
    """What a component says of its licence, as one SPDX expression; empty where it says nothing in such terms."""
    told = component.get("licenses", ())
    terms = {one.get("expression") or one.get("license", {}).get("id") for one in told}
    return " AND ".join(sorted(filter(None, terms)))


def is_allowed(expression: str) -> bool:
    """Whether a licence may be lived with: of alternatives one must be, of what holds together all.

    >>> is_allowed("GPL-2.0-only OR MIT"), is_allowed("GPL-2.0-only AND MIT"), is_allowed("")
    (True, False, False)
    """
    return any(all(term.strip(" ()") in ALLOWED for term in one.split(" AND ")) for one in expression.split(" OR "))


def complaints(bill: dict[str, Any]) -> list[str]:
    """Components without a licence, or with one that is not allowed."""
    found = []
    for within, component in everything(bill):
        name, licence = component["name"], licence_of(component)
        if (within, name) in KNOWN_GPL:
            continue
        if not is_allowed(licence):
            found.append(f"{f'{within}: ' if within else ''}{name}: {licence or 'names no licence'}")
    return found


def main() -> None:
    """Read the bill of an environment, write that of toprock."""
    source, target = map(Path, sys.argv[1:])
    bill = restricted(json.loads(source.read_text(encoding="utf-8")))
    target.write_text(json.dumps(bill, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    for line in complaints(bill):
        print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
