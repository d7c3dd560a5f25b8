# Consumes: the sample sheet and scan.json of every baseline scan. Produces: qc/ (cohort.tsv, flow.tsv, ingest_qc.pdf
# and its table), to be looked at before anything is trained, even where too many scans are lost to go on. No result
# is made of it, so it has no record and is not sealed.


rule qc:
    """Look at all scans before anything else, in qc/: who is in, who is out and why, a slice of each with its mask."""
    input:
        sheet=SHEET,
        scans=SCAN_RECORDS,
        reviewed=REVIEWS.get(reviews.QUALITY, []),
    output:
        cohort="qc/cohort.tsv",
        flow="qc/flow.tsv",
        pdf="qc/ingest_qc.pdf",
        tsv="qc/ingest_qc.tsv",
    log:
        "qc/qc.log",
    conda:
        "../envs/headct.yaml"
    params:
        **GATHERED_BY,
        sheet_of_slices=params_of(FIGURES["ingest_qc"], "figures", cohort="qc/cohort.tsv")[
            "options"
        ],
        code=lambda wildcards: code_of_step("cohort", FIGURES["ingest_qc"].module),
    shell:
        f"python -m headct {GATHER} --only-look --log {{log}}"
        " && python -m headct figures {params.sheet_of_slices} --out {output.pdf} --log {log}"
