"""Values of every type, with the corners of each, and the names of their types."""

TEXTS = [
    "", " ", "plain words", 'say "hi"', "it's", "a\nb", "a\r\nb", "tab\there", "back\\slash", "{}", "[1, 2]", '{"k": 1}', "{{ x }}",
    "100%", "Grüße 中文 🦜", "<b>bold</b>", "1", "1.5", "-3", "true", "null", "a,b;c", "#h\n- i", "x" * 300, "null byte?", "a&b=c d",
]
NUMBERS = [0, 1, -1, 2, 7, 10, 1000000, 3.5, -0.25, 0.1, 1e6, 12345678901, 100.0]
BOOLEANS = [True, False]
OBJECTS = [
    {}, {"k": 1}, {"name": "Ada", "tags": ["a", "b"], "deep": {"n": None, "t": True}}, {"ü": "中文", "q": 'a "b"'},
    {"n": 1.5, "list": [1, [2, {"x": 3}]]},
]
LISTS = {
    "array[string]": [[], ["a"], ["a", "b", "c"], ["", "ü", 'q"'], ["a", "a"], ["10", "9"]],
    "array[number]": [[], [1], [1, 2, 3], [1.5, 2], [0], [3, 1, 2]],
    "array[object]": [[], [{"k": 1}], [{"k": 1}, {"k": 2}], [{"name": "Ada", "n": None}]],
    "array[boolean]": [[], [True], [True, False]],
}
SCALARS = {"string": TEXTS, "number": NUMBERS, "boolean": BOOLEANS, "object": OBJECTS}
TYPES = {**SCALARS, **LISTS}


def value(rng, kind):
    return rng.choice(TYPES[kind])
