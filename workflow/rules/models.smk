# Consumes: split.tsv (which carries the digests of every volume). Produces: results/models/ (one
# folder per model, seed and fold) and results/predictions/ (label maps and their manifests).
# All frameworks share these rules; what differs is in headct.frameworks. Label maps of models that were made
# elsewhere are taken by a rule of their own, into the same place. A rule that uses another one says what differs:
# params are replaced one by one, inputs as a whole.


rule prepare:
    """Preprocess the training scans once for all models that learn from the same representation."""
    input:
        split="results/cohort/split.tsv",
    output:
        "results/models/preparation/{representation}.json",
    log:
        "results/logs/prepare/{representation}.log",
    priority: 1  # the longest jobs come first, so that none of them is left alone at the end
    conda:
        "../envs/headct.yaml"
    threads: asked_for("prepare", "threads")
    resources:
        mem_mb=memory_mb("prepare"),
        runtime=asked_for("prepare", "runtime_min"),
    params:
        settings=lambda wildcards: json.dumps(
            REPRESENTATIONS[wildcards.representation], sort_keys=True
        ),
        labels=labels_as(Extent.NAMES),
        work=starts_no_job(config["work_dir"]),
        code=lambda wildcards: code_of_step(
            "prepare",
            *find_framework(REPRESENTATIONS[wildcards.representation]["framework"]).code(
                "training"
            ),
        ),
    shell:
        recorded(
            "prepare --settings {params.settings:q} --labels {params.labels:q}"
            " --split {input.split} --data results/data --threads {threads} --work={params.work:q}"
            " --out {output}"
        )


rule train:
    """Train one model (resumes from its last checkpoint; a finished run is published again)."""
    input:
        **training_inputs("results/cohort/split.tsv"),
    output:
        weights="results/models/{model}/seed-{seed}/fold-{fold}/final.pth",
        record="results/models/{model}/seed-{seed}/fold-{fold}/train.json",
    log:
        "results/logs/train/{model}/seed-{seed}/fold-{fold}.log",
    priority: 1  # the longest jobs come first, so that none of them is left alone at the end
    conda:
        "../envs/headct.yaml"
    threads: asked_for("train", "threads")
    resources:
        mem_mb=memory_mb("train"),
        runtime=asked_for("train", "runtime_min"),
        gpu=asked_for("train", "gpu"),
        # TERM to the training itself, 3 minutes before its time is over: it saves and requeues its job.
        slurm_extra="--signal=TERM@180",
    params:
        settings=lambda wildcards: json.dumps(
            settings_of(wildcards.model, *models.OF_TRAINING), sort_keys=True
        ),
        speed=lambda wildcards, threads: json.dumps(
            settings_of(wildcards.model, "speed"), sort_keys=True
        ),
        labels=labels_as(Extent.NAMES),
        revision=lambda wildcards: study.revision(
            f"results/models/{wildcards.model}/seed-{wildcards.seed}/fold-{wildcards.fold}/train.json"
        ),
        external=external_argument,
        device=config["device"],
        deterministic="--deterministic" if config["training"]["deterministic"] else "",
        budget=lambda wildcards: budget_argument(wildcards.model),
        keep=lambda wildcards: keep_argument(wildcards.model, wildcards.fold),
        work=starts_no_job(config["work_dir"]),
        run="{model}/seed-{seed}-fold-{fold}",
        out=lambda wildcards: (
            f"results/models/{wildcards.model}/seed-{wildcards.seed}/fold-{wildcards.fold}"
        ),
        code=lambda wildcards: code_of_step(
            "train", *framework_of(wildcards.model).code("training")
        ),
    shell:
        recorded(
            "train --model {wildcards.model} --settings {params.settings:q} --speed {params.speed:q}"
            " --labels {params.labels:q} --split {input.split} {params.external} --data results/data"
            " --seed {wildcards.seed} --fold {wildcards.fold}"
            " --device {params.device} {params.deterministic} {params.budget} {params.keep} --threads {threads}"
            " --work={params.work:q} --run {params.run} --revision {params.revision} --out {params.out}"
        )


rule predict:
    """Predict the label maps of all test scans with one model or ensemble."""
    input:
        split="results/cohort/split.tsv",
        records=lambda wildcards: [
            f"{folder}/train.json"
            for folders in trained_folders(wildcards.model, wildcards.seed)
            for folder in folders
        ],
        postprocessing=lambda wildcards: decisions_of(wildcards.model, [wildcards.seed]),
    output:
        "results/predictions/{model}/seed-{seed}.tsv",
    log:
        "results/logs/predict/{model}/seed-{seed}.log",
    wildcard_constraints:
        model=one_of(model for model in MODELS if model not in OUTSIDE),
    conda:
        "../envs/headct.yaml"
    threads: asked_for("predict", "threads")
    resources:
        mem_mb=memory_mb("predict"),
        runtime=asked_for("predict", "runtime_min"),
        gpu=asked_for("predict", "gpu"),
    params:
        members=lambda wildcards, input: members_arguments(
            trained_folders(wildcards.model, wildcards.seed)
        )
        + postprocessing_argument(wildcards, input),
        settings=lambda wildcards: inference_settings_of(wildcards.model),
        revision=lambda wildcards: study.revision(
            f"results/predictions/{wildcards.model}/seed-{wildcards.seed}.tsv"
        ),
        device=config["device"],
        work=starts_no_job(config["work_dir"]),
        code=lambda wildcards: prediction_code(wildcards.model),
    shell:
        recorded(
            "predict --model {wildcards.model} {params.members} --settings {params.settings:q}"
            " --split {input.split} --data results/data --device {params.device} --threads {threads}"
            " --work={params.work:q} --revision {params.revision} --manifest {output}"
        )


