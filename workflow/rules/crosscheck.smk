# Consumes: the cohort, and DICOM and CT of a sample of it. Produces, when asked for:
# results/crosscheck/dcm2niix.tsv.


rule crosscheck:
    """Compare grids, HU and volumes of a sample of scans with what dcm2niix makes of the same files."""
    input:
        sheet=SHEET,
        cohort="results/cohort/cohort.tsv",
        scans=ALL_RECORDS,
    output:
        "results/crosscheck/dcm2niix.tsv",
    log:
        "results/logs/crosscheck.log",
    conda:
        "../envs/headct.yaml"
    params:
        settings=verbatim(json.dumps(config["crosscheck"], sort_keys=True)),
        code=code("crosscheck"),
    shell:
        recorded(
            "crosscheck --sheet={input.sheet:q} --cohort {input.cohort} --data results/data"
            " --settings {params.settings:q} --out {output}",
            once=False,
        )
