# Consumes: the sample sheet's DICOM folders and masks. Produces: results/data/{scan}/ (CT in HU and
# label map on the acquisition grid, scan.json with geometry, digests, eligibility), and a manifest of the
# scan.json of each shard, by which later rules depend on them.


rule ingest:
    """Convert one shard of scans: DICOM to NIfTI on its own grid, masks matched to it, faults recorded."""
    input:
        # One that is missing is its scan's fault, told in its record, and does not stop the others.
        masks=lambda wildcards: [
            mask
            for row in SHARDS[wildcards.shard]
            for mask in shards.masks_of(row).values()
            if os.path.exists(mask)
        ],
    output:
        "results/data/shards/{shard}.tsv",
    log:
        "results/logs/ingest/{shard}.log",
    conda:
        "../envs/headct.yaml"
    threads: asked_for("ingest", "threads")
    resources:
        mem_mb=memory_mb("ingest"),
        runtime=asked_for("ingest", "runtime_min"),
    params:
        sheet=verbatim(SHEET),  # no input: only what it says of these scans counts
        scans=lambda wildcards: shards.definition(SHARDS[wildcards.shard]),
        shards=asked_for("ingest", "jobs"),
        labels=labels_as(Extent.ROLES),
        mask_values=lambda wildcards: json.dumps(
            lesions.mask_values(config, [row["labels"] for row in SHARDS[wildcards.shard]])
        ),
        settings=verbatim(json.dumps(config["ingest"], sort_keys=True)),
        # Of the wildcards alone: a parameter that is made of the output starts no job when it changes.
        revision=lambda wildcards: shards.revision(
            f"results/data/shards/{wildcards.shard}.tsv",
            Path("results/data"),
            SHARDS[wildcards.shard],
        ),
        code=code("ingest"),
    shell:
        recorded(
            "ingest --sheet={params.sheet:q} --shards {params.shards}"
            " --shard {wildcards.shard} --labels {params.labels:q} --label-values {params.mask_values:q}"
            " --settings {params.settings:q}"
            " --data results/data --revision {params.revision} --manifest {output}",
            once=False,
        )
