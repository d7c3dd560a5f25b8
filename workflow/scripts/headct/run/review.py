"""Bring reviews of scans into a study, or have maps judged blindly: ``python -m headct review --help``.

What the page exported, or a reader wrote by hand, is checked whole and added below what the study has.
Nothing that stands there is changed or taken away.
"""

from __future__ import annotations

import csv
import io
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from headct.contracts import untrusted
from headct.contracts.artefacts import as_text, read_json, read_tsv, write_atomically
from headct.contracts.problems import BadInput, Problem, WrongOptions, gathered
from headct.contracts.repository import BUNDLE, REPOSITORY
from headct.contracts.terminal import say
from headct.provenance import privacy
from headct.publish.evidence import EVIDENCE
from headct.publish.figures.slices import runs_to_show
from headct.publish.page import blinded_page
from headct.run import late_reviews
from headct.settings import blocks, configuration, lesions, reviews, sheet
from headct.settings.blocks import Configuration
from headct.settings.reviews import COLUMNS, Review

logger = logging.getLogger(__name__)

NOT_PREDICTED = (
    "there are no results to look at yet: nothing of the test set was predicted. A review of images and "
    "masks alone is of kind quality"
)
NO_TEST_SCAN = "is no test scan of this study: results are reviewed of test scans"

SEED_BITS = 128
"""Of the seed of a blinded page: more than anyone can try."""


def commands() -> dict[str, Callable[..., None]]:
    """Functions by the word that follows ``review``."""
    return {"import": import_reviews, "blind": blind}


def import_reviews(
    *files: Path,
    configfile: Path = REPOSITORY / "config" / "config.yaml",
    directory: Path = Path(),
) -> None:
    """Check reviews and add them to the study's, in the files that its configuration names.

    Args:
        files: tables that the page exported, or that were written by hand.
        configfile: configuration of the study.
        directory: folder of the study.
    """
    if not files:
        raise WrongOptions("name a file with reviews")
    config = blocks.load(configfile)
    destinations = {kind: directory / file for kind, file in vars(config.reviews).items() if file}
    if shared := reviews.sharing_a_file(destinations, str(configfile)):
        raise BadInput(shared)
    problems: list[Problem] = []
    given: list[Review] = []
    before: dict[str, Sequence[Review]] = dict.fromkeys(vars(config.reviews), ())
    for file in files:
        with gathered(problems):
            of_file, of_rows = reviews.read(file)
            given += of_file
            problems += of_rows
    for kind, file in destinations.items():
        if file.is_file():
            with gathered(problems):
                before[kind] = as_imported(file)
    problems += _without_destination(given, destinations, str(configfile))
    problems += _refused(given, config, directory)
    problems += reviews.contradictions([*(one for of_kind in before.values() for one in of_kind), *given])
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))
    warn_of_other_results(given, directory / "results")
    for kind, file in destinations.items():
        of_kind = [review for review in given if review.kind == kind]
        if of_kind:
            new = new_reviews(of_kind, before[kind])
            append(new, file)
            say(in_words(of_kind, new, before[kind], file))


def blind(
    *,
    models: list[str],
    cases: int | None = None,
    seed: int | None = None,
    out: Path,
    key: Path,
    configfile: Path = REPOSITORY / "config" / "config.yaml",
    directory: Path = Path(),
) -> None:
    """Make a page on which raters judge maps of models, and the reference, without knowing whose they are.

    Args:
        models: whose maps are judged, by their keys; two or three are enough for a rater.
        cases: how many test scans are drawn; all, if left out.
        seed: of the draw of cases, and of the letters in each: random, if left out. That of a key makes the
            same page again; any that raters could guess would tell them the key.
        out: folder to make, which is handed to raters.
        key: file to write, which says what the letters stand for; never inside the folder of the page.
        configfile: configuration of the study.
        directory: folder of the study.
    """
    if cases is not None and cases < 1:
        raise WrongOptions(f"--cases {cases}: draw at least one, or leave it out for all")
    document = configuration.load(configfile)
    config = blocks.configured(document)
    results = directory / "results"
    _refuse_places(out, key)
    unknown = [model for model in models if model not in config.models]
    if unknown or len(set(models)) < len(models) or len(models) >= blinded_page.MOST_MAPS:
        known = ", ".join(config.models)
        raise WrongOptions(f"--models: name each once, at most {blinded_page.MOST_MAPS - 1}, of {known}")
    manifests = [results / f"predictions/{model}/seed-{config.training.seeds[0]}.tsv" for model in models]
    if absent := [path for path in manifests if not path.is_file()]:
        raise BadInput(
            [Problem(str(path), "is not there: the model has not predicted yet") for path in absent]
        )
    runs = runs_to_show(manifests, models)
    predicted = [
        scan
        for scan in sorted(scans_of_test_set(results))
        if not any(run.rows.get(scan, {"reason": "absent"})["reason"] for run in runs.values())
    ]
    if not predicted:
        raise BadInput([Problem(str(results), "no test scan has a map of each of these models")])
    seed = secrets.randbits(SEED_BITS) if seed is None else seed
    drawn = blinded_page.draw(predicted, models, cases, seed)
    shown = blinded_page.Shown(
        results / "data",
        runs,
        lesions.label_set_of(document),
        config.ingest.intensity,
        config.masks_faces,
        BUNDLE,
    )
    digest = blinded_page.write_key(drawn, seed, key)
    blinded_page.write_page(drawn, shown, digest, out)
    lost = len(scans_of_test_set(results)) - len(predicted)
    say(
        f"{out}: {len(drawn)} cases, {len(models) + 1} maps each; what the letters stand for is in {key}"
        + (f"; {lost} test scans have not a map of each model, and were not drawn from" if lost else "")
    )


