"""The lab page under AppTest: its heading, its controls, and what its commands do to a real run."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import BY_NAME, NOISE_SETTINGS, SETTINGS, Architecture, Network, Nonlinearity, Settings
from bnviz.records import Run
from bnviz.runs.engine import Engine
from bnviz.ui.presets import PRESETS
from bnviz.ui.texts import title_and_body

ROOT = Path(__file__).resolve().parents[2]
# Shown only where there is a choice, and a network that they matter to.
HIDDEN = {"device", "dropout", "groups", "r_max", "d_max", *NOISE_SETTINGS}


@pytest.fixture
def lab(engine: Engine) -> AppTest:
    return opened()


def opened(**query: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def control(page: AppTest, label: str):
    kinds = (
        page.select_slider,
        page.slider,
        page.selectbox,
        page.multiselect,
        page.number_input,
        page.button,
        page.segmented_control,
    )
    found = [one for kind in kinds for one in kind if one.label == label]
    assert len(found) == 1, f"{label}: {len(found)} controls"
    return found[0]


def test_which_networks_are_compared_is_a_choice_and_their_settings_appear_with_them(
    lab: AppTest, engine: Engine
) -> None:
    chosen = ["none", "group", "renormalization"]
    control(lab, "Compare").set_value(chosen).run()
    assert not lab.exception
    assert [one.name for one in run_of(lab, engine).competitors] == ["plain", "group", "renorm"]
    for name in ("groups", "r_max", "d_max"):
        control(lab, BY_NAME[name].label)
    assert not [one for one in lab.select_slider if one.label == BY_NAME["noise_mean"].label]


def test_the_networks_that_are_compared_are_explained_and_no_others(lab: AppTest) -> None:
    def explained() -> set[str]:
        texts = " ".join(one.value for one in lab.sidebar.markdown)
        return {str(one) for one in Network if f"**{title_and_body(f'network-{one}')[0]}**" in texts}

    assert explained() == {"none", "batch"}
    control(lab, "Compare").set_value(["none", "layer", "weight"]).run()
    assert explained() == {"none", "layer", "weight"}


def test_a_single_network_is_refused_and_nothing_is_lost(lab: AppTest, engine: Engine) -> None:
    control(lab, "+1").click().run()
    before = run_of(lab, engine).run_id
    control(lab, "Compare").set_value(["none"]).run()
    assert not lab.exception
    assert any("2 to 4" in one.value for one in lab.warning)
    assert run_of(lab, engine).run_id == before
    assert [str(one) for one in control(lab, "Compare").value] == ["none", "batch"]


def test_a_batch_too_small_to_whiten_is_refused_in_the_middle_of_a_run_and_the_run_goes_on_as_it_was(
    engine: Engine,
) -> None:
    page = opened(networks="none,decorrelated")
    control(page, "+1").click().run()
    before = run_of(page, engine)
    control(page, "Batch size").set_value(16).run()
    assert not page.exception
    assert any("at least 26" in one.value for one in page.warning)
    after = run_of(page, engine)
    assert (after.run_id, after.settings, after.status.generation) == (
        before.run_id,
        before.settings,
        before.status.generation,
    )


def test_a_link_that_says_which_lineup_is_a_settings_link_still(engine: Engine) -> None:
    page = opened(lineup="noisy")
    assert [str(one) for one in control(page, "Compare").value] == ["none", "batch", "noisy_batch", "noise"]


def test_dropouts_p_is_there_only_where_a_network_has_dropout(engine: Engine) -> None:
    def labels(page: AppTest) -> set[str]:
        return {one.label for one in page.select_slider}

    assert "Dropout p" in labels(opened(networks="none,batch_dropout"))
    page = opened(networks="none,batch,lsuv")
    assert "Dropout p" not in labels(page)
    assert "Training images" in labels(page)


def run_of(page: AppTest, engine: Engine) -> Run:
    return engine.hub.get(page.session_state.run_id)


def eventually(claim: Callable[[], bool], seconds: float = 60.0) -> None:
    """A command returns before the worker has answered where that takes long; what comes of it is then in the hub."""
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_page_has_its_heading_and_every_control(lab: AppTest) -> None:
    assert [title.value for title in lab.title] == ["Live lab"]
    for label in ("Play", "+1", "+10", "+100", "Reset", "New seed", "Share", "Present", "Speed", "Presets", "Unit"):
        control(lab, label)
    for setting in SETTINGS:
        if setting.name not in HIDDEN:
            label = "Initial scale σ" if setting.name == "init_scale" else setting.label
            control(lab, label)
    assert not lab.warning
    assert not lab.error


def test_opening_the_page_starts_no_run(lab: AppTest, engine: Engine) -> None:
    assert lab.session_state.run_id is None


def test_play_starts_a_run_and_pause_holds_it(lab: AppTest, engine: Engine) -> None:
    control(lab, "Play").click().run()
    assert run_of(lab, engine).settings == Settings()
    control(lab, "Pause").click().run()
    control(lab, "Play")


def test_a_live_control_changes_the_run_without_restarting_it(lab: AppTest, engine: Engine) -> None:
    control(lab, "+10").click().run()
    generation = run_of(lab, engine).status.generation
    control(lab, "Learning rate").set_value(1.0).run()
    eventually(lambda: run_of(lab, engine).settings.hyper.learning_rate == 1.0)
    assert run_of(lab, engine).status.generation == generation
    assert control(lab, "Learning rate").value == 1.0


def test_a_restart_control_restarts_from_the_same_seed(lab: AppTest, engine: Engine) -> None:
    control(lab, "+10").click().run()
    generation = run_of(lab, engine).status.generation
    control(lab, "Nonlinearity").set_value(Nonlinearity.RELU).run()
    eventually(lambda: run_of(lab, engine).settings.model.nonlinearity is Nonlinearity.RELU)
    run = run_of(lab, engine)
    assert run.settings.model.seed == Settings().model.seed
    assert run.status.generation > generation


def test_a_convolutional_network_takes_its_own_sizes_and_gives_them_back(lab: AppTest, engine: Engine) -> None:
    control(lab, "Architecture").set_value(Architecture.CONVOLUTIONAL).run()
    eventually(lambda: run_of(lab, engine).settings.model.is_convolutional)
    model = run_of(lab, engine).settings.model
    assert (model.hidden_layers, model.width) == (2, 16)
    assert control(lab, "Feature maps").value == 16
    assert control(lab, "Feature map").options[0] == "0"  # the one whose charts are shown
    assert not [one for one in lab.sidebar.select_slider if one.label in ("Hidden layers", "Width")]
    assert any("28 → 12 → 4" in caption.value for caption in lab.caption)
    assert not lab.warning
    control(lab, "Architecture").set_value(Architecture.FULLY_CONNECTED).run()
    eventually(lambda: not run_of(lab, engine).settings.model.is_convolutional)
    assert (control(lab, "Hidden layers").value, control(lab, "Width").value) == (3, 100)


def test_a_combination_that_costs_too_much_is_refused_with_its_cost_and_nothing_is_lost(
    lab: AppTest, engine: Engine
) -> None:
    control(lab, "+10").click().run()
    control(lab, "Width").set_value(512).run()
    control(lab, "Hidden layers").set_value(20).run()
    assert "MB a checkpoint" in lab.warning[0].value or "ms a step" in lab.warning[0].value
    eventually(lambda: run_of(lab, engine).settings.model.width == 512)
    assert run_of(lab, engine).settings.model.hidden_layers == 3
    assert control(lab, "Hidden layers").value == 3


def test_a_settings_link_reproduces_its_settings_and_starts_nothing(engine: Engine) -> None:
    page = opened(lr="0.37", g="relu", layers="2", seed="7")
    run = run_of(page, engine)
    assert run.settings == Settings().replace(learning_rate=0.37, nonlinearity="relu", hidden_layers=2, seed=7)
    assert run.status.step == 0
    assert control(page, "Learning rate").value == 0.37
    control(page, "Play")


def test_a_bad_value_in_a_link_is_named_and_the_default_stands(engine: Engine) -> None:
    page = opened(lr="99", layers="2")
    assert "lr=99" in page.warning[0].value
    assert control(page, "Learning rate").value == BY_NAME["learning_rate"].check(0.5)


def test_an_unknown_run_in_a_link_is_a_notice_and_the_lab_still_works(engine: Engine) -> None:
    page = opened(run="no-such-run")
    assert page.warning
    control(page, "Play").click().run()
    assert run_of(page, engine).settings == Settings()


def test_whoever_has_the_link_watches_and_only_the_owner_steers(lab: AppTest, engine: Engine) -> None:
    control(lab, "+1").click().run()
    watcher = opened(run=lab.session_state.run_id)
    assert control(watcher, "Learning rate").disabled
    assert control(watcher, "Play").disabled
    control(watcher, "Start my own").click().run()
    assert watcher.session_state.run_id != lab.session_state.run_id
    assert not control(watcher, "Learning rate").disabled


@pytest.mark.parametrize("label", ["Share"])
def test_a_dialog_opens_without_an_error(lab: AppTest, label: str) -> None:
    control(lab, label).click().run()
    assert not lab.exception
    assert not lab.error


def test_a_preset_is_applied_and_says_what_it_shows_until_a_setting_leaves_it(lab: AppTest) -> None:
    def says(text: str) -> bool:
        return any(text in caption.value for caption in lab.caption)

    assert control(lab, "Presets").value.label == "The paper's experiment"
    assert says("section 4.1")
    control(lab, "Presets").select(PRESETS[3]).run()
    assert lab.session_state.settings == PRESETS[3].settings
    assert says("BN hardly matters")
    control(lab, "Learning rate").set_value(0.2).run()
    assert control(lab, "Presets").value is None
    assert not says("BN hardly matters")
    assert not lab.exception
