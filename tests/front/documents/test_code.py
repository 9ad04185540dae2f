"""DocumentSource code: cut at definitions, with its indentation."""

from __future__ import annotations

from tests.front.documents.reading import told

PYTHON = '''"""Module."""
import os

LIMIT = 3


# Says hello.
@decorated
def hello(name: str) -> str:
    return f"hello {name}"


class Small:
    def method(self) -> None:
        pass


if __name__ == "__main__":
    hello("you")
'''


def test_python() -> None:
    """Functions and small classes are whole, with comments and decorators; the rest is between them."""
    found = told(PYTHON, "a.py")
    assert [(block.text.split("\n")[0], block.stands_alone) for block in found.blocks] == [
        ('"""Module."""', False),
        ("# Says hello.", True),
        ("class Small:", True),
        ('if __name__ == "__main__":', False),
    ]
    assert found.texts[1].endswith('\n    return f"hello {name}"')


def test_large_class() -> None:
    """A large class is cut at its methods, which keep their indentation and know their class."""
    methods = "".join(f"    def m{number}(self):\n        return {'1 + ' * 100}1\n\n" for number in range(9))
    found = told(f"class Big(Base):\n    x = 1\n\n{methods}", "a.py")
    assert found.texts[0] == "class Big(Base):\n    x = 1"
    assert [block.text[:10] for block in found.blocks[1:]] == [f"    def m{number}" for number in range(9)]
    assert {block.heading for block in found.blocks} == {("class Big",)}


def test_broken_python() -> None:
    """Python that does not parse is cut by its lines."""
    found = told("def a(:\n    pass\n\ndef b():\n    print 'x'\n", "a.py")
    assert found.texts == ["def a(:\n    pass", "def b():\n    print 'x'"]
    assert told("x = " + "(" * 500 + ")" * 500, "a.py").texts
    assert told("x = " + "-" * 100_000 + "1", "a.py").texts


def test_other_languages() -> None:
    """Definitions at the margin begin a block; braces, comments and attributes stay with theirs."""
    rust = (
        "use std::io;\n\n/// Adds.\n#[inline]\npub fn add(a: u8) -> u8 {\n    let b = 1;\n\n    a + b\n}\n\n"
        "struct P {\n    x: u8,\n}\n"
    )
    found = told(rust, "a.rs")
    assert found.texts == [
        "use std::io;",
        "/// Adds.\n#[inline]\npub fn add(a: u8) -> u8 {\n    let b = 1;\n\n    a + b\n}",
        "struct P {\n    x: u8,\n}",
    ]
    assert [block.stands_alone for block in found.blocks] == [False, True, True]
    script = "const x = 1;\nfunction go() {\n  return x;\n}\nfunction stop() {\n}\n"
    assert told(script, "a.js").texts == ["const x = 1;", "function go() {\n  return x;\n}", "function stop() {\n}"]
    ruby = "class A\n  def b\n    1\n  end\nend\n"
    assert told(ruby, "a.rb").texts == [ruby.rstrip()]
    c = "int\nmain(void)\n{\n    return 0;\n}\n"
    assert told(c, "a.c").texts == [c.rstrip()]
