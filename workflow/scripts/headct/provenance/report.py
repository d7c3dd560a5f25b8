"""The report of a verification: as text for the console, and as one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from headct.contracts.plurals import counted
from headct.contracts.terminal import visible
from headct.provenance.checks.folder import Finding
from headct.provenance.checks.sealed import AMENDED
from headct.provenance.verify import Summary
from headct.publish.pages import render

SHOWN = 40
"""Findings that are printed on a console, where a screen is enough to see what happened; a page has all."""

NAMED = 5
"""Files that are named in a line."""
FORMER = " (of models, seeds or scans that the study no longer asks for; the command 'former' deletes them)"

TEMPLATE = """\
{% extends "page" %}
{% block style %}
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
{% endblock %}
{% block body %}
<h1>{{ title }}</h1>
<p class="verdict {{ "bad" if summary.findings else "good" }}">{{ verdict }}</p>
<table class="facts">
{% for name, value in facts %}
<tr><th>{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}
</table>
{% if findings %}
<h2>Findings</h2>
<table class="findings">
<tr><th>File</th><th>What</th></tr>
{% for path, what in findings %}
<tr><td><code>{{ path }}</code></td><td>{{ what }}</td></tr>
{% endfor %}
</table>
{% endif %}
<h2>Not checked</h2>
<ul>
{% for what in summary.not_checked %}
<li>{{ what }}</li>
{% endfor %}
</ul>
{% endblock %}
"""


def verdict(summary: Summary) -> str:
    """The outcome in one sentence."""
    if not summary.findings:
        since = " and amended" if summary.amendments else ""
        return f"All {summary.files} files are as they were when they were sealed{since}."
    if all(finding.what.startswith(AMENDED) for finding in summary.findings):
        return "Amended since the root that was given; all that was not taken out is as it was sealed."
    n, paths = len(summary.findings), len({finding.path for finding in summary.findings})
    return f"Not as it was sealed: {counted(n, 'finding')} in {counted(paths, 'file')}."


def facts(summary: Summary) -> list[tuple[str, str]]:
    """What was looked at, name and value."""
    rate = summary.bytes / max(summary.seconds, 1e-9) / 1e6
    return [
        ("Root digest", summary.root or "none"),
        ("Signed", summary.signed),
        ("Evidence digest", summary.evidence or "none"),
        (
            "Read",
            f"{summary.files} files, {summary.bytes / 1e6:.0f} MB, {summary.seconds:.1f} s ({rate:.0f} MB/s)",
        ),
        ("Jobs on record", str(summary.records)),
        ("Jobs repeated", summary.repeated),
        ("Test set", summary.openings),
        ("Made by no job", _some(summary.unrecorded)),
        ("Former results", _some(summary.former) + (FORMER if summary.former else "")),
        *(("Amended", words) for words in summary.amendments),
    ]


def _some(paths: Sequence[str]) -> str:
    shown = [visible(path) for path in paths[:NAMED]]
    if paths[NAMED:]:
        shown.append("…")
    return f"{len(paths)} files: {', '.join(shown)}" if paths else "none"


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
    return render(
        TEMPLATE,
        title="Verification of the results",
        summary=summary,
        verdict=verdict(summary),
        facts=facts(summary),
        findings=[(visible(finding.path), visible(finding.what)) for finding in summary.findings],
    )


def _shown(findings: Sequence[Finding]) -> Sequence[Finding]:
    """All; of many, those first of which the fewest say the same, so that no rare one is lost."""
    if len(findings) <= SHOWN:
        return findings
    times = Counter(finding.what for finding in findings)
    return sorted(findings, key=lambda finding: (times[finding.what], finding))[:SHOWN]


def _left_out(findings: Sequence[Finding]) -> list[str]:
    n = len(findings) - SHOWN
    more = f"  and {n} more, those last of which many say the same; --report FILE.html has all"
    return [more] if n > 0 else []
