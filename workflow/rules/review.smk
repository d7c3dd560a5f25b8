# Consumes: reviews that were imported (headct review import), results/metrics/, the analysis plan. Produces: counts and
# agreement of reviewers, and the primary comparison without what they would leave out, in results/statistics/.


# Where the configuration names no reviews, the rule is asked for by nothing.
rule review_analysis:
    """What reviewers decided, how they agree, and the primary comparison without what they would leave out."""
    input:
        reviewed=list(REVIEWS.values()),
        plan=PLAN,
        cohort="results/cohort/cohort.tsv",
        split="results/cohort/split.tsv",
        metrics=expand("results/metrics/{model}.tsv", model=[*MODELS, TRIVIAL]),
        evidence="results/audit/evidence.json",
    output:
        written_by("review-analysis"),
    log:
        "results/logs/review_analysis.log",
    conda:
        "../envs/headct.yaml"
    params:
        labels=labels_as(Extent.GROUPS),
        models=REPLICATED,
        code=code("review-analysis"),
    shell:
        recorded(
            "review-analysis --reviewed {input.reviewed:q} --labels {params.labels:q} --plan={input.plan:q}"
            " --metrics {input.metrics} --cohort {input.cohort} --split {input.split}"
            " --evidence {input.evidence} --models {params.models} --out results/statistics"
        )


REVIEWED = rules.review_analysis.output if REVIEWS else []
