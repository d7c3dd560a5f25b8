# Consumes: the sample sheet and scan.json of every baseline scan. Produces: qc/ (cohort.tsv, flow.tsv, ingest_qc.pdf
# and its table, and the page on which scans are reviewed), to be looked at before anything is trained, even where too
# many scans are lost to go on. Nothing is predicted for it. No result is made of it, so it has no record and is not
# sealed.


rule qc:
    """Look at all scans before anything else, in qc/: who is in, who is out and why; each with its mask, to be reviewed."""
    input:
        sheet=SHEET,
        scans=ALL_RECORDS,
        reviewed=REVIEWS.get(reviews.QUALITY, []),
        bundle=bundled,
    output:
        cohort="qc/cohort.tsv",
        flow="qc/flow.tsv",
        pdf="qc/ingest_qc.pdf",
        tsv="qc/ingest_qc.tsv",
        page="qc/report/index.html",
        list="qc/report/cases.tsv",
        cases=directory("qc/report/cases"),  # its viewer and a file for each scan
    log:
        "qc/qc.log",
    conda:
        "../envs/headct.yaml"
    params:
        **GATHERED_BY,
        sheet_of_slices=params_of(FIGURES["ingest_qc"], "figures", cohort="qc/cohort.tsv")[
            "options"
        ],
        study=verbatim(config["study"]["name"]),
        note=verbatim(NOTE),
        page_labels=labels_as(Extent.PRINT),
        cases=verbatim(SETTINGS.report.cases),
        intensity=config["ingest"]["intensity"],
        mask_face="--mask-face" if SETTINGS.masks_faces else "",
        page_bundle=PAGE_BUNDLE,
        code=lambda wildcards: code_of_step(
            "cohort", FIGURES["ingest_qc"].module, STEPS["quality-page"].path
        ),
    shell:
        f"python -m headct {GATHER} --only-look --log {{log}}"
        " && python -m headct figures {params.sheet_of_slices} --out {output.pdf} --log {log}"
        " && python -m headct quality-page --cohort {output.cohort} --data results/data"
        " --labels {params.page_labels:q} --study={params.study:q} --note={params.note:q}"
        " --cases {params.cases:q} --intensity {params.intensity} {params.mask_face}"
        " --bundle={params.page_bundle:q} --out {output.page} --log {log}"
