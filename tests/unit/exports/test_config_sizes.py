"""What a client loads of one experiment and one flag stays small (mission row M49: 5 KB and 1 KB)."""

from __future__ import annotations

import json

import pytest
from tests.definitions import NOW, PROJECT, experiment, flag

from fairsplit.assignment_exports.allocation import allocation_of
from fairsplit.assignment_exports.families import FAMILIES

KILOBYTE = 1_024


def size(configs: object) -> int:
    return len(json.dumps(configs, separators=(",", ":")).encode())


@pytest.mark.parametrize("sdk", sorted(FAMILIES))
def test_m49_an_experiment_costs_at_most_five_kilobytes_and_a_flag_one(sdk):
    one = experiment("checkout_cta", sdk=sdk)
    compiled = FAMILIES[sdk].compile(allocation_of(one, PROJECT, {}), NOW, "")
    assert 0 < size(compiled) <= 5 * KILOBYTE
    plain = flag("wallet", sdk=sdk)
    assert 0 < size(FAMILIES[sdk].compile_flag(plain, {"wallet": plain}, {}, NOW, "")) <= KILOBYTE
