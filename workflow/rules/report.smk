# Consumes: results/cohort/, results/statistics/, records of training, the configuration. Produces: results/report/
# (reporting checklists, model cards) and results/audit/methods.md. Versions are read from the run records beside.

CHECKLISTS = [
    os.path.relpath(Path(workflow.basedir) / "resources" / "reporting" / f"{name}.yaml")
    for name in ("claim-2024", "tripod-ai", "stard-ai", "consort-ai")
]
# What the reports read of results/config.json.
REPORTED = json.dumps(
    [
        config.get(key)
        for key in (
            *("study", "reporting", "ingest", "cohort", "training", "metrics"),
            *("figures", "models", "phantom"),
        )
    ],
    sort_keys=True,
)
FACTS = [
    *(f"results/cohort/{name}.tsv" for name in ("cohort", "flow", "split", "balance")),
    *rules.statistics.output,
    *rules.paired_analysis.output,
    *rules.rater_agreement.output,
    *TRAINING_RECORDS,
]


rule checklists:
    """Reporting checklists (CLAIM 2024, TRIPOD+AI, STARD-AI, CONSORT-AI), filled in from the run."""
    input:
        FACTS,
        checklists=CHECKLISTS,
    output:
        report(
            "results/report/checklists.html", caption=caption("checklists"), category="Reporting"
        ),
    log:
        "results/logs/report/checklists.log",
    conda:
        "../envs/headct.yaml"
    params:
        settings=verbatim(REPORTED),
        code=code("report"),
    shell:
        recorded(
            "report checklists --results results --checklists {input.checklists:q}"
            " --out {output}",
            once=False,
        )


rule model_cards:
    """Model card of each model: intended use, data, training, results with intervals, limits."""
    input:
        FACTS,
    output:
        [
            report(
                f"results/report/models/{model}.html",
                caption=caption("model_card"),
                category="Reporting",
                labels={"model card": model},  # a title's braces would be wildcards
            )
            for model in MODELS
        ],
    log:
        "results/logs/report/model_cards.log",
    conda:
        "../envs/headct.yaml"
    params:
        settings=verbatim(REPORTED),
        code=code("report"),
    shell:
        recorded(
            "report model_cards --results results --out results/report/models",
            once=False,
        )


rule methods:
    """A methods section with the true versions, counts and settings of this run."""
    input:
        FACTS,
    output:
        "results/audit/methods.md",
    log:
        "results/logs/report/methods.log",
    conda:
        "../envs/headct.yaml"
    params:
        settings=verbatim(REPORTED),
        code=code("report"),
    shell:
        recorded("report methods --results results --out {output}", once=False)


rule reports:
    """All reports."""
    input:
        rules.checklists.output,
        rules.model_cards.output,
        rules.methods.output,
