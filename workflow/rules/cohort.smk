# Consumes: the sample sheet and scan.json of every baseline scan. Produces: results/cohort/ (cohort.tsv,
# flow.tsv, split.tsv, balance.tsv, a table of each external set).


# How the scans of the sheet are gathered, for results and for a look at them before (qc.smk).
GATHER = (
    "cohort --labels {params.labels:q} --sheet={input.sheet:q} --data results/data"
    " --max-excluded {params.max_excluded} --age-cap-years {params.age_cap}"
    " {params.trust_sheet} {params.withdrawn} {params.reviewed} --different-patients={params.different:q}"
    " --cohort {output.cohort} --flow {output.flow}"
)
GATHERED_BY = {
    "labels": labels_as(Extent.NAMES),
    "max_excluded": config["cohort"]["max_excluded"],
    "age_cap": config["cohort"]["age_cap_years"],
    "trust_sheet": "--trust-sheet" if config["ingest"]["trust_sheet"] else "",
    "withdrawn": f"--withdrawn {' '.join(WITHDRAWALS)}" if WITHDRAWALS else "",
    "reviewed": lambda wildcards, input: (
        f"--quality-review={shlex.quote(input.reviewed)}" if input.reviewed else ""
    ),
    "different": as_json(config["ingest"]["different_patients"]),
}


rule cohort:
    """Gather the scans: included, excluded or in error, with the reason; too many lost end the run here."""
    input:
        sheet=SHEET,
        scans=ALL_RECORDS,
        withdrawn=WITHDRAWALS,
        reviewed=REVIEWS.get(reviews.QUALITY, []),
    output:
        cohort="results/cohort/cohort.tsv",
        flow="results/cohort/flow.tsv",
    log:
        "results/logs/cohort.log",
    conda:
        "../envs/headct.yaml"
    params:
        **GATHERED_BY,
        code=code("cohort"),
    shell:
        recorded(GATHER, once=False)  # it reads the headers of DICOM files


rule split:
    """Draw the test set and the folds, by participant, from one seed; a scan that has its set keeps it."""
    input:
        cohort="results/cohort/cohort.tsv",
        given=config["split"]["file"] or [],
    output:
        "results/cohort/split.tsv",  # whose former state the job reads
    log:
        "results/logs/split.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.ROLES),
        settings=verbatim(json.dumps(config["split"], sort_keys=True)),
        code=code("split"),
    shell:
        recorded(
            "split --labels {params.labels:q} --cohort {input.cohort} --settings {params.settings:q}"
            " --out {output}"
        )


rule external_set:
    """List the scans of one external set; nothing is drawn, and the split knows nothing of them."""
    input:
        cohort="results/cohort/cohort.tsv",
    output:
        "results/cohort/external/{set}.tsv",
    log:
        "results/logs/external_set/{set}.log",
    conda:
        "../envs/headct.yaml"
    params:
        code=code("external-set"),
    shell:
        recorded("external-set --name {wildcards.set} --cohort {input.cohort} --out {output}")


rule balance:
    """Compare training and test set: standardised mean differences of what could bias the comparison."""
    input:
        sheet=SHEET,
        cohort="results/cohort/cohort.tsv",
        split="results/cohort/split.tsv",
    output:
        "results/cohort/balance.tsv",
    log:
        "results/logs/balance.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.NAMES),
        code=code("balance"),
    shell:
        recorded(
            "balance --labels {params.labels:q} --sheet={input.sheet:q} --cohort {input.cohort}"
            " --split {input.split} --out {output}"
        )
