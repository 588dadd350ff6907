"""The page inside BN under AppTest: its controls, examples and links, and what they ask of the engine."""

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.config import AnatomyConfig, Measure
from bnviz.runs.engine import Engine
from bnviz.ui.anatomy import EXAMPLES, FACTORS
from tests.pages.opening import open_page
from tests.pages.test_lab_page import control, eventually, opened

PAGE = "pages/anatomy.py"


def walked(engine: Engine, page: AppTest) -> AnatomyConfig | None:
    """The walk that has been measured on this visitor's run."""
    anatomy = engine.hub.get(page.session_state["run_id"]).anatomy
    return anatomy.config if anatomy is not None and anatomy.done == 1 else None


def stepped(**query: str) -> AppTest:
    """The page with a run of one's own."""
    page = open_page(PAGE, **query)
    control(page, "+10").click().run()
    assert not page.exception
    return page


def test_the_page_has_its_heading_and_every_control(engine: Engine) -> None:
    page = open_page(PAGE)
    assert [title.value for title in page.title] == ["Inside Batch Normalization"]
    labels = ("BN layer", "Unit", "γ", "β", "Weights times a", "Images in the batch", "Mini-batch", "Running momentum")
    for label in (*labels, "Recover the identity", "Measure now", "Play", "Learning rate"):
        control(page, label)
    assert not page.warning
    assert not page.error


def test_a_run_of_ones_own_walks_the_batch_of_the_link_and_measures_both_accuracies(engine: Engine) -> None:
    page = stepped(alayer="2", aimages="10")
    eventually(lambda: walked(engine, page) == AnatomyConfig(layer=2, images=10))
    orders = engine.orders_of(page.session_state["run_id"])
    assert orders is not None
    assert Measure.BATCH_ACCURACY in orders.measures


def test_a_bad_value_in_the_link_falls_back_with_a_notice_that_names_it(engine: Engine) -> None:
    page = open_page(PAGE, aimages="1", amomentum="7")
    assert any("aimages=1" in warning.value and "amomentum=7" in warning.value for warning in page.warning)


def test_every_example_is_another_walk_and_says_what_to_look_for(engine: Engine) -> None:
    page = stepped()
    assert len({example.config for example in EXAMPLES}) == len(EXAMPLES)
    for example in EXAMPLES:
        control(page, example.chip).click().run()
        assert not page.exception
        assert any(example.sentence in caption.value for caption in page.caption)
    eventually(lambda: walked(engine, page) == EXAMPLES[-1].config)


def test_the_button_recovers_the_identity_of_the_unit_that_is_looked_at(engine: Engine) -> None:
    page = open_page(PAGE)  # the recorded walk
    control(page, "Unit").set_value(3).run()
    control(page, "Recover the identity").click().run()
    anatomy = engine.hub.get("recorded-lab").anatomy
    assert anatomy is not None
    place = anatomy.units.tolist().index(3)
    assert page.session_state.view.beta == pytest.approx(anatomy.mean[place])
    assert page.session_state.view.gamma == pytest.approx((anatomy.variance[place] + anatomy.eps) ** 0.5)


def test_a_layer_that_the_network_lacks_is_shown_as_its_last_one(engine: Engine) -> None:
    page = stepped(alayer="9")
    assert control(page, "BN layer").value == 3


def test_layer_images_batch_and_momentum_are_chosen_each_by_its_own_control_and_stand_in_the_address(
    engine: Engine,
) -> None:
    page = stepped()
    for label, value in (("BN layer", 2), ("Images in the batch", 10), ("Mini-batch", 4), ("Running momentum", 0.5)):
        control(page, label).set_value(value).run()
        assert not page.exception
    eventually(lambda: walked(engine, page) == AnatomyConfig(layer=2, images=10, batch=4, momentum=0.5))
    said = {key: "".join(page.query_params[key]) for key in ("alayer", "aimages", "abatch", "amomentum")}
    assert said == {"alayer": "2", "aimages": "10", "abatch": "4", "amomentum": "0.5"}


def test_gamma_beta_and_a_are_kept_in_the_view_each_by_its_own_slider(engine: Engine) -> None:
    page = open_page(PAGE)
    control(page, "γ").set_value(0.5).run()
    control(page, "β").set_value(-0.5).run()
    control(page, "Weights times a").set_value(FACTORS[15]).run()
    view = page.session_state.view
    assert (view.gamma, view.beta, view.weight_factor) == (pytest.approx(0.5), pytest.approx(-0.5), FACTORS[15])
    assert control(page, "Weights times a").value == FACTORS[15]
    assert control(page, "γ").value == pytest.approx(0.5)


def test_measure_now_asks_for_the_walk_that_is_chosen(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    page = stepped(aimages="10")
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(engine, "measure_anatomy", lambda *given: asked.append(given))
    control(page, "Measure now").click().run()
    state = page.session_state
    assert (state.run_id, state.owner, AnatomyConfig(images=10)) in asked


def test_a_chip_restarts_the_run_with_the_convolutional_network_and_walks_a_feature_map(engine: Engine) -> None:
    page = stepped()
    control(page, "Convolutional").click().run()
    assert not page.exception
    control(page, "+1").click().run()
    eventually(lambda: engine.hub.get(page.session_state["run_id"]).settings.model.is_convolutional)
    eventually(lambda: walked(engine, page) == AnatomyConfig(), 120.0)


def test_who_watches_asks_for_no_walk_and_changes_none(engine: Engine) -> None:
    owners = stepped()
    watchers = opened(run=owners.session_state.run_id)
    watchers.switch_page(PAGE)
    watchers.query_params["run"] = owners.session_state.run_id
    watchers.query_params["aimages"] = "10"  # another walk than the owner's
    watchers.run()
    assert not watchers.warning  # a walk that is asked for would be refused with one
    for label in ("BN layer", "Images in the batch", "Mini-batch", "Running momentum", "Measure now"):
        assert control(watchers, label).disabled
    assert not control(watchers, "Unit").disabled  # that is the watcher's own view
