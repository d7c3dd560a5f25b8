"""Label sets for tests: that of the shipped studies, and one of lesions that no study here has."""

from __future__ import annotations

from headct.contracts.labels import Extent, Label, LabelSet, Pool, Role, label_set
from headct.imaging.masks import MaskRules

LABELS = label_set(("ICH", "PHE", "IVH"), {"ICH+IVH": ("ICH", "IVH")})
GIVEN = ("--labels", LABELS.written(Extent.PRINT))
"""The first, as a step is given it."""

MASK_RULES = MaskRules({"ICH": (1,), "PHE": (2,), "IVH": (3,)})
MASK_VALUES = '{"labels": {"ICH": [1], "PHE": [2], "IVH": [3], "ignore": []}}'
MASKS_GIVEN = (*GIVEN, "--label-values", MASK_VALUES)
"""As ingest is given it, with the values of masks."""

TOY = LabelSet(
    (
        Label(
            name="SDH",
            value=1,
            title="Subdural haemorrhage",
            colour="#123456",
            role=Role.TISSUE_HAEMORRHAGE,
            abbreviations=("SDH",),
            words=r"sdh|subdural",
        ),
        Label("MASS", 2, "Tumour", "#ABCDEF", words=r"mass|tumou?r"),
    ),
    (Pool("SDH+MASS", ("SDH", "MASS")),),
)
"""Two lesions; one bleeds."""

ONE = label_set(("SDH",))
"""A study of one lesion."""

SEVEN = label_set(
    ("EDH", "SDH", "post-operative-blood", "IPH", "IVH", "PHE", "EAH"),
    {"extra-axial": ("EDH", "SDH", "EAH")},
)
"""As many lesions as there may be, one of a name as long as one may be; two would have one colour."""
