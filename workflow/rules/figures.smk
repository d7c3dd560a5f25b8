# Consumes: results/cohort/, results/metrics/, results/statistics/, records of training, prediction manifests.
# Produces: results/figures/ (PDF, and a TSV of the numbers drawn beside each).

SHOWN = config["figures"]["cases"]
WIDTH_MM = config["figures"]["width_mm"]


rule bland_altman:
    """Volume agreement of the one model that the config names: Bland-Altman plot, or concordance."""
    input:
        f"results/metrics/{config['figures']['agreement_model']}.tsv",
    output:
        **drawn("bland_altman"),
    log:
        "results/logs/figures/bland_altman.log",
    conda:
        "../envs/headct.yaml"
    params:
        model=verbatim(TITLES[config["figures"]["agreement_model"]]),
        study=verbatim(STUDY_TITLE),
        width=WIDTH_MM,
        figure=lambda wildcards, output: Path(output.pdf).stem,
        code=code("figures"),
    shell:
        recorded(
            "figures {params.figure} --metrics {input} --model-title={params.model:q}"
            " --study-title={params.study:q} --width-mm {params.width} --out {output.pdf}"
        )


use rule bland_altman as concordance with:
    output:
        **drawn("concordance"),
    log:
        "results/logs/figures/concordance.log",


rule dice_box_violin:
    """Dice of every model and lesion as box-violins."""
    input:
        expand("results/metrics/{model}.tsv", model=[*MODELS, TRIVIAL]),
    output:
        **drawn("dice_box_violin"),
    log:
        "results/logs/figures/dice_box_violin.log",
    conda:
        "../envs/headct.yaml"
    params:
        models=as_json(TITLES),
        study=verbatim(STUDY_TITLE),
        width=WIDTH_MM,
        figure=lambda wildcards, output: Path(output.pdf).stem,
        code=code("figures"),
    shell:
        recorded(
            "figures {params.figure} --metrics {input} --models {params.models:q}"
            " --study-title={params.study:q} --width-mm {params.width} --out {output.pdf}"
        )


use rule dice_box_violin as dice_box_violin_present with:
    output:
        **drawn("dice_box_violin_present"),
    log:
        "results/logs/figures/dice_box_violin_present.log",


use rule dice_box_violin as critical_difference with:
    input:
        expand("results/metrics/{model}.tsv", model=REPLICATED),
    output:
        **drawn("critical_difference"),
    log:
        "results/logs/figures/critical_difference.log",
    params:
        models=as_json({model: TITLES[model] for model in REPLICATED}),
        study=verbatim(STUDY_TITLE),
        width=WIDTH_MM,
        figure=lambda wildcards, output: Path(output.pdf).stem,
        code=code("figures"),


rule dunn_heatmap:
    """Dunn's test: adjusted P of every pair of compared models, and which of the two is better."""
    input:
        "results/statistics/dunn.tsv",
    output:
        **drawn("dunn_heatmap"),
    log:
        "results/logs/figures/dunn_heatmap.log",
    conda:
        "../envs/headct.yaml"
    params:
        models=as_json({model: TITLES[model] for model in REPLICATED}),
        study=verbatim(STUDY_TITLE),
        width=WIDTH_MM,
        code=code("figures"),
    shell:
        recorded(
            "figures dunn_heatmap --dunn {input} --models {params.models:q}"
            " --study-title={params.study:q} --width-mm {params.width} --out {output.pdf}"
        )


rule paired_differences:
    """Forest plot of the planned comparison: one model against the others, with margins of equivalence."""
    input:
        endpoints="results/statistics/endpoints.tsv",
        paired="results/statistics/paired.tsv",
        equivalence="results/statistics/equivalence.tsv",
    output:
        **drawn("paired_differences"),
    log:
        "results/logs/figures/paired_differences.log",
    conda:
        "../envs/headct.yaml"
    params:
        models=as_json(TITLES),
        study=verbatim(STUDY_TITLE),
        width=WIDTH_MM,
        code=code("figures"),
    shell:
        recorded(
            "figures paired_differences --endpoints {input.endpoints} --paired {input.paired}"
            " --equivalence {input.equivalence} --models {params.models:q}"
            " --study-title={params.study:q} --width-mm {params.width} --out {output.pdf}"
        )


rule published_vs_reproduced_figure:
    """The paper's Dice and agreement beside this run's, with replication intervals."""
    input:
        numbers="results/tables/published_vs_reproduced.tsv",
        published=PUBLISHED,
    output:
        **drawn("published_vs_reproduced", described_in="published_vs_reproduced_figure"),
    log:
        "results/logs/figures/published_vs_reproduced.log",
    conda:
        "../envs/headct.yaml"
    params:
        note=verbatim(NOTE),
        study=verbatim(STUDY_TITLE),
        width=WIDTH_MM,
        code=code("figures"),
    shell:
        recorded(
            "figures published_vs_reproduced --numbers {input.numbers}"
            " --title-note={params.note:q}"
            " --study-title={params.study:q} --width-mm {params.width} --out {output.pdf}"
        )


