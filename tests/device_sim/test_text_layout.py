"""The first line tells the columns."""

import pytest

from device_sim.contract.errors import ContractError
from device_sim.recording import ReadAs
from device_sim.text_layout import Layout, layout_of, row_of


def layout(first: str, **options: str) -> Layout:
    return layout_of(iter([(1, first)]), ReadAs(**options), name="f")[0]  # type: ignore[arg-type]


def test_a_single_number_is_a_column_without_a_name() -> None:
    found = layout("-12")
    assert (found.lead, found.time_column, found.n_fields) == ("1", None, 1)


@pytest.mark.parametrize(
    ("first", "lead", "seconds_per_time", "units"),
    [
        ("time,ecg", "ecg", 1.0, None),
        ("time_ms;ecg_mv", "ecg_mv", 1e-3, "mV"),
        ("t_us\tII (uV)", "II (uV)", 1e-6, "uV"),
        ("ecg,time (s)", "ecg", 1.0, None),
        ("'sample #','MLII'", "MLII", None, None),
        ("I", "I", None, None),
        ("V1 [µV]", "V1 [µV]", None, "uV"),
    ],
)
def test_headers_of_the_world(
    first: str, lead: str, seconds_per_time: float | None, units: str | None
) -> None:
    found = layout(first)
    assert (found.lead, found.seconds_per_time, found.units) == (lead, seconds_per_time, units)


def test_several_leads_need_one_named() -> None:
    with pytest.raises(ContractError, match="f: expected one lead, got 2: I, II; say --lead NAME"):
        layout("t,I,II")
    assert layout("t,I,II", lead="II").lead_column == 2


def test_columns_without_a_header_are_numbered() -> None:
    with pytest.raises(ContractError, match="expected one lead, got 3: 1, 2, 3"):
        layout("1,2,3")
    assert layout("1,2,3", lead="2").lead_column == 1


def test_names_beside_numbers_are_no_header() -> None:
    with pytest.raises(ContractError, match="f:1: expected names or numbers, got both: 'ecg,12'"):
        layout("ecg,12")


def test_a_comma_is_a_point_where_semicolons_part() -> None:
    found = layout("1,5;2,5", lead="2")
    assert row_of((1, "1,5;2,5"), found, name="f").value == 2.5


def test_a_row_with_another_number_of_fields_is_refused() -> None:
    with pytest.raises(ContractError, match="f:9: expected 2 fields, got 1: '5'"):
        row_of((9, "5"), layout("t,ecg"), name="f")


def test_a_long_line_is_shown_in_part() -> None:
    with pytest.raises(ContractError, match=r"f:2: expected a number, got 'x{40}\.\.'"):
        row_of((2, "x" * 5000), layout("ecg"), name="f")
