# Consumes: everything below results/. Produces: results/audit/ (evidence digest, copy of the workflow, list of
# all files with their digests). The records of jobs and the ledger of the test set are written by the jobs.


rule evidence:
    """One digest of what the comparison rests on: split, metrics, analysis plan; printed in the tables."""
    input:
        split="results/cohort/split.tsv",
        metrics=expand("results/metrics/{model}.tsv", model=[*MODELS, TRIVIAL]),
        plan=PLAN,
    output:
        "results/audit/evidence.json",
    log:
        "results/logs/evidence.log",
    conda:
        "../envs/headct.yaml"
    params:
        code=code("evidence"),
    shell:
        recorded(
            "evidence --split {input.split} --metrics {input.metrics}"
            " --plan={input.plan:q} --out {output}"
        )


rule audit:
    """Seal the results: list every file with its digest. Sealed again whenever a job has run since."""
    input:
        rules.tables.input,
        NUMBERS_DRAWN,
        ancient(DRAWINGS),  # that they are there counts, and so below: a small file of the same job tells of a change
        rules.statistics.output,
        CLAIMED,
        rules.rater_agreement.output,
        rules.out_of_fold.output if FOLDED else [],
        rules.effort_curve.output if BY_EFFORT else [],
        rules.external_analysis.output if EXTERNAL else [],
        rules.learning_curve_analysis.output if CURVE else [],
        rules.paired_analysis.output,
        rules.new_site.output,
        REVIEWED,
        rules.balance.output,
        rules.reports.input,
        rules.cases.output.list if SHOWS_CASES else [],
        ancient(rules.cases.output.viewer) if SHOWS_CASES else [],
        rules.page.output.digest,
        ancient(rules.page.output.page),
        rules.evidence.output,
        ancient(WEIGHTS),  # train.json has their digests
    output:
        "results/audit/manifest.tsv",
        "results/audit/root.sha256",
    log:
        "logs/audit.log",  # not in results/, where nothing may change once it is sealed
    conda:
        "../envs/headct.yaml"
    params:
        repository=verbatim(os.path.relpath(workflow.basedir)),
        settings=verbatim([os.path.relpath(path) for path in workflow.configfiles]),
        plan=verbatim(PLAN),
        number=lambda wildcards: seal.number(Path("results")),
        code=code("audit"),
    shell:
        "python -m headct audit seal results --repository={params.repository:q}"
        " --settings {params.settings:q} --plan={params.plan:q} --number {params.number} --requested {input:q} --log {log}"
