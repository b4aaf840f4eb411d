"""The budgets of projects in the configuration: amounts for each UTC month."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from meter import budgets, currencies, reserved
from meter.config import ProjectBudget
from meter.errors import UsageError
from meter.settings_values import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meter.settings_values import Values

_NAME = "budgets"
_KEY = "month"
_EXAMPLE = 'write for example month = ["500EUR", "200kWh"]'


def project_budgets(values: Values) -> tuple[ProjectBudget, ...]:
    """Every project's budgets; one that is wrong is left out whole. Raises ConfigError."""
    found = values.get(_NAME)
    if found is None:
        return ()
    if not isinstance(found, dict):
        raise values.wrong(_NAME, "must be a table", f"write [budgets.PROJECT] and {_EXAMPLE}")
    nothing: tuple[ProjectBudget, ...] = ()
    return tuple(
        budget
        for project, table in found.items()
        for budget in values.tried(partial(_of_project, values, project, table), nothing)
    )


def known_names(found: object) -> list[str]:
    """The tables of projects, whose names are the user's own."""
    return [f"{_NAME}.{project}" for project in found] if isinstance(found, dict) else []


def _of_project(values: Values, project: str, table: object) -> tuple[ProjectBudget, ...]:
    name = f"{_NAME}.{project}"
    try:
        reserved.check_label("the project's name", project)
    except UsageError as error:
        raise values.wrong(name, f"cannot be: {error.message}", error.remedy) from None
    if not isinstance(table, dict) or set(table) != {_KEY}:
        raise values.wrong(name, f"must have {_KEY!r}, and nothing else", _EXAMPLE)
    texts = table[_KEY]
    if not isinstance(texts, list) or not texts:
        raise values.wrong(f"{name}.{_KEY}", f"must be a list, not {shown(texts)}", _EXAMPLE)
    made = tuple(_budgets(values, project, texts))
    if len({budget.unit for budget in made}) < len(made):
        raise values.wrong(f"{name}.{_KEY}", "has two budgets of one unit", "give one of each unit")
    return made


def _budgets(values: Values, project: str, texts: list[object]) -> Iterator[ProjectBudget]:
    name = f"{_NAME}.{project}.{_KEY}"
    for text in texts:
        if not isinstance(text, str):
            raise values.wrong(name, f"must have amounts in quotes, not {shown(text)}", _EXAMPLE)
        try:
            amount, unit = budgets.parse("the budget", text)
            if budgets.is_money(unit):
                currencies.require("the budget", unit)
        except UsageError as error:
            raise values.wrong(name, f"is wrong: {error.message}", error.remedy) from None
        yield ProjectBudget(project, amount, unit)
