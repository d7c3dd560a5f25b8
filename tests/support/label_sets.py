"""Label sets for tests: the study's, and one of lesions that no study here has."""

from __future__ import annotations

from headct.contracts.labels import Label, LabelSet, Pool, Role, study_labels

LABELS = study_labels()

TOY = LabelSet(
    (
        Label(
            name="SDH",
            value=1,
            title="Subdural haemorrhage",
            colour="#123456",
            role=Role.TISSUE_HAEMORRHAGE,
            layer=1,
            abbreviations=("SDH",),
            words=r"sdh|subdural",
        ),
        Label("MASS", 2, "Tumour", "#ABCDEF", words=r"mass|tumou?r"),
    ),
    (Pool("SDH+MASS", ("SDH", "MASS")),),
)
"""Two lesions; one bleeds."""
