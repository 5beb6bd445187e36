"""Coverage-guided fuzzing of what reads files from strangers.

``python -m fuzz TARGET --seconds N`` (extra ``n2v_tk[fuzz]``). A target takes bytes for a file; an
error of `n2v_tk.errors` may come out of it, and nothing else: no other exception, no hang, no more
than two gigabytes of memory.
"""
