"""Controls, page frame, explanations and exports: the Streamlit side of a page."""
