# Consumes: prediction manifests, split.tsv. Produces: results/metrics/ (one table per model),
# results/statistics/. Nothing here knows which framework predicted.


rule surface_tolerance:
    """What raters' surfaces differ by: the tolerance of the surface Dice."""
    input:
        scans=SCAN_RECORDS,  # their geometry, slice weights and digests of readings are read
        split="results/cohort/split.tsv",
    output:
        "results/statistics/surface_tolerance.tsv",
    log:
        "results/logs/surface_tolerance.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        settings=METRICS_SETTINGS,
        code=code("tolerance"),
    shell:
        recorded(
            "tolerance --labels {params.labels:q} --split {input.split} --data results/data"
            " --settings {params.settings:q} --out {output}"
        )


rule metrics:
    """Measure one model: overlap, volumes, surfaces and lesions per seed, test scan and label."""
    input:
        scans=SCAN_RECORDS,  # their slice weights are read
        split="results/cohort/split.tsv",
        tolerance=TOLERANCE,
        manifests=lambda wildcards: manifests_of(wildcards.model),
    output:
        "results/metrics/{model}.tsv",
    log:
        "results/logs/metrics/{model}.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        tolerance=tolerance_argument,
        predictions=predictions_argument,
        settings=METRICS_SETTINGS,
        code=code("measure"),
    shell:
        recorded(
            "measure --model {wildcards.model} {params.predictions} --labels {params.labels:q}"
            " --split {input.split} --data results/data --settings {params.settings:q}"
            " {params.tolerance} --out {output}"
        )


use rule metrics as metrics_out_of_fold with:
    input:
        scans=SCAN_RECORDS,  # their slice weights are read
        split="results/cohort/split.tsv",
        tolerance=TOLERANCE,
        manifests=lambda wildcards: held_out_manifests_of(wildcards.model),
    output:
        "results/metrics/out-of-fold/{model}.tsv",
    log:
        "results/logs/metrics/out-of-fold/{model}.log",
    params:
        predictions=lambda wildcards, input: predictions_argument(wildcards, input) + OF_HELD_OUT,


use rule metrics as metrics_effort with:
    input:
        scans=SCAN_RECORDS,  # their slice weights are read
        split="results/cohort/split.tsv",
        tolerance=TOLERANCE,
        manifests=lambda wildcards: effort_manifests_of(wildcards.model, wildcards.share),
    output:
        "results/metrics/effort/{share}/{model}.tsv",
    log:
        "results/logs/metrics/effort/{share}/{model}.log",
    params:
        predictions=lambda wildcards, input: predictions_argument(wildcards, input) + OF_HELD_OUT,


use rule metrics as metrics_external with:
    input:
        scans=lambda wildcards: RECORDS_OF[wildcards.set],  # their slice weights are read
        split="results/cohort/external/{set}.tsv",
        tolerance=TOLERANCE,
        manifests=lambda wildcards: external_manifests_of(wildcards.model, wildcards.set),
    output:
        "results/metrics/external/{set}/{model}.tsv",
    log:
        "results/logs/metrics/external/{set}/{model}.log",
    params:
        predictions=lambda wildcards, input: predictions_argument(wildcards, input)
        + f" --in-set external:{wildcards.set}",


rule out_of_fold:
    """Dice over training scans, each predicted by the fold that held it out; beside the test set's."""
    input:
        plan=PLAN,
        cohort="results/cohort/cohort.tsv",
        split="results/cohort/split.tsv",
        metrics=expand("results/metrics/out-of-fold/{model}.tsv", model=FOLDED),
    output:
        "results/statistics/out_of_fold.tsv",
    log:
        "results/logs/out_of_fold.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        models=[model for model in REPLICATED if model in FOLDED],
        code=code("out-of-fold"),
    shell:
        recorded(
            "out-of-fold --labels {params.labels:q} --metrics {input.metrics} --plan={input.plan:q}"
            " --cohort {input.cohort} --split {input.split} --models {params.models} --out {output}"
        )


rule effort_curve:
    """Dice over held-out scans by the weights kept in the course of each training, and the effort up to there."""
    input:
        plan=PLAN,  # its clusters
        cohort="results/cohort/cohort.tsv",
        split="results/cohort/split.tsv",
        metrics=[
            f"results/metrics/{folder}/{model}.tsv"
            for folder in [*(f"effort/{share}" for share in SHARES), "out-of-fold"]
            for model in BY_EFFORT
        ],
        records=HELD_OUT_RECORDS,
    output:
        "results/statistics/effort_curve.tsv",
    log:
        "results/logs/effort_curve.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        shares=[share for share in [*SHARES, "1"] for model in BY_EFFORT],
        models=[model for model in REPLICATED if model in BY_EFFORT],
        code=code("effort-curve"),
    shell:
        recorded(
            "effort-curve --labels {params.labels:q} --metrics {input.metrics} --shares {params.shares}"
            " --train-records {input.records} --plan={input.plan:q} --cohort {input.cohort}"
            " --split {input.split} --models {params.models} --out {output}"
        )


