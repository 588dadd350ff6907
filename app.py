"""Page set-up and navigation, and the ASGI app around it.

Streamlit runs this file as a script for every visitor (`__name__ == "__main__"`); the server imports it once, as the
module that holds `app`.
"""

import streamlit as st

if __name__ == "__main__":
    # Before anything else: until the first call of st.navigation Streamlit lists pages/ by itself.
    page = st.navigation(
        [
            st.Page("pages/lab.py", title="Live lab", default=True),
            st.Page("pages/paper.py", title="The paper"),
            st.Page("pages/anatomy.py", title="Inside BN"),
            st.Page("pages/gradients.py", title="Gradients"),
            st.Page("pages/shift.py", title="Covariate shift"),
            st.Page("pages/landscape.py", title="Loss landscape"),
            st.Page("pages/limits.py", title="Where BN fails"),
            st.Page("pages/whitening.py", title="Whitening"),
            st.Page("pages/sweeps.py", title="Sweeps"),
            st.Page("pages/runs.py", title="My runs"),
        ],
        position="top",
    )
    st.set_page_config(
        page_title="bnviz: Batch Normalization, live",
        page_icon="assets/icon.svg",
        layout="wide",
        initial_sidebar_state=272,
    )
    st.logo("assets/logo.svg", size="large")
    page.run()
else:
    from bnviz.live.middleware import middleware
    from bnviz.live.routes import routes
    from bnviz.ui.server import lifespan

    app = st.App(__file__, lifespan=lifespan, routes=routes(), middleware=middleware())
