# Consumes: the sample sheet's DICOM folders and masks. Produces: results/data/{scan}/ (CT in HU and
# label map on the acquisition grid, scan.json with geometry, digests, eligibility).


rule ingest:
    """Convert one scan: DICOM to NIfTI on its own grid, masks matched to it, faults recorded."""
    input:
        # One that is missing is this scan's fault, told in its record, and does not stop the others.
        masks=lambda wildcards: list(filter(os.path.isfile, masks_of(wildcards.scan).values())),
    output:
        "results/data/{scan}/scan.json",
    log:
        "results/logs/ingest/{scan}.log",
    conda:
        "../envs/headct.yaml"
    threads: asked_for("ingest", "threads")
    resources:
        mem_mb=memory_mb("ingest"),
        runtime=asked_for("ingest", "runtime_min"),
    params:
        participant=lambda wildcards: ROW_OF[wildcards.scan]["participant_id"],
        dicom=lambda wildcards: ROW_OF[wildcards.scan]["dicom"],
        masks=lambda wildcards: [
            f"--{column.replace('_', '-')} {shlex.quote(path)}"
            for column, path in masks_of(wildcards.scan).items()
        ],
        labels=json.dumps(config["labels"], sort_keys=True),
        settings=json.dumps(config["ingest"], sort_keys=True),
        revision=lambda wildcards: study.scan_revision(
            f"results/data/{wildcards.scan}/scan.json", ROW_OF[wildcards.scan]["dicom"]
        ),
        code=code("ingest"),
    shell:
        "python -m headct.ingest --scan {wildcards.scan} --participant {params.participant}"
        " --dicom {params.dicom:q} {params.masks}"
        " --labels {params.labels:q} --settings {params.settings:q}"
        " --revision {params.revision} --out results/data/{wildcards.scan} " + RECORDED
