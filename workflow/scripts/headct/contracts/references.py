"""What stands beside the models in metrics tables and statistics; no model may have one of its keys."""

PREDICTS_NOTHING = "predicts-nothing"
"""A model that never predicts a lesion."""

TRAINING_MEAN = "training-mean"
"""What predicts the mean volume of the training set in every scan."""

SECOND_READING = "second-reading"
"""Second readings, measured against the first ones."""

SAME_RATER, ANOTHER_RATER = f"{SECOND_READING}-intra", f"{SECOND_READING}-inter"

RESERVED = (PREDICTS_NOTHING, TRAINING_MEAN, SECOND_READING, SAME_RATER, ANOTHER_RATER)

TITLES = {
    PREDICTS_NOTHING: "Predicts nothing",
    TRAINING_MEAN: "Mean training volume",
    SAME_RATER: "Same rater again",
    ANOTHER_RATER: "Another rater",
}
