# Consumes: results/metrics/, prediction manifests. Produces: results/figures/ (PDF, and a TSV of the
# numbers drawn beside each).

SHOWN = config["figures"]["cases"]


rule agreement_figure:
    """Volume agreement of the one model that the config names: Bland-Altman plot, or concordance."""
    input:
        f"results/metrics/{config['figures']['agreement_model']}.tsv",
    output:
        pdf=report(
            "results/figures/{figure}.pdf",
            caption="../report/{figure}.rst",
            category="Figures",
        ),
        tsv="results/figures/{figure}.tsv",
    log:
        "logs/figures/{figure}.log",
    wildcard_constraints:
        figure="bland_altman|concordance",
    conda:
        "../envs/headct.yaml"
    params:
        model=TITLES[config["figures"]["agreement_model"]],
        study=STUDY_TITLE,
        code=code("figures.__main__"),
    shell:
        "python -m headct.figures {wildcards.figure} --metrics {input} --model-title {params.model:q}"
        " --study-title {params.study:q} --out {output.pdf} --log {log}"


rule dice_figure:
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
        code=code("figures.__main__"),
    shell:
        "python -m headct.figures dice_box_violin --metrics {input} --models {params.models:q}"
        " --study-title {params.study:q} --out {output.pdf} --log {log}"


rule cases_figure:
    """Best or worst cases: CT, truth and the models that the config names, side by side."""
    input:
        metrics=expand("results/metrics/{model}.tsv", model=SHOWN_MODELS),
        manifests=[path for model in SHOWN_MODELS for path in manifests_of(model)],
    output:
        pdf=report(
            "results/figures/{which}_cases.pdf",
            caption="../report/{which}_cases.rst",
            category="Figures",
        ),
        tsv="results/figures/{which}_cases.tsv",
    log:
        "logs/figures/{which}_cases.log",
    wildcard_constraints:
        which="best|worst",
    conda:
        "../envs/headct.yaml"
    params:
        select_by=SHOWN["select_by"],
        show=as_json({model: TITLES[model] for model in SHOWN["show"]}),
        n=SHOWN["n"],
        study=STUDY_TITLE,
        code=code("figures.__main__"),
    shell:
        "python -m headct.figures {wildcards.which}_cases --metrics {input.metrics}"
        " --predictions {input.manifests} --data results/data --select-by {params.select_by}"
        " --show {params.show:q} --n {params.n} --study-title {params.study:q}"
        " --out {output.pdf} --log {log}"


rule figures:
    """All figures, each with the table of the numbers drawn."""
    input:
        expand(
            "results/figures/{figure}.{kind}",
            figure=["bland_altman", "concordance", "dice_box_violin", "best_cases", "worst_cases"],
            kind=["pdf", "tsv"],
        ),
