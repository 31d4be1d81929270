"""Only `jobs/ending.py` writes the end of a job; the source of every module is searched for others."""

import ast
from pathlib import Path

import darkroom

ROOT = Path(darkroom.__path__[0])


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def writes(tree: ast.AST) -> list[str]:
    """The calls that build or apply a transition, as `Transition <status in the source>` or `apply`."""
    found = []
    for call in calls(tree):
        if isinstance(call.func, ast.Name) and call.func.id == "Transition":
            found.append(f"Transition {ast.unparse(call.args[0])}")
        if isinstance(call.func, ast.Attribute) and call.func.attr == "apply":
            found.append("apply")
    return found


def test_only_ending_writes_ends_and_only_the_dispatcher_writes_in_progress() -> None:
    modules = {str(path.relative_to(ROOT)): writes(ast.parse(path.read_text())) for path in ROOT.rglob("*.py")}
    assert {name: found for name, found in modules.items() if found} == {
        "jobs/ending.py": ["Transition target", "apply"],
        "jobs/dispatcher.py": ["Transition IN_PROGRESS", "apply"],
    }


def test_another_writer_is_found() -> None:
    assert writes(ast.parse("store.apply(job_id, Transition(FAIL, 'caller'))")) == ["apply", "Transition FAIL"]