rule rater_agreement_figure:
    """Second readings against the first ones: Bland-Altman plots, and their Dice."""
    input:
        "results/metrics/second-reading.tsv",
    output:
        **drawn("rater_agreement"),
    log:
        "results/logs/figures/rater_agreement.log",
    conda:
        "../envs/headct.yaml"
    params:
        study=verbatim(STUDY_TITLE),
        width=WIDTH_MM,
        code=code("figures"),
    shell:
        recorded(
            "figures rater_agreement --metrics {input}"
            " --study-title={params.study:q} --width-mm {params.width} --out {output.pdf}"
        )


rule training_curves:
    """Loss, learning rate and pseudo-Dice by epoch of one model, all its seeds and folds."""
    input:
        lambda wildcards: [
            f"{folder}/train.json"
            for seed in SEEDS
            for folders in trained_folders(wildcards.model, seed)
            for folder in folders
        ],
    output:
        **drawn("training_curves/{model}", category="Training"),
    log:
        "results/logs/figures/training_curves/{model}.log",
    wildcard_constraints:
        model="|".join(map(re.escape, TRAINED)),
    conda:
        "../envs/headct.yaml"
    params:
        model=lambda wildcards: TITLES[wildcards.model],
        study=verbatim(STUDY_TITLE),
        width=WIDTH_MM,
        code=code("figures"),
    shell:
        recorded(
            "figures training_curves --train-records {input}"
            " --model-title={params.model:q}"
            " --study-title={params.study:q} --width-mm {params.width} --out {output.pdf}"
        )


rule best_cases:
    """Best, or worst, cases: CT, truth and the models that the config names, side by side."""
    input:
        scans=SCAN_RECORDS,  # their slice positions are read
        metrics=expand("results/metrics/{model}.tsv", model=SHOWN_MODELS),
        manifests=[path for model in SHOWN_MODELS for path in manifests_of(model)],
    output:
        **drawn("best_cases"),
    log:
        "results/logs/figures/best_cases.log",
    conda:
        "../envs/headct.yaml"
    params:
        select_by=SHOWN["select_by"],
        show=as_json({model: TITLES[model] for model in SHOWN["show"]}),
        n=SHOWN["n"],
        rank_by=SHOWN["rank_by"],
        study=verbatim(STUDY_TITLE),
        width=WIDTH_MM,
        figure=lambda wildcards, output: Path(output.pdf).stem,
        code=code("figures"),
    shell:
        recorded(
            "figures {params.figure} --metrics {input.metrics}"
            " --predictions {input.manifests} --data results/data --select-by {params.select_by}"
            " --show {params.show:q} --n {params.n} --rank-by {params.rank_by}"
            " --study-title={params.study:q} --width-mm {params.width} --out {output.pdf}"
        )


use rule best_cases as worst_cases with:
    output:
        **drawn("worst_cases"),
    log:
        "results/logs/figures/worst_cases.log",


rule flow:
    """Flow of scans from the sheet to training and test set, with counts per reason."""
    input:
        flow="results/cohort/flow.tsv",
        split="results/cohort/split.tsv",
    output:
        **drawn("flow"),
    log:
        "results/logs/figures/flow.log",
    conda:
        "../envs/headct.yaml"
    params:
        study=verbatim(STUDY_TITLE),
        width=WIDTH_MM,
        code=code("figures"),
    shell:
        recorded(
            "figures flow --flow {input.flow} --split {input.split}"
            " --study-title={params.study:q} --width-mm {params.width} --out {output.pdf}"
        )


rule ingest_qc:
    """Contact sheet: one slice of each included scan with its mask, then the scans that are put aside."""
    input:
        cohort="results/cohort/cohort.tsv",
        scans=SCAN_RECORDS,
    output:
        **drawn("ingest_qc"),
    log:
        "results/logs/figures/ingest_qc.log",
    conda:
        "../envs/headct.yaml"
    params:
        study=verbatim(STUDY_TITLE),
        code=code("figures"),
    shell:
        recorded(
            "figures ingest_qc --cohort {input.cohort} --data results/data"
            " --study-title={params.study:q} --out {output.pdf}"
        )


rule figures:
    """All figures, each with the table of the numbers drawn."""
    input:
        expand(
            "results/figures/{figure}.{kind}",
            figure=[
                *("flow", "ingest_qc", "bland_altman", "concordance"),
                *(
                    "dice_box_violin",
                    "dice_box_violin_present",
                    "critical_difference",
                    "dunn_heatmap",
                ),
                *("paired_differences", "published_vs_reproduced", "best_cases", "worst_cases"),
                *(["rater_agreement"] if READ_TWICE else []),
                *(f"training_curves/{model}" for model in TRAINED),
            ],
            kind=["pdf", "tsv"],
        ),
