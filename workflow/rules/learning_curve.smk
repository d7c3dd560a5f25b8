# Consumes: split.tsv, converted scans. Produces: results/learning_curve/ (subsets of participants, networks and
# measures of each), label maps in results/predictions/, where a withdrawal looks for them, and statistics.
# These are the rules of models.smk and evaluate.smk on fewer training scans; what they predict and measure is
# what one fold of the training set holds out, never the test set.


rule learning_subset:
    """Choose the scans that one size of the learning curve learns from."""
    input:
        split="results/cohort/split.tsv",
    output:
        "results/learning_curve/subsets/size-{size}/seed-{seed}.tsv",
    log:
        "results/logs/learning_curve/subsets/size-{size}/seed-{seed}.log",
    conda:
        "../envs/headct.yaml"
    params:
        fold=lambda wildcards: CURVE.fold,
        code=code("learning-subset"),
    shell:
        recorded(
            "learning-subset --split {input.split} --fold {params.fold} --size {wildcards.size}"
            " --seed {wildcards.seed} --out {output}"
        )


use rule train as train_learning_curve with:
    input:
        **training_inputs("results/learning_curve/subsets/size-{size}/seed-{seed}.tsv"),
    output:
        weights="results/learning_curve/models/{model}/size-{size}/seed-{seed}/fold-{fold}/final.pth",
        record="results/learning_curve/models/{model}/size-{size}/seed-{seed}/fold-{fold}/train.json",
    log:
        "results/logs/learning_curve/train/{model}/size-{size}/seed-{seed}/fold-{fold}.log",
    params:
        revision=lambda wildcards: study.revision(
            f"results/learning_curve/models/{wildcards.model}/size-{wildcards.size}/"
            f"seed-{wildcards.seed}/fold-{wildcards.fold}/train.json"
        ),
        keep="",
        run="{model}/size-{size}-seed-{seed}-fold-{fold}",
        out=lambda wildcards: (
            f"results/learning_curve/models/{wildcards.model}/size-{wildcards.size}/"
            f"seed-{wildcards.seed}/fold-{wildcards.fold}"
        ),


use rule predict as predict_learning_curve with:
    input:
        split="results/cohort/split.tsv",
        records=lambda wildcards: (
            f"{curve_network(wildcards.model, wildcards.size, wildcards.seed)}/train.json"
        ),
    output:
        "results/predictions/{model}/learning-curve/size-{size}/seed-{seed}.tsv",
    log:
        "results/logs/learning_curve/predict/{model}/size-{size}/seed-{seed}.log",
    params:
        members=lambda wildcards: (
            f"--member {curve_network(wildcards.model, wildcards.size, wildcards.seed)}"
            f" --out-of-fold {CURVE.fold}"
        ),
        revision=lambda wildcards: study.revision(
            f"results/predictions/{wildcards.model}/learning-curve/size-{wildcards.size}/"
            f"seed-{wildcards.seed}.tsv"
        ),
        # The list of what was predicted, which is there by model and seed, is one of each size.
        work=lambda wildcards, threads: (
            f"{config['work_dir']}/predictions/learning-curve/size-{wildcards.size}"
        ),


use rule metrics as metrics_learning_curve with:
    input:
        scans=SCAN_RECORDS,  # their slice weights are read
        split="results/cohort/split.tsv",
        tolerance=TOLERANCE,
        manifests=lambda wildcards: curve_manifests_of(wildcards.model, wildcards.size),
    output:
        "results/learning_curve/metrics/{model}/size-{size}.tsv",
    log:
        "results/logs/learning_curve/metrics/{model}/size-{size}.log",
    params:
        predictions=lambda wildcards, input: predictions_argument(wildcards, input)
        + f" --out-of-fold {CURVE.fold}",


rule learning_curve_analysis:
    """Dice by the number of participants learnt from, the curve through it, and how well raters agree."""
    input:
        split="results/cohort/split.tsv",
        subsets=CURVE_SUBSETS,
        metrics=CURVE_METRICS,
        readings="results/metrics/second-reading.tsv",
    output:
        written_by("learning-curve"),
    log:
        "results/logs/learning_curve_analysis.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        fold=lambda wildcards: CURVE.fold,
        code=code("learning-curve"),
    shell:
        recorded(
            "learning-curve --labels {params.labels:q} --metrics {input.metrics} --subsets {input.subsets}"
            " --readings {input.readings} --split {input.split} --fold {params.fold} --out results/statistics"
        )
