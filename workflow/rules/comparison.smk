# Consumes: results/metrics/, results/cohort/, the analysis plan. Produces: the planned comparison, scan by scan,
# in results/statistics/ and results/tables/.


rule paired_analysis:
    """The planned comparison: endpoints, intervals, equivalence, detection, subgroups, limits."""
    input:
        plan=PLAN,
        cohort="results/cohort/cohort.tsv",
        scans=SCAN_RECORDS,  # their slice thickness is read
        split="results/cohort/split.tsv",
        metrics=expand("results/metrics/{model}.tsv", model=[*MODELS, TRIVIAL]),
        readings=measured_second_readings(),
    output:
        expand("results/statistics/{name}.tsv", name=COMPARISON),
    log:
        "results/logs/paired_analysis.log",
    conda:
        "../envs/headct.yaml"
    params:
        models=REPLICATED,
        readings=lambda wildcards, input: (
            f"--second-readings {input.readings}" if input.readings else ""
        ),
        code=code("paired-analysis"),
    shell:
        recorded(
            "paired-analysis --plan={input.plan:q} --metrics {input.metrics}"
            " {params.readings} --cohort {input.cohort} --split {input.split} --data results/data"
            " --models {params.models} --out results/statistics"
        )


rule planned_comparison:
    """Table of the planned comparison: which differences are real, which are none, and what is unknown."""
    input:
        rules.paired_analysis.output,
        evidence="results/audit/evidence.json",
        cohort="results/cohort/cohort.tsv",
        split="results/cohort/split.tsv",
    output:
        **tabulated("planned_comparison"),
    log:
        "results/logs/tables/planned_comparison.log",
    conda:
        "../envs/headct.yaml"
    params:
        titles=as_json(TITLES),
        note=verbatim(NOTE),
        code=code("tables"),
    shell:
        recorded(
            "tables planned_comparison --statistics results/statistics"
            " --evidence {input.evidence} --split {input.split} --cohort {input.cohort}"
            " --titles {params.titles:q} --title-note={params.note:q} --out {output.tsv}"
        )
