"""Reading a reply in words: what it says, in which notation and language it may say it.

A reply is cleaned of what is not said (`cleaning`), cut into tokens (`tokens`) and clauses, and each place where it
names an answer is judged by its clause (`judging`): a conclusion, a statement, a guess, a mention, a denial. `choice`,
`numeric` and `free` find the places and decide.
"""
