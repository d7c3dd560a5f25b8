# Consumes: scan.json of every scan. Produces: results/cohort/ (cohort.tsv, flow.tsv, split.tsv).


rule cohort:
    """Gather the scans: included, or excluded with the reason; faults in the input end the run here."""
    input:
        sheet=SHEET,
        scans=expand("results/data/{scan}/scan.json", scan=ROW_OF),
    output:
        cohort="results/cohort/cohort.tsv",
        flow="results/cohort/flow.tsv",
    log:
        "logs/cohort.log",
    conda:
        "../envs/headct.yaml"
    params:
        code=code("cohort"),
    shell:
        "python -m headct.cohort --sheet {input.sheet:q} --data results/data"
        " --cohort {output.cohort} --flow {output.flow} --log {log}"


rule split:
    """Draw the test set and the folds: stratified, by participant, from one seed."""
    input:
        "results/cohort/cohort.tsv",
    output:
        "results/cohort/split.tsv",
    log:
        "logs/split.log",
    conda:
        "../envs/headct.yaml"
    params:
        settings=json.dumps(config["split"], sort_keys=True),
        code=code("split"),
    shell:
        "python -m headct.split --cohort {input} --settings {params.settings:q}"
        " --out {output} --log {log}"
