# Consumes: results/metrics/, results/cohort/, the analysis plan. Produces: the planned comparison, scan by scan,
# in results/statistics/.


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
        written_by("paired-analysis"),
    log:
        "results/logs/paired_analysis.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        models=REPLICATED,
        readings=lambda wildcards, input: (
            f"--second-readings {input.readings}" if input.readings else ""
        ),
        code=code("paired-analysis"),
    shell:
        recorded(
            "paired-analysis --labels {params.labels:q} --plan={input.plan:q} --metrics {input.metrics}"
            " {params.readings} --cohort {input.cohort} --split {input.split} --data results/data"
            " --models {params.models} --out results/statistics"
        )
