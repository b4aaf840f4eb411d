from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from launching import Place


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)
