"""The claims of the paper's introduction, each beside what the recordings here say of it."""

from bnviz.ui.explain import say


def show_claims() -> None:
    say("claims")
