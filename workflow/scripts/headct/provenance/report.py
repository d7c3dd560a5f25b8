"""The report of a verification: as text for the console, and as one page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from headct.contracts.terminal import visible
from headct.provenance.verify import Finding, Summary

SHOWN = 40
"""Findings that a report lists; one page is enough to see what happened."""

NAMED = 5
"""Files that are named in a line."""
FORMER = " (of models, seeds or scans that the study no longer asks for; the command 'former' deletes them)"

STYLE = """
body { font: 13px/1.45 Helvetica, Arial, sans-serif; color: #111; margin: 2.2em auto; max-width: 60em; }
h1 { font-size: 1.4em; margin: 0 0 .2em; }
h2 { font-size: 1.05em; margin: 1.4em 0 .3em; }
.verdict { font-size: 1.1em; padding: .5em .8em; border-left: .4em solid; margin: .8em 0 1.2em; }
.good { border-color: #1a7f37; background: #eef7f0; }
.bad { border-color: #b42318; background: #fdf0ee; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: .25em .8em .25em 0; border-bottom: 1px solid #ddd;
  overflow-wrap: anywhere; }
th { font-weight: normal; color: #555; }
.facts th { width: 11em; }
.findings th:first-child { width: 45%; }
code { font-size: .95em; }
"""


def verdict(summary: Summary) -> str:
    """The outcome in one sentence."""
    if not summary.findings:
        return f"All {summary.files} files are as they were when they were sealed."
    n, paths = len(summary.findings), len({finding.path for finding in summary.findings})
    return (
        f"Not as it was sealed: {n} finding{'s' if n > 1 else ''} in {paths} file{'s' if paths > 1 else ''}."
    )


def facts(summary: Summary) -> list[tuple[str, str]]:
    """What was looked at, name and value."""
    rate = summary.bytes / max(summary.seconds, 1e-9) / 1e6
    return [
        ("Root digest", summary.root or "none"),
        ("Evidence digest", summary.evidence or "none"),
        (
            "Read",
            f"{summary.files} files, {summary.bytes / 1e6:.0f} MB, {summary.seconds:.1f} s ({rate:.0f} MB/s)",
        ),
        ("Jobs on record", str(summary.records)),
        ("Test set", summary.openings),
        ("Made by no job", _some(summary.unrecorded)),
        ("Former results", _some(summary.former) + (FORMER if summary.former else "")),
    ]


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join([*map(visible, paths[:NAMED]), *(["…"] if paths[NAMED:] else [])])
    return f"{len(paths)} files: {shown}" if paths else "none"


def text(summary: Summary) -> str:
    """The report for a console, 100 columns or so."""
    lines = [verdict(summary), ""]
    lines += [f"{name:16} {value}" for name, value in facts(summary)]
    if summary.findings:
        shown = [(visible(finding.path), visible(finding.what)) for finding in _shown(summary.findings)]
        lines += ["", *(f"  {path}: {what}" for path, what in shown)]
        lines += _left_out(summary.findings)
    lines += ["", "Not checked:", *(f"  {what}" for what in summary.not_checked)]
    return "\n".join(lines)


def html(summary: Summary) -> str:
    """The report as a page that needs no other file."""
    kind = "bad" if summary.findings else "good"
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>\n" for name, value in facts(summary)
    )
    found = "".join(
        f"<tr><td><code>{escape(visible(finding.path))}</code></td><td>{escape(visible(finding.what))}</td></tr>\n"
        for finding in _shown(summary.findings)
    )
    findings = (
        '<h2>Findings</h2>\n<table class="findings">\n<tr><th>File</th><th>What</th></tr>\n'
        f"{found}</table>\n"
        + "".join(f"<p>{escape(line.strip())}</p>\n" for line in _left_out(summary.findings))
        if found
        else ""
    )
    limits = "".join(f"<li>{escape(what)}</li>\n" for what in summary.not_checked)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f"<title>Verification of the results</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        "<h1>Verification of the results</h1>\n"
        f'<p class="verdict {kind}">{escape(verdict(summary))}</p>\n'
        f'<table class="facts">\n{rows}</table>\n{findings}'
        f"<h2>Not checked</h2>\n<ul>\n{limits}</ul>\n</body>\n</html>\n"
    )


def _shown(findings: Sequence[Finding]) -> Sequence[Finding]:
    return findings[:SHOWN]


def _left_out(findings: Sequence[Finding]) -> list[str]:
    return [f"  and {len(findings) - SHOWN} more"] if len(findings) > SHOWN else []