use rule predict as predict_out_of_fold with:
    input:
        split="results/cohort/split.tsv",
        records=lambda wildcards: [
            f"{folder}/train.json"
            for folders in trained_folders(wildcards.model, wildcards.seed, HELD_OUT)
            for folder in folders
        ],
    output:
        "results/predictions/{model}/out-of-fold/seed-{seed}.tsv",
    log:
        "results/logs/predict/{model}/out-of-fold/seed-{seed}.log",
    params:
        members=lambda wildcards: members_arguments(
            trained_folders(wildcards.model, wildcards.seed, HELD_OUT)
        )
        + OF_HELD_OUT,
        revision=lambda wildcards: study.revision(
            f"results/predictions/{wildcards.model}/out-of-fold/seed-{wildcards.seed}.tsv"
        ),


rule postprocessing:
    """Decide, on held-out scans, which lesions of a model keep only their largest component (nnU-Net's rule)."""
    input:
        scans=SCAN_RECORDS,  # the digests of their masks are read
        predictions="results/predictions/{model}/out-of-fold/seed-{seed}.tsv",
    output:
        "results/models/{model}/seed-{seed}/postprocessing.json",
    log:
        "results/logs/postprocessing/{model}/seed-{seed}.log",
    wildcard_constraints:
        model=one_of(POSTPROCESSED),
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.NAMES),
        members=lambda wildcards: members_of(wildcards.model),
        code=code("postprocessing"),
    shell:
        recorded(
            "postprocessing --model {wildcards.model} --members {params.members} --labels {params.labels:q}"
            " --predictions {input.predictions} --data results/data --out {output}"
        )


use rule predict as predict_effort with:
    input:
        split="results/cohort/split.tsv",
        records=lambda wildcards: [
            f"{folder}/train.json"
            for folders in trained_folders(wildcards.model, wildcards.seed, HELD_OUT)
            for folder in folders
        ],
    output:
        "results/predictions/{model}/effort/{share}/seed-{seed}.tsv",
    log:
        "results/logs/predict/{model}/effort/{share}/seed-{seed}.log",
    params:
        members=lambda wildcards: members_arguments(
            shares_of_folders(
                trained_folders(wildcards.model, wildcards.seed, HELD_OUT), wildcards.share
            )
        )
        + f"{OF_HELD_OUT} --share {wildcards.share}",
        revision=lambda wildcards: study.revision(
            f"results/predictions/{wildcards.model}/effort/{wildcards.share}/seed-{wildcards.seed}.tsv"
        ),


use rule predict as predict_external with:
    input:
        split="results/cohort/external/{set}.tsv",
        records=lambda wildcards: [
            f"{folder}/train.json"
            for folders in trained_folders(wildcards.model, wildcards.seed)
            for folder in folders
        ],
        postprocessing=lambda wildcards: decisions_of(wildcards.model, [wildcards.seed]),
    output:
        "results/predictions/{model}/external/{set}/seed-{seed}.tsv",
    log:
        "results/logs/predict/{model}/external/{set}/seed-{seed}.log",
    params:
        members=lambda wildcards, input: members_arguments(
            trained_folders(wildcards.model, wildcards.seed)
        )
        + postprocessing_argument(wildcards, input)
        + f" --in-set external:{wildcards.set}",
        revision=lambda wildcards: study.revision(
            f"results/predictions/{wildcards.model}/external/{wildcards.set}/seed-{wildcards.seed}.tsv"
        ),


rule outside:
    """Take the label maps of a model that was made elsewhere, or run its command; check them."""
    input:
        split="results/cohort/split.tsv",
        scans=SCAN_RECORDS,  # their geometry is read
    output:
        "results/predictions/{model}/seed-{seed}.tsv",
    log:
        "results/logs/predict/{model}/seed-{seed}.log",
    wildcard_constraints:
        model=one_of(OUTSIDE),
    priority: 2  # what can't be used is told before anything is trained
    conda:
        "../envs/headct.yaml"
    threads: lambda wildcards: asked_for("predict", "threads") if runs_command(wildcards.model) else 1
    resources:
        mem_mb=memory_mb("predict"),
        runtime=asked_for("predict", "runtime_min"),
        gpu=lambda wildcards: (asked_for("predict", "gpu") if runs_command(wildcards.model) else 0),
    params:
        in_set="",
        settings=lambda wildcards: outside_settings_of(wildcards.model),
        device=config["device"],
        work=starts_no_job(config["work_dir"]),
        labels=labels_as(Extent.NAMES),
        revision=lambda wildcards: maps_folder.revision(
            Path(f"results/predictions/{wildcards.model}/seed-{wildcards.seed}.tsv"),
            outside.of_model(SETTINGS.models[wildcards.model]),
        ),
        code=code("outside"),
    shell:
        recorded(
            "outside --model {wildcards.model} --settings {params.settings:q} --labels {params.labels:q}"
            " --split {input.split} {params.in_set} --data results/data --device {params.device}"
            " --threads {threads} --work={params.work:q} --revision {params.revision} --manifest {output}"
        )


use rule outside as outside_external with:
    input:
        split="results/cohort/external/{set}.tsv",
        scans=lambda wildcards: RECORDS_OF[wildcards.set],  # their geometry is read
    output:
        "results/predictions/{model}/external/{set}/seed-{seed}.tsv",
    log:
        "results/logs/predict/{model}/external/{set}/seed-{seed}.log",
    params:
        in_set=lambda wildcards: f"--in-set external:{wildcards.set}",
        revision=lambda wildcards: maps_folder.revision(
            Path(
                f"results/predictions/{wildcards.model}/external/{wildcards.set}/seed-{wildcards.seed}.tsv"
            ),
            outside.of_model(SETTINGS.models[wildcards.model]),
        ),
