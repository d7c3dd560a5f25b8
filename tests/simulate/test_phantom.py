"""The simulated trial: volumes, geometry, image and masks of one participant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.contracts.problems import BadInput
from headct.settings.blocks import Rater
from headct.simulate import lesion_placement, rater_readings, volumes
from headct.simulate.acquisition import AcquisitionGeometry, Samples, plan
from headct.simulate.fields import SmoothField, bspline_basis
from headct.simulate.head import MassEffect, Points, push_back
from headct.simulate.participant import Participant, simulate
from headct.simulate.random_streams import stream
from headct.simulate.settings import LESIONS, TrialSettings, from_block
from support.phantom_settings import MASK_VALUES, PHANTOM

PUBLISHED_ML = {
    # Kok et al. 2022, Table 2, training set: minimum, quartiles, maximum; mean; SD
    "ICH": ((0.50, 5.32, 11.99, 27.84, 158.64), 20.95, 23.47),
    "PHE": ((1.19e-4, 3.53, 7.15, 13.63, 152.10), 11.62, 14.43),
    "IVH": ((7.73e-3, 1.88, 5.63, 13.38, 77.49), 9.47, 10.92),
}


@pytest.fixture(scope="module")
def settings() -> TrialSettings:
    return from_block(PHANTOM, MASK_VALUES, "test.yaml")


@pytest.fixture(scope="module", params=[0, 1], ids=["tilted", "uneven"])
def participant(request: pytest.FixtureRequest, settings: TrialSettings) -> Participant:
    return simulate(settings, "P0001", settings.sites[request.param])


# -- volumes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", LESIONS)
def test_drawn_volumes_have_the_published_distribution(label: str) -> None:
    five, mean, sd = PUBLISHED_ML[label]
    drawn = volumes.quantiles(five, (np.arange(100_000) + 0.5) / 100_000)
    assert drawn.mean() == pytest.approx(mean, rel=0.06)
    assert drawn.std() == pytest.approx(sd, rel=0.09)
    assert (drawn.min(), drawn.max()) == pytest.approx((five[0], five[4]))
    assert np.quantile(drawn, [0.25, 0.5, 0.75]) == pytest.approx(five[1:4], rel=1e-3)


def test_age_and_onset_have_the_published_distribution() -> None:
    probability = (np.arange(10_000) + 0.5) / 10_000
    age = volumes.quantiles(volumes.AGE_YEARS, probability)
    assert age.mean() == pytest.approx(69, abs=1)
    assert age.std() == pytest.approx(13.5, abs=1)
    onset = volumes.quantiles(volumes.ONSET_TO_CT_HOURS, probability)
    assert np.quantile(onset, [0.25, 0.5, 0.75]) == pytest.approx([1.4, 1.9, 2.9], rel=1e-3)


@given(st.lists(st.floats(1e-6, 1 - 1e-6), min_size=2, max_size=20), st.sampled_from(list(LESIONS)))
def test_quantile_function_is_monotone(probabilities: list[float], label: str) -> None:
    drawn = volumes.quantiles(PUBLISHED_ML[label][0], np.sort(probabilities))
    assert (np.diff(drawn) >= 0).all()


def test_oedema_grows_with_the_bleed_and_shares_are_met(settings: TrialSettings) -> None:
    published = {label: five for label, (five, _, _) in PUBLISHED_ML.items()}
    real = replace(settings, volumes_ml=published, phe_share=0.99, ivh_share=0.3)
    drawn = [volumes.draw_volumes_ml(real, f"P{i}") for i in range(1500)]
    ich, phe, ivh = (np.array([d[label] for d in drawn]) for label in ("ICH", "PHE", "IVH"))
    has_phe = phe > 0
    correlation = np.corrcoef(np.log(ich[has_phe]), np.log(phe[has_phe]))[0, 1]
    assert 0.55 < correlation < 0.8
    assert np.mean(ivh > 0) == pytest.approx(0.3, abs=0.04)
    assert np.mean(has_phe) == pytest.approx(0.99, abs=0.01)
    assert ich.mean() == pytest.approx(20.95, rel=0.1)


def test_met_volumes_are_within_one_subvoxel_of_the_requested(participant: Participant) -> None:
    truth = participant.truth
    for label in LESIONS:
        assert truth.requested_ml[label] > 0
        if not truth.truncated[label]:
            difference = abs(truth.met_ml[label] - truth.requested_ml[label])
            assert difference <= participant.geometry.subvoxel_ml.max()


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.booleans(), st.sampled_from([0.5, 1.0])), min_size=1),
    st.floats(0, 30),
)
def test_take_prefers_high_potentials_and_meets_the_volume(
    cells: list[tuple[float, bool, float]], volume: float
) -> None:
    potential = np.array([cell[0] for cell in cells], dtype=np.float32)
    allowed = np.array([cell[1] for cell in cells])
    each = np.array([cell[2] for cell in cells], dtype=np.float32)
    taken, met = lesion_placement.take(potential, allowed, each, volume)
    assert allowed[taken].all()
    assert met == pytest.approx(each[taken].sum(dtype=float))
    left = np.setdiff1d(np.flatnonzero(allowed), taken)
    if len(left):
        assert abs(met - volume) <= 0.5
        if len(taken):
            assert potential[taken].min() >= potential[left].max()
    else:
        assert met == pytest.approx(each[allowed].sum(dtype=float))


# -- geometry --------------------------------------------------------------------------------------


def test_origins_move_along_the_table_and_slices_are_tilted(settings: TrialSettings) -> None:
    geometry = plan(settings, settings.sites[0], "P0001")
    origins = np.array([geometry.origin_mm(k) for k in range(len(geometry.table_mm))])
    steps = np.diff(origins, axis=0)
    assert steps[:, :2] == pytest.approx(0)
    row, column = np.reshape(geometry.orientation, (2, 3))
    normal = np.cross(row, column)
    perpendicular = steps @ normal
    assert perpendicular == pytest.approx(6.0 * np.cos(np.radians(geometry.tilt_deg)), abs=2e-3)
    assert abs(geometry.tilt_deg) > 10


def test_subvoxels_lie_where_the_header_says(settings: TrialSettings) -> None:
    geometry = plan(settings, settings.sites[0], "P0001")
    row, column = np.reshape(geometry.orientation, (2, 3))
    samples = geometry.samples(slice(4, 5))
    n, s = geometry.in_plane, geometry.through_plane
    # the sub-voxels of the pixel (row 10, column 20) average to its centre
    x = samples.x_mm[20 * n : 21 * n].mean()
    y = samples.y_mm[10 * n : 11 * n].mean()
    z = samples.z_mm[:s, 10 * n : 11 * n].mean()
    expected = np.array(geometry.origin_mm(4)) + geometry.pixel_mm * (20 * row + 10 * column)
    assert (x, y, z) == pytest.approx(tuple(expected), abs=2e-3)


def test_slice_weights_tile_the_scanned_height(settings: TrialSettings) -> None:
    geometry = plan(settings, settings.sites[1], "P0001")
    gaps = np.diff(geometry.table_mm)
    assert set(np.round(gaps, 3)) == {5.0, 6.5, 8.0}
    assert geometry.weights_mm[1:-1] == pytest.approx((gaps[1:] + gaps[:-1]) / 2)
    assert geometry.weights_mm.sum() == pytest.approx(np.ptp(geometry.table_mm) + gaps[0] / 2 + gaps[-1] / 2)


def test_voxel_average_is_the_mean_of_its_subvoxels() -> None:
    geometry = AcquisitionGeometry(2, 1.0, (5.0, 5.0), np.array([0.0, 5.0]), 0.0, (0.0, 0.0), 2, 3)
    values = np.random.default_rng(0).random((6, 4, 4)).astype(np.float32)
    expected = values.reshape(2, 3, 2, 2, 2, 2).mean(axis=(1, 3, 5))
    assert geometry.average(values) == pytest.approx(expected)


# -- fields and head -------------------------------------------------------------------------------


@given(st.floats(-30, 30))
def test_bspline_weights_sum_to_one(position: float) -> None:
    weights = bspline_basis(np.array([position], dtype=np.float32), 3.0, 25)
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    assert np.count_nonzero(weights) <= 4


def test_a_field_depends_on_position_not_on_the_grid() -> None:
    field = SmoothField.random(np.random.default_rng(1), 10.0)
    axis = np.linspace(-50, 50, 40, dtype=np.float32)
    whole = field.on(Samples(axis, axis, np.repeat(axis[:, None], 40, axis=1)))
    part = field.on(Samples(axis[10:20], axis[5:9], np.repeat(axis[30:33, None], 4, axis=1)))
    assert part == pytest.approx(whole[30:33, 5:9, 10:20], abs=1e-5)
    assert 0.8 < whole.std() < 1.2


def test_mass_effect_moves_tissue_away_but_not_the_skull() -> None:
    effect = MassEffect((30.0, 0.0, 0.0), 15.0, 5.0)
    points = Points(*(np.array(v, dtype=np.float32) for v in ([0.0, 60.0], [0.0, 0.0], [0.0, 0.0])))
    before = push_back(points, effect, np.array([60.0, 0.0], dtype=np.float32))
    assert before.x[0] > 2.0  # what is now in the midline lay nearer to the bleed
    assert before.x[1] == 60.0


# -- image -----------------------------------------------------------------------------------------


def test_hounsfield_units_are_those_of_the_literature(participant: Participant) -> None:
    image, fractions = participant.image.astype(float), participant.fractions
    for label, limits in (("ICH", (48, 66)), ("PHE", (13, 26)), ("IVH", (42, 62))):
        whole = image[fractions[LESIONS[label]] > 0.999]
        assert len(whole) > 10
        assert limits[0] < whole.mean() < limits[1]
    assert np.median(image[:, :3]) < -950
    assert image.max() > 900
    brain = image[(image > 15) & (image < 45)]
    assert 27 < np.median(brain) < 40


def test_fractions_hold_the_true_volumes(participant: Participant) -> None:
    geometry = participant.geometry
    voxel_ml = geometry.pixel_mm**2 * geometry.weights_mm / 1000
    for label, value in LESIONS.items():
        volume = (participant.fractions[value].sum(axis=(1, 2), dtype=float) * voxel_ml).sum()
        assert volume == pytest.approx(participant.truth.met_ml[label], rel=1e-4)
    assert participant.fractions.sum(axis=0) == pytest.approx(1)


def test_ventricular_blood_lies_at_the_back(settings: TrialSettings) -> None:
    few = replace(settings, volumes_ml={**settings.volumes_ml, "IVH": (3.0, 4.0, 5.0, 6.0, 8.0)})
    participant = simulate(few, "P0002", few.sites[1])
    rows = np.arange(participant.image.shape[1])
    centre = {
        label: np.average(rows, weights=participant.fractions[value].sum(axis=(0, 2)))
        for label, value in LESIONS.items()
    }
    assert centre["IVH"] > participant.image.shape[1] / 2


def test_simulation_is_repeatable_and_participants_independent(settings: TrialSettings) -> None:
    again = replace(settings, participants=99)
    first, second = (simulate(s, "P0003", s.sites[0]) for s in (settings, again))
    assert np.array_equal(first.image, second.image)
    other = simulate(settings, "P0004", settings.sites[0])
    assert not np.array_equal(first.image[:20], other.image[:20])


# -- raters ----------------------------------------------------------------------------------------


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def test_readings_are_close_to_the_truth_but_differ(
    participant: Participant, settings: TrialSettings
) -> None:
    truth = participant.fractions.argmax(axis=0)
    rater, geometry = settings.raters[0], participant.geometry
    readings = [
        rater_readings.draw(participant.fractions, geometry, rater, np.random.default_rng(i)) for i in (1, 2)
    ]
    for label, least in (("ICH", 0.85), ("PHE", 0.55), ("IVH", 0.7)):
        value = LESIONS[label]
        assert _dice(readings[0] == value, truth == value) > least
        assert least < _dice(readings[0] == value, readings[1] == value) < 1


def test_a_rater_who_draws_outside_draws_more(participant: Participant) -> None:
    drawn = {}
    for bias in (-0.8, 0.8):
        rater = Rater("r", bias, 0.2)
        labels = rater_readings.draw(
            participant.fractions, participant.geometry, rater, np.random.default_rng(0)
        )
        drawn[bias] = (labels > 0).sum()
    assert drawn[0.8] > 1.05 * drawn[-0.8]


def test_a_lesion_below_a_voxel_is_not_seen(participant: Participant) -> None:
    fractions = np.zeros_like(participant.fractions)
    fractions[2, 10, 20, 20] = 0.2
    fractions[0] = 1 - fractions[2]
    labels = rater_readings.draw(
        fractions, participant.geometry, Rater("r", 0.0, 0.3), np.random.default_rng(0)
    )
    assert not labels.any()


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"volumes_ml": {**PHANTOM.volumes_ml, "ICH": (5, 4, 10, 20, 30)}}, "volumes_ml.ICH"),
        ({"sites": PHANTOM.sites[1:]}, "incomplete_participants"),
        ({"sites": PHANTOM.sites[:1] * 2}, "sites"),
        ({"raters": PHANTOM.raters[:1]}, "raters"),
    ],
)
def test_contradictory_settings_are_refused(change: dict, key: str) -> None:
    with pytest.raises(BadInput, match=f"phantom.{key}"):
        from_block(replace(PHANTOM, **change), MASK_VALUES, "test.yaml")


def test_a_config_without_phantom_is_refused() -> None:
    with pytest.raises(BadInput, match="no simulated trial"):
        from_block(None, MASK_VALUES, "real.yaml")


def test_streams_depend_on_all_keys() -> None:
    draws = {stream(s, p, q).random() for s in (1, 2) for p in ("P1", "P2") for q in ("a", "b")}
    assert len(draws) == 8
