"""The page of landscapes: the plane as contours and as a surface, the cuts, the batches."""

import itertools
import json
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from bnviz.config import MEAN, TWINS, WITH_NOISE, Axis, Directions, LandscapeConfig, Statistics, View
from bnviz.figures import FIGURES, resolve
from bnviz.figures.landscape_batches import change_of, is_worst, spread_of, still_worst, typical_difference
from bnviz.figures.landscape_cut import way_of
from bnviz.figures.landscape_surface import on_surface
from bnviz.live.frames import pack
from bnviz.records import Intervention, Landscape, Phase, Run
from tests.figures import made_up_runs as made_up

CHARTS = ("landscape", "landscape-cut", "landscape-batches")
VIEWS = [
    View(batch=batch, is_surface=surface, is_between=surface) for batch in (MEAN, 0, 7) for surface in (False, True)
]
NOISY = WITH_NOISE


def run_with(now: Landscape | None = None, **changes: Any) -> Run:
    return made_up.a_run(60, **changes).replace(landscape=now)


def a_landscape(config: LandscapeConfig | None = None, **changes: Any) -> Landscape:
    return replace(made_up.landscape(1500, config), **changes)


def drawn(name: str, now: Landscape | None, view: View | None = None, **changes: Any) -> dict[str, Any]:
    spec = FIGURES[name](run_with(now, **changes), view or View())
    go.Figure(resolve(spec))
    pack(spec)
    return spec


