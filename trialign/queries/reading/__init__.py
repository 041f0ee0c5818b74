"""Reading a reply in words: what it says, in which notation and language it may say it.

A reply is cleaned of what is not said (`cleaning`), cut into tokens (`tokens`) and clauses (`clauses`), and read where
it has one of the forms that leave no doubt (`sure`, `ordinary`). `choice`, `numeric` and `free` find the places where
it names answers.
"""
