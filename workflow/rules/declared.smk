# What the declarations of figures, tables and reports (headct.contracts.declarations) mean in this study: the files
# of each source, the value of each setting; and what follows for the rule of each. The rules are in publish.smk.

CHECKLISTS = [
    os.path.relpath(Path(workflow.basedir) / "resources" / "reporting" / f"{name}.yaml")
    for name in ("claim-2024", "tripod-ai", "stard-ai", "consort-ai")
]
# What the reports read of results/config.json.
REPORTED = json.dumps(
    [
        config.get(key)
        for key in (
            "study",
            "reporting",
            "ingest",
            "cohort",
            "training",
            "metrics",
            "figures",
            "models",
            "phantom",
        )
    ],
    sort_keys=True,
)
# What holds the study against the paper, unless the plan is of a study of its own.
CLAIMED = [] if ANALYSIS_PLAN.comparison == analysis_plan.OWN else rules.claims.output
FACTS = [
    *(f"results/cohort/{name}.tsv" for name in ("cohort", "flow", "split", "balance")),
    *rules.statistics.output,
    *CLAIMED,
    *rules.paired_analysis.output,
    *rules.new_site.output,
    *rules.rater_agreement.output,
    *TRAINING_RECORDS,
    *DECISIONS,
    *([TOLERANCE] if TOLERANCE else []),
]
CAPTIONS = tempfile.TemporaryDirectory(prefix="headct-captions-")
CASES = config["figures"]["cases"]
SHOWS_SITES = KNOWS_SITES and config["figures"]["agreement_model"] in BY_SITE
PAGE_BUNDLE = os.path.relpath(Path(workflow.basedir) / "workflow" / "page" / "bundle")
# The files of each source that a declaration may name.
FILES_OF = {
    "metrics of all models": expand("results/metrics/{model}.tsv", model=[*MODELS, TRIVIAL]),
    "metrics of the compared models": expand("results/metrics/{model}.tsv", model=REPLICATED),
    "metrics of the shown models": expand("results/metrics/{model}.tsv", model=SHOWN_MODELS),
    "metrics of the agreement model": f"results/metrics/{config['figures']['agreement_model']}.tsv",
    "metrics of second readings": "results/metrics/second-reading.tsv",
    "predictions of the shown models": [
        path for model in SHOWN_MODELS for path in manifests_of(model)
    ],
    "training records": TRAINING_RECORDS,
    "decisions on post-processing": DECISIONS,
    "training records of the model": lambda wildcards: [
        f"{folder}/train.json"
        for seed in SEEDS
        for folders in trained_folders(wildcards.model, seed)
        for folder in folders
    ],
    "scans": SCAN_RECORDS,  # which name each scan's own files
    "scans of all sets": ALL_RECORDS,
    "statistics of the paper": rules.statistics.output,
    "statistics of the plan": rules.paired_analysis.output,
    "published numbers": PUBLISHED,
    "analysis plan": PLAN,
    "reporting checklists": CHECKLISTS,
    "the whole run": FACTS,
}
# Where a step is told the folder of them.
FOLDER_OF = {
    "scans": "results/data",
    "scans of all sets": "results/data",
    "statistics of the paper": "results/statistics",
    "statistics of the plan": "results/statistics",
    "published numbers": os.path.relpath(Path(workflow.basedir) / "resources" / "published"),
    "the whole run": "results",
}
# The value of each setting that a declaration may name.
VALUE_OF = {
    "study title": STUDY_TITLE,
    "note": NOTE,
    "lesions": LABELS.written(Extent.GROUPS),
    "lesions in print": LABELS.written(Extent.PRINT),
    "width in mm": config["figures"]["width_mm"],
    "titles of all models": TITLES,
    "titles of the compared models": {model: TITLES[model] for model in REPLICATED},
    "titles of the shown models": {model: TITLES[model] for model in CASES["show"]},
    "title of the model": lambda wildcards: TITLES[wildcards.model],
    "agreement model": config["figures"]["agreement_model"],
    "title of the agreement model": TITLES[config["figures"]["agreement_model"]],
    "members of ensembles": ENSEMBLES,
    "models made elsewhere": {
        key: outside.about(SETTINGS.models[key]).in_print() for key in OUTSIDE
    },
    "model that ranks cases": CASES["select_by"],
    "number of cases": CASES["n"],
    "Dice that ranks cases": CASES["rank_by"],
}


def figure_files(kinds_of):
    """Files of the study's figures, of the kinds that a function of a figure names."""
    return [
        path
        for figure in FIGURES.values()
        if READ_TWICE or "metrics of second readings" not in figure.inputs.values()
        if SHOWS_SITES or "statistics/site_dice.tsv" not in figure.inputs.values()
        for path in expand(
            f"{stem_of(figure)}.{{kind}}",
            model=TRAINED if figure.per_model else [""],
            kind=kinds_of(figure),
        )
    ]


