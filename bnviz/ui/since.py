"""What was said since 2015, as a timeline, and corrections to common retellings."""

from bnviz.ui.explain import say


def show_since() -> None:
    say("since-scope")
