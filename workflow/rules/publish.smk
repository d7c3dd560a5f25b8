# Consumes: results/cohort/, results/metrics/, results/statistics/, records of training, prediction manifests.
# Produces, by a rule for each that is declared: results/tables/ (TSV, LaTeX, page), results/figures/ (PDF, SVG,
# PNG, and a TSV of the numbers drawn), results/report/, with the page of all of it and the files of cases that it
# opens.


for name, table in TABLES.items():

    rule:
        """Write one table (headct tables --help has a line on each)."""
        name:
            name
        input:
            **inputs_of(table),
        output:
            **files_of_table(table),
        log:
            f"results/logs/tables/{name}.log",
        localrule: True
        conda:
            "../envs/headct.yaml"
        params:
            **params_of(table, "tables"),
        shell:
            recorded("tables {params.options} --out {output.tsv}")


rule tables:
    """All tables."""
    input:
        [rule.output for rule in workflow.rules if rule.name in TABLES],


for name, figure in FIGURE_RULES.items():

    rule:
        """Draw one figure (headct figures --help has a line on each)."""
        name:
            name
        input:
            **inputs_of(figure),
        output:
            **files_of_figure(figure),
        log:
            f"results/logs/{Path(figure.path).with_suffix('.log')}",
        wildcard_constraints:
            model=one_of(TRAINED),
        localrule: not figure.on_cluster
        conda:
            "../envs/headct.yaml"
        params:
            **params_of(figure, "figures"),
        shell:
            recorded("figures {params.options} --out {output.pdf}")


rule figures:
    """All figures, each with the table of the numbers drawn."""
    input:
        NUMBERS_DRAWN,
        DRAWINGS,


for name, published in REPORTS.items():

    rule:
        """Write one report (headct report --help has a line on each)."""
        name:
            name
        input:
            **inputs_of(published),
        output:
            files_of_report(published),
        log:
            f"results/logs/report/{name}.log",
        localrule: True
        conda:
            "../envs/headct.yaml"
        params:
            **params_of(published, "report", out=written_to(published)),
            settings=verbatim(REPORTED),
        shell:
            recorded("report {params.options}", once=False)


rule reports:
    """All reports."""
    input:
        [rule.output for rule in workflow.rules if rule.name in REPORTS],


rule cases:
    """Write the files of the cases that the page of results opens: CT, reference, label maps of all models."""
    input:
        scans=SCAN_RECORDS,  # the digests of their volumes, and where their slices lie
        split="results/cohort/split.tsv",
        predictions=[f"results/predictions/{model}/seed-{min(SEEDS)}.tsv" for model in TITLES],
        metrics=(
            f"results/metrics/{CASES['select_by']}.tsv"
            if SETTINGS.report.cases.startswith("worst")
            else []
        ),
        bundle=bundled,
    output:
        list=CASE_LIST,
        viewer="results/report/cases/viewer.js",
    log:
        "results/logs/report/cases.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.NAMES),
        which=SETTINGS.report.cases,
        metrics=lambda wildcards, input: f"--metrics {input.metrics}" if input.metrics else "",
        select_by=CASES["select_by"],
        rank_by=CASES["rank_by"],
        intensity=config["ingest"]["intensity"],
        mask_face="--mask-face" if SETTINGS.masks_faces else "",
        viewer=f"{PAGE_BUNDLE}/viewer.js",
        revision=lambda wildcards: study.revision(CASE_LIST),
        code=code("cases"),
    shell:
        recorded(
            "cases --which {params.which:q} --split {input.split} --data results/data"
            " --predictions {input.predictions} {params.metrics} --labels {params.labels:q}"
            " --select-by {params.select_by} --rank-by {params.rank_by} --intensity {params.intensity}"
            " {params.mask_face} --viewer={params.viewer:q} --revision {params.revision} --out {output.list}",
            once=False,  # no record has the digest of the bundled viewer
        )


rule page:
    """Write the page of the results, results/report/index.html: one file that needs no other."""
    input:
        rules.tables.input,
        NUMBERS_DRAWN,
        DRAWINGS_OF_PAGE,
        rules.reports.input,
        FACTS,
        REVIEWED,
        rules.external_analysis.output if EXTERNAL else [],
        rules.learning_curve_analysis.output if CURVE else [],
        FILES_OF["metrics of all models"],
        [manifest for model in MODELS for manifest in manifests_of(model)],
        "results/audit/evidence.json",
        [os.path.relpath(caption(figure.caption or figure.name)) for figure in FIGURES.values()],
        cases=CASE_LIST if SHOWS_CASES else [],
        bundle=bundled,
    output:
        page=report(
            "results/report/index.html",
            caption=caption("page"),
            category="Page",
            labels={"page": "all results (in a report.zip: too large for one file)"},
        ),
        digest="results/report/index.sha256",
    log:
        "results/logs/page.log",
    localrule: True
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.PRINT),
        bundle=PAGE_BUNDLE,
        cases=lambda wildcards, input: f"--cases {input.cases}" if input.cases else "",
        # What else lies in the results is of a former run, and not of this study.
        requested=lambda wildcards, input: [path for path in input if path.startswith("results/")],
        settings=verbatim(REPORTED),
        code=code("page"),
    shell:
        recorded(
            "page --results results --labels {params.labels:q} --bundle={params.bundle:q} {params.cases}"
            " --requested {params.requested} --out {output.page}",
            once=False,
        )