def bundled(wildcards):
    """Digests of the page's styles and scripts, as an input: asked for only where a job needs them."""
    return checked(preflight.bundled, f"{PAGE_BUNDLE}/SHA256SUMS")


def of_this_study(declarations):
    """Without what shows the paper's numbers, where the plan is of a study of its own, or sets that it has not."""
    of_external_sets = {one.path for one in STATISTICS.values() if one.step == "external-sets"}
    left_out = set() if EXTERNAL else of_external_sets
    left_out |= set() if BY_EFFORT else {"statistics/effort_curve.tsv"}
    if not CURVE:
        left_out.add("statistics/learning_curve.tsv")
    if ANALYSIS_PLAN.comparison == analysis_plan.OWN:
        left_out.add("published numbers")
    return {
        name: one for name, one in declarations.items() if left_out.isdisjoint(one.inputs.values())
    }


TABLES = of_this_study(checked(declared, PublishedTable))
FIGURES = of_this_study(checked(declared, PublishedFigure))
REPORTS = checked(declared, PublishedReport)
# By the name of its rule, which is the figure's unless the table or statistic that it shows has that name.
TAKEN = {rule.name for rule in workflow.rules} | TABLES.keys()
FIGURE_RULES = {
    f"{name}_figure" if name in TAKEN else name: figure for name, figure in FIGURES.items()
}


def caption_file(table):
    """The description that a table declares, as the file that Snakemake wants; it goes with this process."""
    file = Path(CAPTIONS.name, f"{table.name}.rst")
    file.write_text(table.caption, encoding="utf-8")
    return str(file)


def inputs_of(published):
    """The files that a published thing is made from, by the option that names them."""
    return {
        option: FILES_OF.get(source, f"results/{source}")
        for option, source in published.inputs.items()
    }


def params_of(published, step, **more):
    """Parameters of a published thing's job: the options of its step (``more`` among them), and its code's digest.

    All is bound here, where the loop over the declarations is: Snakemake reads ``shell`` again when a job runs.
    """
    values = {
        **inputs_of(published),
        **{option: FOLDER_OF[of] for option, of in published.inputs.items() if of in FOLDER_OF},
        **{option: VALUE_OF[setting] for option, setting in published.given.items()},
        **more,
    }

    def words(wildcards):
        found = {
            option: value(wildcards) if callable(value) else value
            for option, value in values.items()
        }
        return options.words(published.name, found)

    # The step imports the module by its name.
    return {"options": words, "code": lambda wildcards: code_of_step(step, published.module)}


def stem_of(published):
    """Path of a table's or figure's files, without suffix."""
    return f"results/{published.path.removesuffix('.tsv')}"


def files_of_table(table):
    """Numbers, LaTeX, and the page, which stands in the report of Snakemake."""
    stem = stem_of(table)
    page = report(f"{stem}.html", caption=caption_file(table), category=table.category)
    return {"tsv": f"{stem}.tsv", "tex": f"{stem}.tex", "html": page}


def files_of_figure(figure):
    """Its files by their kind, the table of what it shows among them; the PDF stands in the report."""
    stem, described = stem_of(figure), caption(figure.caption or figure.name)
    page = report(f"{stem}.pdf", caption=described, category=figure.category)
    return {kind: f"{stem}.{kind}" for kind in figure.kinds} | {"pdf": page}


def files_of_report(published):
    """The page, or those for each model, which stand in the report of Snakemake if they have a caption."""
    path = f"results/{published.path}"
    if not published.caption:
        return path
    shown = {"caption": caption(published.caption), "category": "Reporting"}
    if "{model}" not in path:
        return report(path, **shown)
    label = published.caption.replace("_", " ")
    pages = {model: path.format(model=model) for model in MODELS}  # a title may have braces
    return [report(page, labels={label: model}, **shown) for model, page in pages.items()]


def written_to(published):
    """What the step of a report is told to write: its page, or the folder of those for each model."""
    path = Path("results", published.path)
    return str(path.parent if "{model}" in path.name else path)


# Of the files of a figure, which one job makes, its numbers tell whether it was made anew: they are small, so that
# Snakemake compares their contents, and not their times as it does above 1 MB.
NUMBERS_DRAWN = figure_files(lambda figure: ["tsv"])
DRAWINGS = figure_files(lambda figure: [kind for kind in figure.kinds if kind != "tsv"])
DRAWINGS_OF_PAGE = figure_files(
    lambda figure: ["svg"] if figure.pictures and not figure.shows_ct else []
)
