"""Streamlit dashboard on which people who do not program audit the groups' agents."""
