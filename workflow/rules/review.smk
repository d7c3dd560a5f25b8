# Consumes: reviews that were imported (headct review import), results/metrics/, the analysis plan. Produces: counts and
# agreement of reviewers, the primary comparison without what they would leave out, and what blinded raters say of
# maps, in results/statistics/.


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


# Where the configuration names no ratings, the rule is asked for by nothing.
rule blinded_analysis:
    """Which maps raters accept and prefer who do not know whose they are."""
    input:
        ratings=SETTINGS.blinded.ratings,
        key=SETTINGS.blinded.key or [],
        plan=PLAN,  # its clusters
        cohort="results/cohort/cohort.tsv",
    output:
        written_by("blinded-analysis"),
    log:
        "results/logs/blinded_analysis.log",
    conda:
        "../envs/headct.yaml"
    params:
        code=code("blinded-analysis"),
    shell:
        recorded(
            "blinded-analysis --ratings {input.ratings:q} --key={input.key:q} --plan={input.plan:q}"
            " --cohort {input.cohort} --out results/statistics"
        )


REVIEWED = [
    *(rules.review_analysis.output if REVIEWS else []),
    *(rules.blinded_analysis.output if SETTINGS.blinded.ratings else []),
]
