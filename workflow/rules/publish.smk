# Consumes: results/cohort/, results/metrics/, results/statistics/, records of training, prediction manifests.
# Produces: results/figures/ (PDF, and a TSV of the numbers drawn beside each): a rule for each that is declared.


for name, figure in FIGURE_RULES.items():

    rule:
        """Draw one figure (headct figures --help has a line on each)."""
        name:
            name
        input:
            **inputs_of(figure),
        output:
            **shown_in_report(figure),
        log:
            f"results/logs/{path_of(figure)}.log",
        wildcard_constraints:
            model="|".join(map(re.escape, TRAINED)),
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
        [
            f"results/{path.format(model=model)}.{kind}"
            for figure in FIGURES.values()
            if READ_TWICE or "metrics of second readings" not in figure.inputs.values()
            for path in [path_of(figure)]
            for model in (TRAINED if figure.per_model else [""])
            for kind in ("pdf", "tsv")
        ],


for name, published in REPORTS.items():

    rule:
        """Write one report (headct report --help has a line on each)."""
        name:
            name
        input:
            **inputs_of(published),
        output:
            pages_of(published),
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
