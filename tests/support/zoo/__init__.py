"""Tiny random models of many families and module stacks, made in code when asked for."""

from tests.support.zoo.families import FAMILIES
from tests.support.zoo.refused import REFUSED
from tests.support.zoo.stacks import STACKS

ZOO = {**FAMILIES, **STACKS}

__all__ = ["FAMILIES", "REFUSED", "STACKS", "ZOO"]