def _refuse_places(out: Path, key: Path) -> None:
    """Refuse to overwrite anything, to write into results, and a key that raters would be given."""
    untrusted.refuse_in_results(out / "index.html", "--out")
    untrusted.refuse_in_results(key, "--key")
    problems = [
        Problem(str(path), "is there already: nothing is overwritten", key=option)
        for option, path in (("--out", out), ("--key", key))
        if path.exists()
    ]
    if out.resolve() in key.resolve().parents:
        problems.append(Problem(str(key), "lies in the folder that raters are given", key="--key"))
    if problems:
        raise BadInput(problems)


def as_imported(file: Path) -> tuple[Review, ...]:
    """The reviews of a file that this command wrote; raises BadInput where it is another."""
    if file.read_bytes().splitlines()[:1] != ["\t".join(COLUMNS).encode()]:
        message = (
            "was not written by 'headct review import', which adds to it: move it away and import it, so "
            "that it is checked"
        )
        raise BadInput([Problem(str(file), message, "1")])
    return reviews.load(file)


def _without_destination(
    given: Iterable[Review], destinations: Mapping[str, Path], configfile: str
) -> list[Problem]:
    """Kinds of reviews for which the configuration names no file."""
    kinds = dict.fromkeys(review.kind for review in given)
    message = "names no file in which these reviews would be gathered: name one, such as {}_reviews.tsv"
    return [
        Problem(configfile, message.format(kind), key=f"reviews.{kind}")
        for kind in kinds
        if kind not in destinations
    ]


def _refused(given: Sequence[Review], config: Configuration, directory: Path) -> list[Problem]:
    """What speaks against each review by what the study has: scans, models, predictions."""
    results = directory / "results"
    of_kind = {kind: [one for one in given if one.kind == kind] for kind in vars(config.reviews)}
    quality, of_results = of_kind[reviews.QUALITY], of_kind[reviews.RESULTS]
    scans = {row["scan_id"] for row in sheet.baseline(sheet.load(directory / config.sheet))}
    problems = reviews.unknown_scans(quality, scans, reviews.NO_SCAN)
    problems += late_reviews.too_late(quality, results)
    if of_results and not late_reviews.predicted(results):
        problems += [review.problem("kind", NOT_PREDICTED) for review in of_results]
    elif of_results:
        problems += reviews.unknown_scans(of_results, scans_of_test_set(results), NO_TEST_SCAN)
    known = ", ".join(config.models)
    problems += [
        review.problem("model", f"no such model; there are {known}")
        for review in given
        if review.model and review.model not in config.models
    ]
    return problems + [
        review.problem("reason", f"{what}, and may stand in no result: say it without")
        for review in given
        for what in privacy.recognised_in(review.reason or "")
    ]


def warn_of_other_results(given: Iterable[Review], results: Path) -> None:
    """Log which reviews of results were made on other results than those that are here."""
    if not (path := results / EVIDENCE).is_file():
        return
    here = read_json(path)["sha256"]
    others = [
        (one.file, one.evidence)
        for one in given
        if one.kind == reviews.RESULTS and one.evidence not in (None, here)
    ]
    for (file, evidence), number in Counter(others).items():
        message = "%s: %d reviews are of results with the evidence digest %s; those here have %s"
        logger.warning(message, file, number, evidence, here)


def scans_of_test_set(results: Path) -> set[str]:
    """The scans of the test set."""
    split = read_tsv(results / "cohort" / "split.tsv")
    return set(split.loc[split["set"] == "test", "scan_id"])


def new_reviews(given: Iterable[Review], before: Iterable[Review]) -> list[Review]:
    """Those of reviewers and scans that have no review yet, each once."""
    seen = {(review.reviewer, review.scan_id) for review in before}
    first = {(review.reviewer, review.scan_id): review for review in reversed(list(given))}
    return [review for key, review in reversed(first.items()) if key not in seen]


def append(new: Sequence[Review], file: Path) -> None:
    """Write reviews below those of a file, which is made if it is not there."""
    before = file.read_text(encoding="utf-8") if file.is_file() else ""
    added = io.StringIO()
    writer = csv.writer(added, delimiter="\t", lineterminator="\n")
    if not before:
        writer.writerow(COLUMNS)
    elif not before.endswith("\n"):
        added.write("\n")
    writer.writerows([as_text(getattr(review, name) or "") for name in COLUMNS] for review in new)
    with write_atomically(file) as written:
        written.write_text(before + added.getvalue(), encoding="utf-8")


def in_words(given: Sequence[Review], new: Sequence[Review], before: Sequence[Review], file: Path) -> str:
    """What was added to a file, and what is to be done now.

    Args:
        given: reviews of one kind.
        new: those of them that were added.
        before: those that were there.
        file: that they were added to.
    """
    (kind,) = {review.kind for review in given}
    known = len(given) - len(new)
    sentences = [f"{file}: {len(new)} {kind} reviews added, {len(before) + len(new)} in all"]
    if known:
        sentences.append(f"{known} were there already")
    disputed = disputed_scans([*before, *new])
    if kind == reviews.QUALITY and disputed:
        sentences.append(
            f"reviewers disagree whether to exclude {', '.join(disputed)}: what more than half say holds"
        )
    if new:
        sentences.append("Snakemake's next run takes them in")
    return "; ".join(sentences)


def disputed_scans(reviewed: Sequence[Review]) -> list[str]:
    """Scans that some reviewers exclude, and others do not."""
    by_any = reviews.decided_by_any(reviewed, [reviews.EXCLUDE])
    return sorted(by_any & reviews.decided_by_any(reviewed, set(reviews.DECISIONS) - {reviews.EXCLUDE}))