rule new_site:
    """Dice by site, and what a new site may expect: of held-out scans, where folds hold out whole sites."""
    input:
        plan=PLAN,  # what it asks of a new site
        cohort="results/cohort/cohort.tsv",
        split="results/cohort/split.tsv",
        metrics=expand(
            f"results/metrics/{'out-of-fold/' if HOLDS_OUT_SITES else ''}{{model}}.tsv",
            model=BY_SITE,
        ),
    output:
        written_by("new-site"),
    log:
        "results/logs/new_site.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        models=[model for model in REPLICATED if model in BY_SITE],
        code=code("new-site"),
    shell:
        recorded(
            "new-site --labels {params.labels:q} --metrics {input.metrics} --plan={input.plan:q}"
            " --cohort {input.cohort} --split {input.split} --models {params.models}"
            " --out results/statistics"
        )


rule external_analysis:
    """Dice in each external set, beside the internal test set's; the planned comparison on its scans."""
    input:
        plan=PLAN,
        cohort="results/cohort/cohort.tsv",
        split="results/cohort/split.tsv",
        internal=expand("results/metrics/{model}.tsv", model=[*MODELS, TRIVIAL]),
        external=EXTERNAL_METRICS,
    output:
        written_by("external-sets"),
    log:
        "results/logs/external_analysis.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        models=REPLICATED,
        code=code("external-sets"),
    shell:
        recorded(
            "external-sets --labels {params.labels:q} --internal {input.internal} --external {input.external}"
            " --plan={input.plan:q} --cohort {input.cohort} --split {input.split} --models {params.models}"
            " --out results/statistics"
        )


rule second_readings:
    """Measure the second readings as if they were predictions: how well raters agree."""
    input:
        scans=SCAN_RECORDS,  # the digests of all readings, and slice weights
        split="results/cohort/split.tsv",
        tolerance=TOLERANCE,
    output:
        "results/metrics/second-reading.tsv",
    log:
        "results/logs/metrics/second-reading.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        tolerance=tolerance_argument,
        settings=METRICS_SETTINGS,
        code=code("measure"),
    shell:
        recorded(
            "measure --model second-reading --second-readings --labels {params.labels:q}"
            " --split {input.split} --data results/data --settings {params.settings:q}"
            " {params.tolerance} --out {output}"
        )


rule statistics:
    """The paper's analysis: summaries, Kruskal-Wallis, Dunn, agreement, cohort."""
    input:
        sheet=SHEET,  # the true ages
        cohort="results/cohort/cohort.tsv",
        scans=SCAN_RECORDS,  # their geometry is read
        split="results/cohort/split.tsv",
        plan=PLAN,  # its clusters
        metrics=expand("results/metrics/{model}.tsv", model=[*MODELS, TRIVIAL]),
    output:
        written_by("statistics"),
    log:
        "results/logs/statistics.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        models=REPLICATED,
        code=code("statistics"),
    shell:
        recorded(
            "statistics --labels {params.labels:q} --metrics {input.metrics} --sheet={input.sheet:q}"
            " --cohort {input.cohort} --split {input.split} --data results/data --plan={input.plan:q}"
            " --models {params.models} --out results/statistics"
        )


# A study of its own has no published claims; the rule is then asked for by nothing.
rule claims:
    """The paper's claims, its printed numbers, and its way of choosing a model, on this test set."""
    input:
        statistics=expand(
            "results/statistics/{name}.tsv",
            name=["agreement", "cohort_tests", "dice_summary", "dunn"],
        ),
        sheet=SHEET,  # the true ages
        cohort="results/cohort/cohort.tsv",
        split="results/cohort/split.tsv",
        published=PUBLISHED,
        plan=PLAN,  # its margins and clusters
        metrics=expand("results/metrics/{model}.tsv", model=[*MODELS, TRIVIAL]),
    output:
        written_by("claims"),
    log:
        "results/logs/claims.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        models=REPLICATED,
        code=code("claims"),
    shell:
        recorded(
            "claims --labels {params.labels:q} --metrics {input.metrics} --statistics results/statistics"
            " --sheet={input.sheet:q} --cohort {input.cohort} --split {input.split} --plan={input.plan:q}"
            " --models {params.models} --out results/statistics"
        )


rule rater_agreement:
    """How well raters agree: what a model trained on their drawings can reach at best."""
    input:
        metrics="results/metrics/second-reading.tsv",
        plan=PLAN,  # its clusters
        cohort="results/cohort/cohort.tsv",
        split="results/cohort/split.tsv",
    output:
        "results/statistics/rater_agreement.tsv",
    log:
        "results/logs/rater_agreement.log",
    conda:
        "../envs/headct.yaml"
    params:
        code=code("raters"),
    shell:
        recorded(
            "raters --metrics {input.metrics} --plan={input.plan:q} --cohort {input.cohort}"
            " --split {input.split} --out {output}"
        )