def traces(spec: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    return [one for one in spec["data"] if all(one.get(key) == value for key, value in wanted.items())]


def notes(spec: dict[str, Any], name: str) -> list[str]:
    return [one["text"] for one in spec["layout"]["annotations"] if one["name"] == name]


def said(spec: dict[str, Any]) -> str:
    return str(spec["layout"]["meta"]["finding"]).replace("\N{NO-BREAK SPACE}", " ")


def known_at(loss: Any, stride: int) -> Any:
    """The same losses, unknown but at every stride-th point."""
    known = np.full_like(loss, np.nan)
    known[..., ::stride, ::stride] = loss[..., ::stride, ::stride]
    return known


# --- every state ------------------------------------------------------------------------------------------------------


def states() -> dict[str, Landscape | None]:
    whole = a_landscape()
    over = whole.loss.copy()
    over[0, :, :9, :9] = np.inf
    return {
        "nothing": None,
        "problem": Landscape(1500, LandscapeConfig(), Directions.POINTS, Statistics.BATCH, 1.0, problem="No plane."),
        "begun": replace(
            whole, done=0.0, loss=np.full_like(whole.loss, np.nan), cut_loss=np.full((2, 2, 4, 61), np.nan)
        ),
        "coarse": replace(whole, done=0.1, loss=known_at(whole.loss, 4)),
        "overflow": replace(whole, loss=over),
        "all overflows": replace(whole, loss=np.full_like(whole.loss, np.inf), cut_loss=np.full((2, 2, 4, 61), np.inf)),
        "one batch": a_landscape(made_up.FINE.replace(batches=1)),
        "three points": a_landscape(made_up.FINE.replace(directions=Directions.POINTS)),
        "no path": replace(whole, path=np.empty((2, 0, 2)), path_steps=np.empty(0), share=np.full(2, np.nan)),
        "other networks": a_landscape(loss=whole.loss[:1]),
    }


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("state", states())
def test_every_state_is_a_valid_figure_that_can_be_sent(state: str, view: View) -> None:
    for name in CHARTS:
        meta = drawn(name, states()[state], view)["layout"]["meta"]
        assert meta["alt"]
        assert "nan" not in json.dumps([meta["finding"], meta["alt"], meta["how"]]).lower().split()


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("view", VIEWS)
def test_four_networks_have_four_panels(name: str, view: View) -> None:
    run = made_up.a_run(60, competitors=NOISY, has_landscape=True, has_gradients=False, has_contour=False)
    spec = FIGURES[name](run, view)
    go.Figure(resolve(spec))
    if name != "landscape-cut":
        assert len(notes(spec, "panel-heading")) == 4


@pytest.mark.parametrize("name", CHARTS)
def test_without_a_landscape_the_chart_says_what_to_do(name: str) -> None:
    spec = drawn(name, None)
    assert "Draw anew" in " ".join(notes(spec, "note"))  # of a run that has gone on without one
    assert said(spec) == ""
    fresh = run_with()
    fresh = fresh.replace(status=replace(fresh.status, step=0, phase=Phase.PAUSED))
    assert "Press Play" in " ".join(notes(FIGURES[name](fresh, View()), "note"))


@pytest.mark.parametrize("name", CHARTS)
def test_a_problem_is_shown_in_its_own_words_on_lines_that_fit(name: str) -> None:
    problem = "plain@0, bn@12, earlier-bn@now: these points lie on one line or coincide. Choose three that differ."
    spec = drawn(name, Landscape(9, LandscapeConfig(), Directions.POINTS, Statistics.BATCH, 1.0, problem=problem))
    (note,) = notes(spec, "note")
    assert note.replace("<br>", " ") == (
        "without BN at step 0, with BN at step 12, with BN at the end of the earlier run: these points lie on one line "
        "or coincide. Choose three that differ."
    )
    assert max(map(len, note.split("<br>"))) <= 44


# --- the plane --------------------------------------------------------------------------------------------------------


def test_both_planes_have_one_scale_whatever_the_batch() -> None:
    now = a_landscape()
    scales = [drawn("landscape", now, View(batch=batch))["layout"]["coloraxis"] for batch in (0, 1, MEAN)]
    assert scales[0] == scales[1] == scales[2]
    spec = drawn("landscape", now, View(batch=2))
    for k, plane in enumerate(traces(spec, type="contour")):
        np.testing.assert_allclose(plane["customdata"], now.loss[k, 2])
        np.testing.assert_allclose(10 ** plane["z"], now.loss[k, 2], rtol=1e-5)
    mean = traces(drawn("landscape", now, View(batch=MEAN)), type="contour")
    np.testing.assert_allclose(mean[1]["customdata"], now.mean_loss[1])


def test_a_batch_that_is_not_there_is_the_last_one() -> None:
    spec = drawn("landscape", a_landscape(), View(batch=7))
    assert "batch 4 of 4, 512 images" in said(spec)


def test_the_spec_offers_the_batches_that_there_are() -> None:
    (choice,) = drawn("landscape", a_landscape())["layout"]["meta"]["choices"]
    assert choice["field"] == "batch"
    assert choice["options"] == [[f"batch {n + 1} of 4", n] for n in range(4)]
    assert choice["others"] == [["Mean", MEAN]]
    assert "choices" not in drawn("landscape", a_landscape(made_up.FINE.replace(batches=1)))["layout"]["meta"]


def test_a_coarse_grid_is_drawn_at_its_own_points_and_its_progress_is_said() -> None:
    now = a_landscape()
    half = known_at(now.loss, 4)
    half[:, :, ::2, :8:2] = now.loss[:, :, ::2, :8:2]  # the next level has begun
    spec = drawn("landscape", replace(now, done=0.1, loss=half))
    for plane in traces(spec, type="contour"):
        np.testing.assert_array_equal(plane["x"], now.alpha[::4])
        assert np.isfinite(plane["z"]).all()
    assert said(spec).startswith("10 % measured")


def test_an_overflow_has_a_colour_of_its_own_also_while_coarse_and_the_finite_range_is_said() -> None:
    now = a_landscape()
    loss = now.loss.copy()
    loss[0, :, 0, 0] = np.inf
    for stride in (1, 4):
        spec = drawn("landscape", replace(now, loss=known_at(loss, stride)))
        (over,) = traces(spec, name="overflow")
        assert over["colorscale"] == [[0, "@overflow"], [1, "@overflow"]]
        assert np.argwhere(over["z"] == 1).tolist() == [[0, 0]]
        assert np.argwhere(over["z"] == 0).tolist() == [[0, 1], [1, 0], [1, 1]]  # under the ends of the contours
        assert "overflow" in notes(spec, "overflow-key")[0]
        known = known_at(loss, stride)[:, 0]
        known = known[np.isfinite(known)]
        assert f"finite from {known.min():.2f} to {known.max():.1f} nats; overflows at 1 point without BN" in said(spec)


def test_the_finding_says_with_what_the_plane_was_measured() -> None:
    asked = made_up.FINE.replace(directions=Directions.PATHS, statistics=Statistics.INTERPOLATED)
    now = a_landscape(asked, directions=Directions.RANDOM, zero_units=np.array([3, 0]), share=np.array([0.9, 0.00004]))
    text = said(drawn("landscape", now))
    assert "step 1,500" in text
    assert "random filter-normalised directions, as there is no path yet" in text
    assert "frozen at the running statistics, as this plane has none to interpolate between" in text
    assert "batch 1 of 4, 512 images" in text
    assert "3 units without BN, whose weights are all 0, do not move" in text
    assert "plane holds 90 % of the path without BN, 0.004 % with it" in text
    assert "2-D slice" in drawn("landscape", now)["layout"]["title"]["text"]


def test_three_points_are_marked_a_b_and_c_and_named() -> None:
    spec = drawn("landscape", a_landscape(made_up.FINE.replace(directions=Directions.POINTS, span=2)))
    labels = notes(spec, "path-label")
    assert [label for label in labels if label.startswith("<b>")] == [f"<b>{name}</b>" for name in "ABC"] * 2
    (first, _) = traces(spec, name="points")
    np.testing.assert_array_equal(np.stack([first["x"], first["y"]], 1), [[0, 0], [1, 0], [0.5, 1]])
    assert "A without BN at step 0; B without BN now; C with BN now" in spec["layout"]["meta"]["how"]


def test_the_cursor_finds_every_path_with_its_steps() -> None:
    run = run_with(a_landscape(), interventions=(Intervention(600, "learning_rate", 0.5, 2.0),))
    for view in (View(), View(is_surface=True)):
        spec = FIGURES["landscape"](run, view)
        cursor = spec["layout"]["meta"]["cursor"]
        assert cursor["kind"] == "path"
        assert [role for _, role in cursor["lines"]] == ["plain", "bn"]
        for number, role in cursor["lines"]:
            assert spec["data"][number]["line"]["color"] == f"@{role}"
            np.testing.assert_array_equal(spec["data"][number]["customdata"], np.linspace(0, 1500, 12))


# --- the surface ------------------------------------------------------------------------------------------------------


def test_a_surface_has_the_contours_scale_and_a_path_that_lies_on_it() -> None:
    now = a_landscape()
    flat = drawn("landscape", now)["layout"]["coloraxis"]
    spec = drawn("landscape", now, View(is_surface=True))
    surfaces = traces(spec, type="surface")
    assert spec["layout"]["coloraxis"] == flat
    assert [one["scene"] for one in surfaces] == ["scene", "scene2"]
    assert spec["layout"]["scene"]["zaxis"]["range"] == spec["layout"]["scene2"]["zaxis"]["range"]
    np.testing.assert_allclose(surfaces[1]["customdata"], now.loss[1, 0])
    walk = next(one for one in traces(spec, type="scatter3d", scene="scene2") if "customdata" in one)
    i, j = np.abs(now.beta - walk["y"][-1]).argmin(), np.abs(now.alpha - walk["x"][-1]).argmin()
    assert walk["z"][-1] == pytest.approx(np.log10(now.loss[1, 0, i, j]), abs=0.05)


def test_a_surface_leaves_out_what_overflows_and_says_so() -> None:
    now = a_landscape()
    loss = now.loss.copy()
    loss[1, :, 0, 0] = np.inf
    spec = drawn("landscape", replace(now, loss=loss), View(is_surface=True))
    assert np.argwhere(np.isnan(traces(spec, type="surface")[1]["z"])).tolist() == [[0, 0]]
    assert "overflows at 1 point with BN, left out here" in said(spec)


def test_interpolation_on_the_surface_is_exact_for_a_plane_and_absent_beyond_it() -> None:
    x, y = np.linspace(-1, 1, 5), np.linspace(0, 2, 4)
    height = 2 * x[None, :] - 3 * y[:, None] + 1
    at_x, at_y = np.array([-1, 0.3, 1, 1.1]), np.array([0, 1.7, 2, 1])
    np.testing.assert_allclose(on_surface(x, y, height, at_x, at_y), [-1, -3.5, -3, np.nan])


# --- the cuts ---------------------------------------------------------------------------------------------------------

ALPHA = np.linspace(-0.25, 1.25, 61)


def test_a_falling_way_is_told_from_one_with_a_bump_and_from_a_barrier() -> None:
    falling = 2 - ALPHA
    bump = falling + 0.5 * np.exp(-(((ALPHA - 0.5) / 0.05) ** 2))
    barrier = 1 + 3 * np.exp(-(((ALPHA - 0.5) / 0.1) ** 2))
    one = way_of(ALPHA, falling)
    assert one is not None
    assert one.is_falling
    other = way_of(ALPHA, bump)
    assert other is not None
    assert not other.is_falling
    assert 0.3 < other.rise < 0.5
    assert other.barrier <= 0
    high = way_of(ALPHA, barrier)
    assert high is not None
    assert high.barrier == pytest.approx(3, abs=0.01)
    assert way_of(ALPHA, np.where(ALPHA < 0, np.nan, falling)) == one  # what lies beyond the ends does not count
    assert way_of(ALPHA, np.where(ALPHA > 0.9, np.nan, falling)) is None
    over = way_of(ALPHA, np.where(np.abs(ALPHA - 0.5) < 0.1, np.inf, falling))
    assert over is not None
    assert over.overflows


def test_the_cut_says_which_network_falls_all_the_way_and_by_how_much_the_other_climbs() -> None:
    now = a_landscape()
    mean = now.cut_loss[0].mean(axis=1)
    inside = mean[1][(ALPHA >= 0) & (ALPHA <= 1)]
    climb = max(b - a for a, b in itertools.combinations(inside, 2))
    spec = drawn("landscape-cut", now)
    assert said(spec) == f"falls all the way without BN; not monotone with it: climbs by {climb:.2f} nats"
    both = replace(now, cut_loss=np.repeat(now.cut_loss[:, :1], 2, axis=1))
    assert said(drawn("landscape-cut", both)) == "falls all the way from start to now in both networks"
    assert notes(spec, "cut-end") == ["start", "now"]


def test_between_the_twins_the_barrier_is_said() -> None:
    now = a_landscape()
    mean = now.cut_loss[1, 0].mean(axis=0)
    at = [int(np.argmin(np.abs(ALPHA - end))) for end in (0, 1)]
    spec = drawn("landscape-cut", now, View(is_between=True))
    assert f"barrier of {mean.max() - mean[at].max():.1f} nats above both ends without BN" in said(spec)
    assert [text.split("> ")[1] for text in notes(spec, "cut-end")] == ["without BN", "with BN"]


def test_a_thick_line_is_the_mean_of_the_thin_ones_of_the_batches_measured_so_far() -> None:
    now = a_landscape()
    cuts = now.cut_loss.copy()
    cuts[:, :, 3, 30:] = np.nan
    spec = drawn("landscape-cut", replace(now, cut_loss=cuts, done=0.9))
    (thick,) = traces(spec, name="with BN")
    thin = [one for one in spec["data"] if one["name"].startswith("with BN, batch")]
    assert len(thin) == 4
    np.testing.assert_allclose(thick["y"], np.mean([one["y"] for one in thin[:3]], axis=0))


# --- from batch to batch ----------------------------------------------------------------------------------------------


def test_change_and_spread_are_relative_to_the_mean_and_absent_where_one_overflows() -> None:
    losses = np.array([[[1.0, 2.0, np.inf], [3.0, 2.0, 1.0]]])  # one network, two batches, three points
    np.testing.assert_allclose(change_of(losses, 0), [[1.0, 0.0, np.nan]])
    np.testing.assert_allclose(change_of(losses, 1), [[-1.0, 0.0, np.nan]])  # after the last comes the first
    np.testing.assert_allclose(spread_of(losses), [[0.5, 0.0, np.nan]])
    np.testing.assert_allclose(typical_difference(losses), [[1.0, 0.0, np.nan]])


def test_a_bad_spot_on_one_batch_that_is_none_on_the_next_is_counted() -> None:
    here = np.arange(100.0)
    shifted = np.roll(here, 4)  # the worst ten have moved by four places
    assert still_worst(np.array([[here, shifted]]), 0) == pytest.approx([0.6])
    assert still_worst(np.array([[here, here]]), 0) == pytest.approx([1.0])
    assert np.flatnonzero(is_worst(np.where(here < 30, np.inf, here))).tolist() == list(range(30))


def test_the_batches_finding_gives_the_differences_now_and_over_the_plane() -> None:
    now = a_landscape(made_up.FINE.replace(batches=2))
    now = replace(now, loss=now.loss[:, :1] * np.array([1.0, 1.5])[None, :, None, None])
    cuts = now.cut_loss.copy()
    cuts[0, :, 1, 50] = 3 * cuts[0, :, 0, 50]  # at alpha = 1
    text = said(drawn("landscape-batches", replace(now, cut_loss=cuts)))
    assert text == (
        "of the worst tenth 100 % without BN, 100 % with it still worst on batch 2; "
        "over the plane two batches differ by 40 % without BN, 40 % with it; "
        "at the present weights by 100 % without BN, 100 % with it"
    )


@pytest.mark.parametrize("name", ["landscape-cut", "landscape-batches"])
def test_nothing_is_claimed_of_a_landscape_that_is_half_measured(name: str) -> None:
    now = replace(a_landscape(made_up.FINE.replace(batches=2)), done=0.5)
    assert said(drawn(name, now)) == "50 % measured"


def test_the_map_is_centred_at_no_change_and_outlines_the_worst_of_both_batches() -> None:
    spec = drawn("landscape-batches", a_landscape(), View(batch=3))
    scale = spec["layout"]["coloraxis"]
    assert scale["cmin"] == -scale["cmax"]
    assert scale["colorscale"] == "@diverging"
    assert spec["layout"]["title"]["text"] == "From batch 4 to batch 1"
    assert len(traces(spec, name="worst tenth")) == len(traces(spec, name="worst tenth on the next batch")) == 2
    mean = drawn("landscape-batches", a_landscape(), View(batch=MEAN))
    assert mean["layout"]["coloraxis"]["cmin"] == 0
    assert mean["layout"]["coloraxis"]["colorscale"] == "@sequential"


def test_one_batch_says_how_to_get_more() -> None:
    spec = drawn("landscape-batches", a_landscape(made_up.FINE.replace(batches=1)))
    assert "choose 2, 4 or 8 batches" in notes(spec, "note")[0].replace("<br>", " ")


# --- the loss curve beside it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("axis", "arrays"), [(Axis.STEPS, 0), (Axis.IMAGES, 1), (Axis.COMPUTE, 2)])
def test_the_loss_curve_says_how_steps_map_to_its_axis(axis: Axis, arrays: int) -> None:
    run = made_up.a_run(60, has_ghost=True)
    spec = FIGURES["loss"](run, View(axis=axis))
    cursor = spec["layout"]["meta"]["cursor"]
    assert len(cursor.get("x", [])) == arrays
    assert [role for _, role, _ in cursor["lines"]] == [one.name for one in TWINS]
    for number, role, k in cursor["lines"]:
        assert spec["data"][number]["line"]["color"] == f"@{role}"
        assert spec["data"][number]["name"] == TWINS[k].label


@pytest.mark.parametrize("name", CHARTS)
def test_a_network_that_has_stopped_leaves_the_other_to_be_drawn(name: str) -> None:
    """As the worker tells it: NaN wherever the network would be, its units without weights among them."""
    now = made_up.landscape(1500)
    fields = {one: getattr(now, one).astype(float) for one in ("loss", "path", "share")} | {"zero_units": np.zeros(2)}
    for values in fields.values():
        values[0] = np.nan
    cut_loss = now.cut_loss.copy()
    cut_loss[:, 0] = np.nan
    stopped = replace(now, cut_loss=cut_loss, **fields)
    for view in (View(), View(is_surface=True), View(is_between=True), View(batch=MEAN)):
        assert "diverged" not in str(drawn(name, stopped, view)["layout"]["meta"]["finding"])
