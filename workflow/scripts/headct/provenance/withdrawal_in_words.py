"""What a withdrawal means for a study, in words: what goes, what stays, what is to be done then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from headct.contracts import run_records
from headct.contracts.artefacts import read_tsv
from headct.contracts.plurals import counted
from headct.contracts.problems import first_few
from headct.contracts.run_records import Record
from headct.provenance.manifest import below_results
from headct.provenance.withdrawal import (
    SPLIT,
    StudyFolder,
    Withdrawal,
    lists_of_predictions,
    looked_at,
    prepared,
    scans_in_sets,
)


@dataclass(frozen=True)
class MadeWith:
    """What was made with data of the scans and can't be made undone, only anew: paths below the results.

    Attributes:
        weights: folders of networks that learned from one of the scans.
        trainings: how many trainings knew one of the scans, to learn from or to be validated on.
        numbers: files of numbers and pages that a row of one of the scans went into.
    """

    weights: Sequence[str] = ()
    trainings: int = 0
    numbers: Sequence[str] = ()


def made_with(study: StudyFolder, found: Withdrawal) -> MadeWith:
    """What was made with the scans, by the split and the records of jobs."""
    places: list[tuple[str, str]] = []
    if (study.results / SPLIT).is_file():
        split = scans_in_sets(study.results)
        split = split[split["scan_id"].isin(list(found.scans))]
        places = list(zip(split["set"], split["fold"], strict=True))
    learnt = [fold for in_set, fold in places if in_set == "train"]
    folders = sorted((study.results / "models").glob("*/seed-*/fold-*"))
    weights = [
        folder.relative_to(study.results).as_posix()
        for folder in folders
        if any(folder.name != f"fold-{fold}" for fold in learnt)
    ]
    of_curve = dict(_networks_of_learning_curve(study, found.scans))
    folders += of_curve
    weights += [
        folder.relative_to(study.results).as_posix() for folder, has_learnt in of_curve.items() if has_learnt
    ]
    if not places:
        return MadeWith()
    taken = {*found.deleted, *found.changed}
    records = run_records.load(study.results)
    if not learnt:  # networks, and what they predict of others, do not depend on the scans
        records = [job for job in records if not any(map(_is_of_networks, job.outputs))]
    numbers = [
        path
        for path in made_after(records, taken) - taken
        if not path.startswith(("data/", "models/", "learning_curve/models/"))
        and (study.results / path).is_file()
    ]
    return MadeWith(weights, len(folders) if learnt else 0, sorted(numbers))


def _networks_of_learning_curve(study: StudyFolder, scans: Collection[str]) -> Iterator[tuple[Path, bool]]:
    """Folders of networks of a learning curve that knew one of the scans, and whether they learnt from it."""
    for subset in sorted((study.results / "learning_curve/subsets").glob("size-*/seed-*.tsv")):
        table = read_tsv(subset, fold=str)
        folds = set(table.loc[table["scan_id"].isin(list(scans)), "fold"])
        run = f"{subset.parent.name}/{subset.stem}"
        for folder in sorted((study.results / "learning_curve/models").glob(f"*/{run}/fold-*")):
            if folds:
                yield folder, folds != {folder.name.removeprefix("fold-")}


def _is_of_networks(output: str) -> bool:
    return output.startswith(("results/models/", "results/predictions/", "results/learning_curve/models/"))


def made_after(records: Iterable[Record], paths: Collection[str]) -> set[str]:
    """All that jobs made from some files, or from what was made from them; paths are below the results."""
    records, reached, pending = list(records), set[str](), set(paths)
    while pending:
        reached |= pending
        jobs = [job for job in records if not pending.isdisjoint(map(below_results, job.inputs))]
        pending = {below_results(path) for job in jobs for path in job.outputs} - reached - {""}
    return reached


def in_words(study: StudyFolder, found: Withdrawal) -> str:
    """What is deleted, what loses rows, what stays though it was made with the scans, and what to do then."""
    made = made_with(study, found)
    in_work = _below(study.work, prepared(study, found.scans))
    looks = _below(study.folder, looked_at(study))
    lists = _below(study.work, lists_of_predictions(study, found.scans))
    lines = [
        f"Withdrawal of {', '.join(found.scans)}, of {counted(found.participants, 'participant')}",
        "",
        "Deleted:",
        *_indented(_counts_by_folder("results", found.deleted)),
        *_indented(_counts_by_folder(study.config["work_dir"], in_work)),
        *_indented(_counts_by_folder(".", looks)),
        "Their rows, lines and names taken out of:",
        *_indented(_counts_by_folder("results", found.changed)),
        *_indented(_counts_by_folder(study.config["work_dir"], lists)),
        "Can't be undone, and stays until it is made anew:",
        f"  {_weights_in_words(made.weights)}",
        f"  {_numbers_in_words(made.numbers)}",
        "Stays, and names them only:",
        "  records of jobs (results/audit/runs), lists of files, the amendment itself: names and digests",
        "  .snakemake and logs/ of Snakemake: the paths that your sheet has",
        "Yours to delete:",
        f"  their rows in {study.config['sheet']} (Snakemake starts again once they are gone); images, masks",
        "  copies and backups of all of it",
        *_indented(_named_by_the_configuration(study, found)),
        "Then: snakemake, which makes anew what was made with them:",
        f"  {_to_do(made)}",
    ]
    return "\n".join(lines)


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _below(folder: Path, paths: Iterable[Path]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def _counts_by_folder(above: str, paths: Iterable[str]) -> list[str]:
    """How many of some paths are in each of the folders of results or work."""
    folders = Counter(path.partition("/")[0] for path in paths)
    return [f"{above}/{folder}: {n}" for folder, n in sorted(folders.items())]


def _weights_in_words(weights: Sequence[str]) -> str:
    if not weights:
        return "no network learned from them"
    return f"{counted(len(weights), 'network')} that learned from them: {first_few(weights)}"


def _numbers_in_words(numbers: Sequence[str]) -> str:
    if not numbers:
        return "no number was computed with them"
    folders = Counter(path.partition("/")[0] for path in numbers)
    counts = ", ".join(f"{folder} ({n})" for folder, n in sorted(folders.items()))
    return f"{counted(len(numbers), 'file')} with numbers that were computed with them: {counts}"


def _named_by_the_configuration(study: StudyFolder, found: Withdrawal) -> list[str]:
    """What the configuration says of the scans or their participants."""
    config = study.config
    lines = []
    if given := config.get("split", {}).get("file"):
        lines.append(f"their rows in {given} (split.file)")
    if not set(config.get("ingest", {}).get("different_patients", [])).isdisjoint(found.words):
        lines.append("the participant in ingest.different_patients of the configuration")
    return lines


def _to_do(made: MadeWith) -> str:
    if made.trainings:
        trainings = counted(made.trainings, "training")
        return f"{trainings} from the start, then all predictions, measures, tables, figures"
    if made.numbers:
        return (
            "no training, no prediction; measures of all models (a line in the ledger each), tables, figures"
        )
    return "cohort and flow; no training, prediction or measure"
