"""What holds for every chart, whatever the run."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnviz.config import (
    BN,
    COMPETITORS,
    DECORRELATED,
    DROPOUT,
    GROUP,
    LAYER,
    NOISY,
    ORTHOGONAL,
    PLAIN,
    RENORM,
    TWINS,
    WEIGHT,
    AnatomyConfig,
    Axis,
    Competitor,
    LandscapeConfig,
    Measure,
    Network,
    Normalization,
    Settings,
    ShiftMeasure,
    View,
)
from bnviz.figures import FIGURES, for_export, resolve, sentence, to_html, tokens
from bnviz.figures.anatomy_parts import unit_of
from bnviz.figures.theme import swatch_of, symbol_of
from bnviz.records import Badge, Health, Intervention, Run
from bnviz.training import train
from bnviz.ui.charts import (
    ANATOMY_CHARTS,
    COST_CHARTS,
    COUSINS_CHARTS,
    FIGURE_ONE_CHARTS,
    GRADIENT_CHARTS,
    LAB_CHARTS,
    LANDSCAPE_CHARTS,
    LIMITS_CHARTS,
    SHIFT_CHARTS,
    SWEEP_CHARTS,
    UNTRAINED_CHARTS,
    WHITENING_CHARTS,
)
from bnviz.ui.texts import title_and_body
from tests.figures import made_up_runs as made_up

NAMES = (
    "accuracy", "drift-bands", "loss", "density", "gradient-histogram", "drift-distance", "loss-contour", "health",
)  # fmt: skip
OVER_TIME = ("accuracy", "loss", "drift-bands", "density", "drift-distance")
LEARNING_RATE = Intervention(600, "learning_rate", 0.5, 2.0)

views = st.builds(
    View,
    layer=st.integers(1, 20),
    unit=st.integers(0, 511),
    axis=st.sampled_from(Axis),
    is_path=st.booleans(),
    is_standardised=st.booleans(),
    is_gradient_standardised=st.booleans(),
    step=st.integers(-1, 2000),
    is_offset=st.booleans(),
    shift_measure=st.sampled_from(ShiftMeasure),
    untrained_layer=st.integers(1, 101),
    descent_step=st.integers(-1, 600),
    batch=st.integers(-1, 9),
    is_surface=st.booleans(),
    is_between=st.booleans(),
    anatomy_phase=st.integers(-1, 12),
    gamma=st.floats(-10, 10),
    beta=st.floats(-10, 10),
    weight_factor=st.floats(0.01, 100),
    is_whole_range=st.booleans(),
)
healths = st.sampled_from(
    [
        Health(),
        made_up.stalled(30),
        made_up.diverged(40),
        made_up.diverged(40, 4, "gradient"),
        made_up.diverged(3, None),
    ]
)
interventions = st.lists(st.integers(0, 2000), max_size=12).map(
    lambda steps: tuple(Intervention(step, "learning_rate", 0.5, 2.0) for step in sorted(steps))
)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    points = draw(st.sampled_from([0, 1, 2, 5, 60, 500]))
    return made_up.a_run(
        points,
        draw(st.sampled_from([1, 2, 3, 4, 20])),
        steps=draw(st.sampled_from([3, 1500, 200_000])),
        seed=draw(st.integers(0, 9)),
        width=draw(st.sampled_from([10, 100])),
        stopped_at=draw(st.none() | st.integers(0, max(points - 1, 0))),
        health=(draw(healths), draw(healths)),
        interventions=draw(interventions),
        has_gradients=draw(st.booleans()),
        has_contour=draw(st.booleans()),
        has_ghost=draw(st.booleans()),
        has_shift=draw(st.booleans()),
        has_untrained=draw(st.booleans()),
        has_landscape=draw(st.booleans()),
        has_anatomy=draw(st.booleans()),
        badge=draw(st.sampled_from(Badge)),
    )


def without_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_arrays(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_arrays(one) for one in value]
    return None if isinstance(value, np.ndarray) else value


def arrays(value: Any) -> list[np.ndarray]:
    if isinstance(value, dict):
        return [array for one in value.values() for array in arrays(one)]
    if isinstance(value, list):
        return [array for one in value for array in arrays(one)]
    return [value] if isinstance(value, np.ndarray) else []


def named(spec: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in spec["layout"]["annotations"] if one["name"] == name]


def test_every_chart_is_on_a_page_and_every_page_shows_charts_that_there_are() -> None:
    assert LAB_CHARTS == NAMES
    pages = (
        LAB_CHARTS,
        GRADIENT_CHARTS,
        UNTRAINED_CHARTS,
        SHIFT_CHARTS,
        LANDSCAPE_CHARTS,
        WHITENING_CHARTS,
        ANATOMY_CHARTS,
        *LIMITS_CHARTS.values(),
        SWEEP_CHARTS,
        COUSINS_CHARTS,
        COST_CHARTS,
        FIGURE_ONE_CHARTS,
    )
    assert set(FIGURES) == {name for page in pages for name in page}


def test_every_formula_of_a_text_stands_on_one_line() -> None:
    """Streamlit sets no formula that runs over two."""
    for path in sorted((Path(__file__).resolve().parents[2] / "assets" / "texts").glob("*.md")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            assert line.count("$$") % 2 == 0, f"{path.name}, line {number}"


def test_every_chart_has_its_explanation() -> None:
    for name in FIGURES:
        title, body = title_and_body(name)
        assert title
        assert len(body) > 200


@pytest.mark.parametrize("network", list(Network))
def test_every_network_says_what_it_takes_its_statistics_over_and_what_changes_at_inference(network: Network) -> None:
    title, body = title_and_body(f"network-{network}")
    assert title
    for part in ("**What it does.**", "**Statistics.**", "**Training and inference", "**Source.**"):
        assert part in body


@pytest.mark.slow
@given(runs(), views, st.sampled_from(["light", "dark"]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_spec_of_every_run_is_a_valid_figure(run: Run, view: View, theme: Any) -> None:
    for name, figure in FIGURES.items():
        spec = figure(run, view)
        go.Figure(resolve(spec, theme))
        text = json.dumps(without_arrays(spec), allow_nan=False)
        assert "@" not in json.dumps(without_arrays(resolve(spec, theme))), name
        assert {array.dtype.name for array in arrays(spec)} <= {"float32", "float64", "uint8"}, name
        meta = spec["layout"]["meta"]
        assert meta["chart"] == name
        assert meta["badge"] == str(run.badge)
        assert meta["alt"]
        assert meta["how"].endswith(".")
        assert all("nan" not in words.lower().split() for words in (text, meta["alt"], meta["finding"]))


@pytest.fixture(scope="module")
def convolutional() -> Run:
    """Trained for some steps, and measured with all there is."""
    changes = {"architecture": "convolutional", "hidden_layers": 2, "width": 10, "nonlinearity": "relu"}
    return train(
        Settings().replace(learning_rate=0.1, **changes), 4, measures=tuple(Measure),
        landscape=LandscapeConfig(resolution=11, images=20, batches=1), anatomy=AnatomyConfig(images=10, layer=1),
    )  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_a_convolutional_run(convolutional: Run, name: str) -> None:
    for view in (View(), View(layer=1, anatomy_phase=2), View(layer=2, unit=9, anatomy_phase=9, is_surface=True)):
        spec = FIGURES[name](convolutional, view)
        go.Figure(resolve(spec, "light"))
        text = json.dumps(without_arrays(spec), allow_nan=False, ensure_ascii=False)
        assert spec["layout"]["meta"]["how"].endswith(".")
        assert "nan" not in text.lower().split()


def test_charts_of_a_convolutional_run_say_feature_map_and_how_many_of_how_many_values(convolutional: Run) -> None:
    assert "feature map 3" in json.dumps(without_arrays(FIGURES["drift-bands"](convolutional, View(unit=3))))
    assert "one position of each" in FIGURES["density"](convolutional, View())["layout"]["meta"]["how"]
    assert "first 128 training" in FIGURES["sharpness"](convolutional, View())["layout"]["meta"]["how"]
    walk = FIGURES["anatomy-walk"](convolutional, View(anatomy_phase=1))
    text = json.dumps(without_arrays(walk), ensure_ascii=False)
    assert "256 of 1,440 values" in text
    assert "10 images × 144 positions" in text
    assert r"1 \ldots m′ = m\,p\,q = 10 \cdot 12 \cdot 12 = 1440" in walk["layout"]["meta"]["formulas"][0]
    stream = FIGURES["anatomy-stream"](convolutional, View())["layout"]["meta"]["formulas"]
    assert r"\frac{m′}{m′ - 1} = \frac{1440}{1439}" in stream[-1]
    assert "each 200 of them" in FIGURES["anatomy-inference"](convolutional, View())["layout"]["meta"]["how"]


def test_the_moments_on_the_walk_are_those_of_all_values_not_of_the_sample(convolutional: Run) -> None:
    now = convolutional.anatomy
    assert now is not None
    unit = unit_of(now, View(unit=2))
    mean, deviation = unit.moments("x")
    assert mean == pytest.approx(unit.of("mean"), rel=1e-3, abs=1e-5)
    assert deviation**2 == pytest.approx(unit.of("variance"), rel=1e-3)
    assert abs(float(unit.value("x").mean()) - mean) > 1e-4  # the sample's is another


@given(runs(), views)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_sentence_is_text_for_every_run(run: Run, view: View) -> None:
    text = sentence(run, view)
    assert text.endswith((".", ")."))
    assert "nan" not in text.lower().split()
    assert text.count("**") % 2 == 0
    assert set(re.findall(r"\{(\w+)\}", text)) <= {"plain", "bn"}


@pytest.mark.parametrize("name", NAMES)
def test_a_run_without_points_gives_axes_and_no_data(name: str) -> None:
    run = made_up.a_run(0, has_gradients=False, has_contour=False)
    spec = FIGURES[name](run, View())
    assert all(trace["name"] == "axis-ends" for trace in spec["data"])
    assert "xaxis" in spec["layout"]
    assert spec["layout"]["meta"]["finding"] == ""


@pytest.mark.parametrize("name", NAMES)
def test_an_export_shows_title_finding_and_where_the_chart_does_not_the_names(name: str) -> None:
    run = made_up.a_run(30)
    spec = FIGURES[name](run, View())
    layout = go.Figure(for_export(spec, "dark")).layout
    assert spec["layout"]["title"]["text"] in layout.title.text
    assert spec["layout"]["meta"]["finding"] in layout.title.subtitle.text
    shown = layout.title.subtitle.text + "".join(note.text for note in layout.annotations)
    assert "without BN" in shown
    assert "#" in layout.paper_bgcolor


@pytest.mark.parametrize("name", NAMES)
def test_drawing_changes_nothing_in_the_record(name: str) -> None:
    run = made_up.a_run(30, has_ghost=True, interventions=(LEARNING_RATE,))
    before = {one: np.array(getattr(run.history, one)) for one in ("loss", "quantiles", "bands", "update_ratio")}
    FIGURES[name](run, View())
    for one, array in before.items():
        np.testing.assert_array_equal(getattr(run.history, one), array)


@pytest.mark.parametrize("name", OVER_TIME)
def test_an_intervention_marks_every_panel_over_time(name: str) -> None:
    spec = FIGURES[name](made_up.a_run(60, interventions=(LEARNING_RATE,)), View())
    lines = [shape for shape in spec["layout"]["shapes"] if shape["name"] == "intervention"]
    panels = len(spec["layout"]["meta"]["time_axes"])
    assert len(lines) == panels
    assert {line["x0"] for line in lines} == {600.0}
    assert len({line["xref"] for line in lines}) == panels


@pytest.mark.parametrize("name", OVER_TIME)
def test_the_axis_over_time_is_the_one_asked_for(name: str) -> None:
    run = made_up.a_run(60)
    for axis, end in ((Axis.STEPS, 1500), (Axis.IMAGES, 90_000), (Axis.COMPUTE, 1.35)):
        spec = FIGURES[name](run, View(axis=axis))
        ends = [float(trace["x"][-1]) for trace in spec["data"] if trace["name"] != "axis-ends"]
        assert max(ends) == pytest.approx(end)
        (unit,) = named(spec, "x-unit")
        assert unit["text"] == spec["layout"]["meta"]["x"] == {"compute": "seconds"}.get(axis, str(axis))


def test_over_compute_time_each_competitor_has_its_own_x() -> None:
    run = made_up.a_run(60)
    lines = {t["name"]: t for t in FIGURES["accuracy"](run, View(axis=Axis.COMPUTE))["data"] if t["mode"] == "lines"}
    np.testing.assert_array_equal(lines["without BN"]["x"], run.history.compute_seconds[:, 0])
    np.testing.assert_array_equal(lines["with BN"]["x"], run.history.compute_seconds[:, 1])


@pytest.mark.parametrize("name", NAMES)
def test_a_clock_that_stops_with_its_network_breaks_no_chart(name: str) -> None:
    run = made_up.a_run(60, stopped_at=20, health=(made_up.diverged(500), Health()), interventions=(LEARNING_RATE,))
    seconds = run.history.compute_seconds.copy()
    seconds[20:, 0] = np.nan
    dead = np.full_like(run.history.dead, 0.5)
    dead[:, 0] = np.nan
    run = run.replace(history=replace(run.history, compute_seconds=seconds, dead=dead))
    spec = FIGURES[name](run, View(axis=Axis.COMPUTE))
    json.dumps(without_arrays(spec), allow_nan=False)
    go.Figure(resolve(spec))


@pytest.mark.parametrize("name", OVER_TIME)
def test_without_a_clock_compute_time_falls_back_to_steps(name: str) -> None:
    run = made_up.a_run(60)
    run = run.replace(history=replace(run.history, compute_seconds=np.zeros((60, 2))))
    assert FIGURES[name](run, View(axis=Axis.COMPUTE))["layout"]["meta"]["x"] == "steps"


@pytest.mark.parametrize("name", ["drift-bands", "density", "drift-distance", "gradient-histogram", "loss-contour"])
def test_panels_that_are_compared_share_their_ranges(name: str) -> None:
    layout = FIGURES[name](made_up.a_run(60), View())["layout"]
    axes = {key: axis for key, axis in layout.items() if re.fullmatch(r"[xy]axis\d+", key)}
    assert axes
    for key, axis in axes.items():
        first = layout[key.rstrip("0123456789")]
        assert axis["matches"] == key[0]
        assert axis["autorangeoptions"] == first["autorangeoptions"]


def test_a_name_longer_than_most_has_room_at_the_end_of_its_line() -> None:
    usual, wide = (
        FIGURES["accuracy"](made_up.a_run(60, competitors=competitors), View())["layout"]["margin"]["r"]
        for competitors in (TWINS, (*TWINS, DROPOUT, ORTHOGONAL))
    )
    assert len(ORTHOGONAL.label) == 17
    assert wide - usual >= 6 * (17 - len("without BN  "))  # px a character, of the size of a name


@pytest.mark.parametrize("name", ["density", "loss-contour"])
def test_maps_share_one_colour_axis(name: str) -> None:
    spec = FIGURES[name](made_up.a_run(60), View())
    maps = [trace for trace in spec["data"] if trace["type"] in ("heatmap", "contour")]
    assert len(maps) == 2
    assert {trace["coloraxis"] for trace in maps} == {"coloraxis"}
    assert spec["layout"]["coloraxis"]["cmin"] < spec["layout"]["coloraxis"]["cmax"]


@pytest.mark.parametrize("name", NAMES)
def test_the_zoom_is_kept_within_a_generation_and_no_longer(name: str) -> None:
    run = made_up.a_run(30)
    longer = made_up.a_run(60)
    restarted = run.replace(status=replace(run.status, generation=1))
    revision = FIGURES[name](run, View())["layout"]["uirevision"]
    assert FIGURES[name](longer, View())["layout"]["uirevision"] == revision
    assert FIGURES[name](restarted, View())["layout"]["uirevision"] != revision
    # Plotly keeps a zoom only while the range it is given does not change: none may be given.
    axes = [axis for key, axis in FIGURES[name](run, View())["layout"].items() if re.fullmatch(r"[xy]axis\d*", key)]
    assert not any("range" in axis for axis in axes)


@pytest.mark.parametrize("name", NAMES)
def test_swapping_the_networks_swaps_what_is_said(name: str) -> None:
    """Labels follow the data: nothing is written for one network in particular."""
    run = made_up.a_run(60)
    history = replace(run.history, competitors=(BN, PLAIN))
    finding = FIGURES[name](run, View())["layout"]["meta"]["finding"]
    swapped = FIGURES[name](run.replace(history=history), View())["layout"]["meta"]["finding"]
    assert numbers(finding) == numbers(swapped)
    assert finding != swapped
    assert said_of(finding, "without BN") == said_of(swapped, "with BN")


def numbers(text: str) -> list[str]:
    return re.findall(r"[−\d.,]*\d", text)


def said_of(finding: str, label: str) -> str:
    """The number that stands nearest before a name, in whichever form the name has there."""
    short = {"with BN": "with (?:BN|it)", "without BN": "without"}[label]
    return re.findall(rf"([\d.]+)[^\d]*? {short}\b", finding)[0]


def test_a_third_competitor_is_drawn_with_a_role_of_its_own() -> None:
    noisy = Competitor("noisy", "noisy BN", Normalization.BATCH)
    run = made_up.a_run(30, competitors=(*TWINS, noisy), has_gradients=False, has_contour=False)
    for name in ("accuracy", "loss", "drift-bands", "density", "drift-distance", "health"):
        spec = FIGURES[name](run, View())
        go.Figure(resolve(spec))
        assert "@noisy" in json.dumps(without_arrays(spec)) or name == "density"
    assert "noisy BN" in sentence(run, View())


LINEUPS = [
    (LAYER, GROUP),
    (BN, WEIGHT),
    (PLAIN, BN, LAYER),
    (PLAIN, RENORM, DECORRELATED),
    (PLAIN, BN, LAYER, GROUP),
    (WEIGHT, RENORM, DECORRELATED, NOISY),
]


@pytest.mark.parametrize("competitors", LINEUPS, ids=lambda some: "-".join(one.name for one in some))
@pytest.mark.parametrize("has_stopped", [False, True])
def test_every_chart_draws_any_two_to_four_networks(competitors: Any, has_stopped: bool) -> None:
    health = ((made_up.diverged(500),) if has_stopped else (Health(),)) + (Health(),) * (len(competitors) - 1)
    for points in (0, 60):
        run = made_up.a_run(
            points,
            competitors=competitors,
            health=health,
            stopped_at=20 if has_stopped and points else None,
            has_shift=True,
            has_landscape=True,
            has_gradients=points > 0,
            has_contour=points > 0,
        )
        for name, figure in FIGURES.items():
            spec = figure(run, View())
            go.Figure(resolve(spec))
            text = json.dumps(without_arrays(spec), allow_nan=False)
            if points and name in ("accuracy", "loss", "drift-distance"):
                assert all(f"@{one.name}" in text for one in competitors), name
        said = sentence(run, View())
        assert set(re.findall(r"\{(\w+)\}", said)) <= {one.name for one in competitors}
        assert "BN" in {one.label for one in competitors} or "one has BN" not in said


def test_each_network_has_a_symbol_and_a_colour_that_no_other_has() -> None:
    everybody = COMPETITORS.values()
    assert len({symbol_of(one) for one in everybody}) == len({swatch_of(one) for one in everybody}) == len(everybody)
    for theme in ("light", "dark"):
        assert len({tokens()[theme][one.name] for one in everybody}) == len(everybody)
        for one in everybody:
            assert contrast(tokens()[theme][one.name], tokens()[theme]["page"]) >= 3, (theme, one.name)


# Linear sRGB as it looks without the cones for long and for middle wavelengths: Machado et al. 2009, severity 1.
COLOUR_VISIONS = {
    "normal": np.eye(3),
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
}


@pytest.mark.parametrize("vision", COLOUR_VISIONS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_of_networks_differ_for_colour_blind_eyes_too(theme: str, vision: str) -> None:
    """Distances in OKLab; 0.02 is about the least that is seen side by side."""
    seen = {
        one.name: oklab(np.array(COLOUR_VISIONS[vision]) @ channels(tokens()[theme][one.name]))
        for one in COMPETITORS.values()
    }
    pairs = [(a, b) for a in seen for b in seen if a < b]
    assert min(float(np.linalg.norm(seen[a] - seen[b])) for a, b in pairs) > 0.045
    usual = ("plain", "bn", "layer", "group")
    assert min(float(np.linalg.norm(seen[a] - seen[b])) for a, b in pairs if {a, b} <= set(usual)) > 0.1


def channels(colour: str) -> Any:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(linear: Any) -> Any:
    to_cones = [[0.41222, 0.53633, 0.05145], [0.2119, 0.68070, 0.10740], [0.0883, 0.28172, 0.62998]]
    to_lab = [[0.21045, 0.79362, -0.00407], [1.978, -2.42859, 0.45059], [0.0259, 0.78277, -0.80868]]
    return np.array(to_lab) @ np.cbrt(np.array(to_cones) @ np.clip(linear, 0, 1))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_twins_reach_three_to_one_against_the_page_and_text_reaches_four_and_a_half(theme: str) -> None:
    colours = tokens()[theme]
    for role in ("plain", "bn", "noisy", "green", "orange"):
        assert contrast(colours[role], colours["page"]) >= 3
    for role in ("text", "muted"):
        assert contrast(colours[role], colours["page"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG 2.1 contrast ratio of two #RRGGBB colours."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_roles_resolve_with_opacity_inside_texts_and_as_a_scale() -> None:
    spec = {"a": "@bn", "b": ["@bn/0.16"], "c": '<span style="color:@plain">■</span> x', "d": "@sequential"}
    resolved = resolve(spec, "light")
    assert resolved["a"] == "#0072B2"
    assert resolved["b"] == ["rgba(0, 114, 178, 0.16)"]
    assert resolved["c"] == '<span style="color:#D55E00">■</span> x'
    assert resolved["d"][0] == [0.0, "#FFFFFF"]
    assert resolved["d"][-1] == [1.0, "#383243"]
    with pytest.raises(KeyError, match="unheard"):
        resolve({"a": "@unheard"})


def test_the_fine_ramp_passes_through_the_colours_of_the_scale() -> None:
    light = tokens()["light"]
    assert light["ramp0"] == light["sequential"][0]
    assert light["ramp16"] == light["sequential"][-1]
    red = [int(light[f"ramp{stop}"][1:3], 16) for stop in range(17)]
    assert red == sorted(red, reverse=True)


def test_a_chart_is_saved_as_one_file_with_its_title_and_finding(tmp_path: Any) -> None:
    run = made_up.a_run(20)
    spec = FIGURES["accuracy"](run, View())
    to_html(spec, tmp_path / "accuracy.html")
    text = (tmp_path / "accuracy.html").read_text(encoding="utf-8")
    assert "Test accuracy" in text
    assert "plotly.js v" in text
    assert 'src="http' not in text
    assert "@bn" not in text[text.rindex("Plotly.newPlot") :]


def test_what_six_charts_cost(capsys: pytest.CaptureFixture[str]) -> None:
    """Printed, not asserted: machines differ."""
    run = made_up.a_run(500, interventions=(LEARNING_RATE,), has_ghost=True)
    six = ("accuracy", "loss", "drift-bands", "density", "drift-distance", "health")
    costs = {}
    for name in six:
        FIGURES[name](run, View())
        began = time.perf_counter()
        for _ in range(5):
            FIGURES[name](run, View())
        costs[name] = 1000 * (time.perf_counter() - began) / 5
    with capsys.disabled():
        print(f"\n  {sum(costs.values()):.1f} ms: " + ", ".join(f"{name} {cost:.2f}" for name, cost in costs.items()))
