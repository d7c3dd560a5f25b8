# Consumes: results/cohort/, results/metrics/, prediction manifests. Produces: results/figures/ (PDF, and a TSV of the
# numbers drawn beside each).

SHOWN = config["figures"]["cases"]


rule bland_altman:
    """Volume agreement of the one model that the config names: Bland-Altman plot, or concordance."""
    input:
        f"results/metrics/{config['figures']['agreement_model']}.tsv",
    output:
        pdf=report(
            "results/figures/bland_altman.pdf",
            caption=caption("bland_altman"),
            category="Figures",
        ),
        tsv="results/figures/bland_altman.tsv",
    log:
        "logs/figures/bland_altman.log",
    conda:
        "../envs/headct.yaml"
    params:
        model=TITLES[config["figures"]["agreement_model"]],
        study=STUDY_TITLE,
        figure=lambda wildcards, output: Path(output.pdf).stem,
        code=code("figures.__main__"),
    shell:
        "python -m headct.figures {params.figure} --metrics {input} --model-title {params.model:q}"
        " --study-title {params.study:q} --out {output.pdf} --log {log}"


use rule bland_altman as concordance with:
    output:
        pdf=report(
            "results/figures/concordance.pdf",
            caption=caption("concordance"),
            category="Figures",
        ),
        tsv="results/figures/concordance.tsv",
    log:
        "logs/figures/concordance.log",


rule dice_box_violin:
    """Dice of every model and lesion as box-violins."""
    input:
        expand("results/metrics/{model}.tsv", model=[*MODELS, TRIVIAL]),
    output:
        pdf=report(
            "results/figures/dice_box_violin.pdf",
            caption=caption("dice_box_violin"),
            category="Figures",
        ),
        tsv="results/figures/dice_box_violin.tsv",
    log:
        "logs/figures/dice_box_violin.log",
    conda:
        "../envs/headct.yaml"
    params:
        models=as_json(TITLES),
        study=STUDY_TITLE,
        figure=lambda wildcards, output: Path(output.pdf).stem,
        code=code("figures.__main__"),
    shell:
        "python -m headct.figures {params.figure} --metrics {input} --models {params.models:q}"
        " --study-title {params.study:q} --out {output.pdf} --log {log}"


rule best_cases:
    """Best, or worst, cases: CT, truth and the models that the config names, side by side."""
    input:
        metrics=expand("results/metrics/{model}.tsv", model=SHOWN_MODELS),
        manifests=[path for model in SHOWN_MODELS for path in manifests_of(model)],
    output:
        pdf=report(
            "results/figures/best_cases.pdf",
            caption=caption("best_cases"),
            category="Figures",
        ),
        tsv="results/figures/best_cases.tsv",
    log:
        "logs/figures/best_cases.log",
    conda:
        "../envs/headct.yaml"
    params:
        select_by=SHOWN["select_by"],
        show=as_json({model: TITLES[model] for model in SHOWN["show"]}),
        n=SHOWN["n"],
        study=STUDY_TITLE,
        figure=lambda wildcards, output: Path(output.pdf).stem,
        code=code("figures.__main__"),
    shell:
        "python -m headct.figures {params.figure} --metrics {input.metrics}"
        " --predictions {input.manifests} --data results/data --select-by {params.select_by}"
        " --show {params.show:q} --n {params.n} --study-title {params.study:q}"
        " --out {output.pdf} --log {log}"


use rule best_cases as worst_cases with:
    output:
        pdf=report(
            "results/figures/worst_cases.pdf",
            caption=caption("worst_cases"),
            category="Figures",
        ),
        tsv="results/figures/worst_cases.tsv",
    log:
        "logs/figures/worst_cases.log",


rule flow:
    """Flow of scans from the sheet to training and test set, with counts per reason."""
    input:
        flow="results/cohort/flow.tsv",
        split="results/cohort/split.tsv",
    output:
        pdf=report(
            "results/figures/flow.pdf",
            caption=caption("flow"),
            category="Figures",
        ),
        tsv="results/figures/flow.tsv",
    log:
        "logs/figures/flow.log",
    conda:
        "../envs/headct.yaml"
    params:
        study=STUDY_TITLE,
        code=code("figures.__main__"),
    shell:
        "python -m headct.figures flow --flow {input.flow} --split {input.split}"
        " --study-title {params.study:q} --out {output.pdf} --log {log}"


rule ingest_qc:
    """Contact sheet: one slice of each included scan with its mask, then the scans that are put aside."""
    input:
        "results/cohort/cohort.tsv",
    output:
        pdf=report(
            "results/figures/ingest_qc.pdf",
            caption=caption("ingest_qc"),
            category="Figures",
        ),
        tsv="results/figures/ingest_qc.tsv",
    log:
        "logs/figures/ingest_qc.log",
    conda:
        "../envs/headct.yaml"
    params:
        study=STUDY_TITLE,
        code=code("figures.__main__"),
    shell:
        "python -m headct.figures ingest_qc --cohort {input} --data results/data"
        " --study-title {params.study:q} --out {output.pdf} --log {log}"


rule figures:
    """All figures, each with the table of the numbers drawn."""
    input:
        expand(
            "results/figures/{figure}.{kind}",
            figure=[
                *("flow", "ingest_qc", "bland_altman", "concordance", "dice_box_violin"),
                *("best_cases", "worst_cases"),
            ],
            kind=["pdf", "tsv"],
        ),
