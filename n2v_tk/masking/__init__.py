"""Blind spots: where pixels are hidden and what stands in their place.

`coordinates` chooses the pixels, `manipulators` the values, `structn2v` hides their neighbours,
`masker` puts the three together for a batch.
"""
