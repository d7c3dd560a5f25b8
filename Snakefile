"""Compare segmentation models on head CT of a stroke trial, from DICOM to figures.

`snakemake` builds everything below `results/`; `snakemake --list` names the rules; one artefact is
built by its path, for example `snakemake results/figures/bland_altman.pdf`.
"""

from snakemake.utils import min_version

min_version("9.27.1")

if not workflow.configfiles:

    configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/crosscheck.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/learning_curve.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/review.smk"
include: "workflow/rules/declared.smk"
include: "workflow/rules/publish.smk"
include: "workflow/rules/qc.smk"
include: "workflow/rules/audit.smk"


internals.describe(workflow.rules, TABLES | FIGURE_RULES | REPORTS)
FAILURES = failures.remembered()
internals.keep_outputs_of_jobs_done_once(
    workflow.rules,
    lambda rule, wildcards: FAILURES.get(failures.name_of(rule, wildcards), 0),
)


# Seconds of one core each, less than a job of a cluster costs (docs/how-to/cluster.md): these run where Snakemake runs.
localrules:
    cohort,
    split,
    external_set,
    learning_subset,
    balance,
    evidence,
    audit,


report: "workflow/report/workflow.rst"


onstart:
    study.write_record(config, sheet.participants(SCANS))
    record.write_start(Path(workflow.basedir), Path(PLAN))
    locked_sets.lock(SCANS, Path("results"), Path(PLAN))


onerror:
    failed = [failures.Failed.of(*job) for job in internals.failed_jobs(workflow)]
    if failed:
        failures.remember(failed)
        text = "".join(Path(file).read_text(encoding="utf-8") for file in log)
        print(failures.report(failed, text), file=sys.stderr)


rule all:
    """Everything: cohort, models, predictions, metrics, statistics, tables, figures, reports, and the seal."""
    default_target: True
    input:
        rules.audit.input,  # named here, too: one that was lost is made again only if it is asked for
        rules.audit.output,
