"""The script that Streamlit runs, alone in its folder.

Beside a folder ``pages`` Streamlit would take the files in it for scripts of its own until ``st.navigation`` is called
for the first time: a link to a page would then fail on a server that has just started.
"""
