"""The questions ``trace`` and ``why`` of ``python -I -m headct audit``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from headct.contracts import untrusted
from headct.contracts.artefacts import CONFIG, STUDY
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.contracts.terminal import say
from headct.contracts.untrusted import Unusable
from headct.provenance.inside import no_code_from
from headct.settings import lesions


def trace(
    file: str | None = None,
    /,
    *,
    number: list[str] | None = None,
    results: Path | None = None,
    draw: Path | None = None,
    full: bool = False,
    repeat: bool = False,
    sheet: Path | None = None,
    judgements: list[Path] | None = None,
) -> None:
    """Tell where a file, or a number in a table, comes from; a number is computed again from its rows.

    Args:
        file: a file of the results, as results/figures/bland_altman.pdf.
        number: a number: 'Table 1, Focal, IVH, mean', or FILE ROW COLUMN.
        results: results folder; by default the one that FILE is in.
        draw: draw the lineage into this file, .svg or .html.
        full: name every job and every row.
        repeat: repeat the jobs behind a number, by the installed code, on copies of their inputs.
        sheet: sample sheet, which some jobs need and no results hold.
        judgements: reviews, or blinded ratings and their key, which no results hold.
    """
    # Imported here: sealing and verifying need no pandas.
    from headct.provenance import drawing
    from headct.provenance import trace as tracing
    from headct.provenance.lineage import Study, lineage
    from headct.provenance.number_origins import Tables

    if (file is None) == (number is None):
        raise BadInput([Problem("trace", "name a file, or a number with --number")])
    named = [file] if file else number or []
    if draw and draw.suffix not in drawing.DRAWN:
        raise BadInput([Problem(str(draw), f"draws {' or '.join(drawing.DRAWN)}", key="--draw")])
    files = dict.fromkeys(judgements or (), "--judgements")
    if sheet:
        files[sheet] = "--sheet"
    refuse_absent(files)
    study = Study(results or results_of(named[0]))
    no_code_from(study.results)
    if draw and draw.resolve().is_relative_to(study.results.resolve()):
        raise BadInput([Problem(str(draw), "lies in the results, which stay as they are", key="--draw")])
    if number:
        tables = Tables(study, labels_of(study.results))
        place, words, right = tracing.answer(tables, number, repeat, full, list(files))
        path = place.path
    else:
        path = study.recorded_path(named[0])
        words, right = tracing.words_of_file(study, path, full)
    say(words)
    if draw:
        drawing.draw(lineage(study, path), draw)
    if not right:
        raise SystemExit(1)


def refuse_absent(files: Mapping[Path, str]) -> None:
    """End where a file that a user names is not there: :class:`BadInput` with the option that names it."""
    absent = [(str(path), option) for path, option in files.items() if not path.is_file()]
    if absent:
        raise BadInput([Problem(path, "there is no such file", key=option) for path, option in absent])


def labels_of(results: Path) -> LabelSet:
    """The lesions that a results folder says its tables are about.

    Raises:
        BadInput: it does not say so, or contradicts itself.
    """
    try:
        study, config = (untrusted.json_of(results / name) for name in (STUDY, CONFIG))
        return lesions.label_set_of_results(study, config)
    except (Unusable, ValueError) as error:
        raise BadInput(
            [Problem(str(results), f"{STUDY} and {CONFIG} do not tell the lesions: {error}")]
        ) from error


def why(*words: str) -> None:
    """Tell what would run again, and why: why -- --configfile FILE --directory FOLDER.

    Args:
        words: after --, as for snakemake.
    """
    # Imported here: it imports all of Snakemake, which the other tasks need not have.
    from headct.provenance.why import in_words, planned

    say(in_words(*planned(words)))


def results_of(named: str) -> Path:
    """The results folder that a path is in, or the one of the working directory."""
    for folder in Path(named).absolute().parents:
        if (folder / "audit" / "runs").is_dir():
            return folder
    return Path("results")
