# Consumes: prediction manifests, split.tsv. Produces: results/metrics/ (one table per model),
# results/statistics/, results/tables/. Nothing here knows which framework predicted.

STATISTICS = [
    "dice_summary",
    "dice_present_summary",
    "kruskal_wallis",
    "dunn",
    "agreement",
    "cohort_tests",
]


rule metrics:
    """Measure one model: Dice and volumes per seed, test scan and lesion."""
    input:
        split="results/cohort/split.tsv",
        manifests=lambda wildcards: (
            [] if wildcards.model == TRIVIAL else manifests_of(wildcards.model)
        ),
    output:
        "results/metrics/{model}.tsv",
    log:
        "logs/metrics/{model}.log",
    params:
        predictions=lambda wildcards, input: (
            "--predicts-nothing"
            if wildcards.model == TRIVIAL
            else f"--predictions {' '.join(input.manifests)}"
        ),
        code=code("metrics"),
    shell:
        "python -m headct.metrics --model {wildcards.model} {params.predictions}"
        " --split {input.split} --data results/data --out {output} --log {log}"
