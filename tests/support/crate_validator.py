"""The public validator of RO-Crates, without a network: the two contexts come from what pip packages ship.

``python tests/support/crate_validator.py CACHE`` fills a cache for use by hand:
``rocrate-validator validate results/ -p workflow-run-crate-0.5 -l required --offline --cache-path CACHE``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter, HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

CRATE_1_1 = "https://w3id.org/ro/crate/1.1/context"
WORKFLOW_RUN = "https://w3id.org/ro/terms/workflow-run/context"
BIOSCHEMAS = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}
"""What RO-Crate 1.1 calls these; the context that rocrate ships is that of 1.3, which renamed them."""

RUN_TERMS = {
    name: f"https://w3id.org/ro/terms/workflow-run#{name}"
    for name in (
        "ParameterConnection",
        "connection",
        "sourceParameter",
        "targetParameter",
        "md5",
        "sha1",
        "sha256",
        "sha512",
        "containerImage",
        "environment",
        "resourceUsage",
        "ContainerImage",
        "tag",
        "registry",
    )
}


class Shipped(BaseAdapter):
    """Answers requests with the contexts at hand, as the web server would."""

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        url = str(request.url)
        body = BytesIO(json.dumps({"@context": contexts()[url]}).encode())
        headers = {"Content-Type": "application/ld+json"}
        raw = HTTPResponse(body, headers, 200, preload_content=False, request_url=url)
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        pass


def contexts() -> dict[str, dict[str, Any]]:
    """Both JSON-LD contexts by address."""
    shipped = json.loads(files("rocrate").joinpath("data/ro-crate.jsonld").read_text(encoding="utf-8"))
    return {CRATE_1_1: shipped["@context"] | BIOSCHEMAS, WORKFLOW_RUN: RUN_TERMS}


def fill_cache(path: Path) -> None:
    """Put both contexts into a cache of the validator; ``path`` without its suffix ``.sqlite``."""
    with CachedSession(str(path), backend="sqlite", expire_after=-1) as session:
        session.mount("https://w3id.org/", Shipped())
        for url in contexts():
            session.get(url)


def issues(crate: Path, cache: Path, profile: str) -> list[str]:
    """What ``rocrate-validator`` finds wrong with a folder; nothing if it follows the profile."""
    program = Path(sys.executable).with_name("rocrate-validator")
    report = cache.with_name(f"{profile}.json")
    options = (
        "--profile-identifier",
        profile,
        "--requirement-severity",
        "required",
        "--offline",
        "--no-paging",
    )
    written = ("--output-format", "json", "--output-file", report, "--cache-path", cache)
    done = subprocess.run(
        [program, "--no-interactive", "validate", crate, *options, *written], capture_output=True, text=True
    )
    found = [issue["message"] for issue in json.loads(report.read_text(encoding="utf-8"))["issues"]]
    assert done.returncode == bool(found), done.stdout + done.stderr
    return found


if __name__ == "__main__":
    fill_cache(Path(sys.argv[1]))
