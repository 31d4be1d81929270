"""docs/threat-model.md names a test for each measure, and all these tests exist."""

import ast
import re

from local.home import ROOT

TEXT = (ROOT / "docs" / "threat-model.md").read_text()
NAMED = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", TEXT)


def test_every_named_test_exists() -> None:
    assert len(NAMED) > 30
    for file, name in NAMED:
        tree = ast.parse((ROOT / file).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file}::{name}"


def test_every_attack_has_a_measure_and_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| attack"))]
    attacks = [row for row in rows if row.count("|") == 4]
    assert len(attacks) > 25
    for row in attacks:
        _, attack, measure, tests, _ = (cell.strip() for cell in row.split("|"))
        assert attack
        assert measure
        assert re.fullmatch(r"(`tests/\S+::test_\w+`(, )?)+", tests), row
