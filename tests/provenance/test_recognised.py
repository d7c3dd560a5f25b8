"""What identifies somebody by its form, in text: days, names, unique identifiers."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from headct.contracts.untrusted import Unusable
from headct.provenance import days, in_sql, privacy, recognised, said_of_patients, texts

DAYS = st.dates(date(1900, 1, 1), date(2099, 12, 31))
FORMS = (
    "{0:%Y-%m-%d}", "{0:%Y/%m/%d}", "{0:%d.%m.%Y}", "{0.day}.{0.month}.{0.year}", "{0:%m/%d/%Y}",
    "{0:%d-%m-%Y}", "{0.day} {0:%B} {0.year}", "{0:%B} {0.day}, {0.year}", "{0:%d-%b-%Y}", "{0:%d%b%Y}",
    "{0.day}. {0:%B} {0.year}", "{0:%a %b %d 10:15:00 %Y}", "the {0.day}th of {0:%B}, {0.year}",
    "{0.year}年{0.month}月{0.day}日", "{0:%Y-%b-%d}",
    "{0:%Y-%m-%dT10:15:00}", "{0:%G-W%V-%u}",
)  # fmt: skip


@given(
    DAYS,
    st.sampled_from(FORMS),
    st.sampled_from(("", "on ", "(", "scan: ")),
    st.sampled_from(("", ".", ")", ", ")),
)
def test_a_day_is_found_in_each_form_and_known_again(day: date, form: str, before: str, behind: str) -> None:
    text = before + form.format(day) + behind
    either = {day, date(day.year, day.day, day.month) if day.day <= 12 else day}
    assert {found for _, found in days.days_in(text)} & either


@given(DAYS)
def test_digits_alone_are_a_day_only_where_it_is_said(day: date) -> None:
    digits = f"{day:%Y%m%d}"
    assert not list(recognised.in_text(f"{digits} voxels"))
    assert any(value == day.isoformat() for _, value in recognised.in_text(f"PatientBirthDate: {digits}"))
    assert any(value == day.isoformat() for _, value in recognised.in_name(f"scan_{digits}_head.nii.gz"))


NAMES = (
    "Doe^John", "DOE^J", "Doe^J^^Dr", "王^小明", "山田^太郎", "김^철수", "Иванов^Пётр", "Ἀρχ^Ἐλ",
    "שרון^דוד", "علي^حسن", "शर्मा^राज", "ศรีสุข^มาลี", "O'Brien^Mary",
    "Müller-Lüdenscheidt^Erna", "van den Berg^A", "Nguyễn^Văn An",
)  # fmt: skip
ENCODINGS = {
    "王^小明": ("gb18030", "utf-16", "utf-16-be"),
    "山田^太郎": ("iso2022_jp", "utf-16"),
    "김^철수": ("euc_kr", "utf-16"),
    "Иванов^Пётр": ("iso8859_5", "utf-16"),
    "Müller-Lüdenscheidt^Erna": ("latin-1", "utf-16"),
    "שרון^דוד": ("iso8859_8", "utf-16"),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_found_in_all_scripts(name: str) -> None:
    assert recognised.NAME_FOUND in dict(recognised.in_text(f"of {name}, 3 slices"))
    for encoding in ("utf-8", *ENCODINGS.get(name, ())):
        found = [
            what
            for text in texts.texts_in(f"{name}\n".encode(encoding))
            for what, _ in recognised.in_text(text)
        ]
        assert recognised.NAME_FOUND in found, encoding


def test_a_text_of_wide_characters_without_zeros_is_read() -> None:
    text = "患者姓名：李秀英"
    assert text in set(texts.texts_in(text.encode("utf-16")))


MATHEMATICS = (
    "x^2",
    "A^T",
    "mm^3",
    "e^x",
    "10^-3",
    "a^b",
    "σ^2",
    "AB^T",
    "Hr40^3",
    "^[a-z]+$",
    "T-A0100^SRT^Brain",
)


@pytest.mark.parametrize("text", MATHEMATICS)
def test_mathematics_is_no_name(text: str) -> None:
    assert not list(recognised.in_text(text))


@given(st.integers(0, 10**6))
def test_every_uid_that_software_makes_is_found(seed: int) -> None:
    for uid in (generate_uid(entropy_srcs=[str(seed)]), generate_uid(prefix=None, entropy_srcs=[str(seed)])):
        for text in (uid, f"CT.{uid}.dcm", f"({uid})", f"MR{uid}", f'"{uid}"'):
            assert recognised.UID_FOUND in dict(recognised.in_text(text)), text


@given(st.binary(max_size=200_000))
def test_bytes_of_any_kind_are_no_error(data: bytes) -> None:
    for text in texts.texts_in(data):
        list(recognised.in_text(text))


@pytest.mark.parametrize(
    "text",
    [
        "#tool/tables/accf2ee48119",
        "#tool/tables/acc2ee48119",
        "the file was accessed 20261129",
        "for example 2026-11-29",
        "MobileNet 12345678",
        "studies 2022-10-05",
        "visitors 2022-10-05",
    ],
)
def test_a_word_or_digest_that_begins_like_a_label_is_none(text: str) -> None:
    assert not list(said_of_patients.said_in(text))


@pytest.mark.parametrize(
    "text",
    [
        "ACC 12345678",
        "Acc# 2023-004512",
        "ACC12345678",
        "exam: 2026-11-29",
        "Examination of 2026-11-29",
        "Visit 2 2026-11-29",
    ],
)
def test_such_a_label_is_one_where_its_word_ends(text: str) -> None:
    assert list(said_of_patients.said_in(text))


PATHS = (
    "{}_CT.nii.gz", "reading /data/in/{}/IM0003", "C:\\PACS\\{}\\mask.nii.gz", '{{"image": "raw/{}/ct.mha"}}',
    "path,dice\n/mnt/ris/{}/ct.nii.gz,0.8", '<img src="img/{}_ax.png"/>', "cp 20190806_{}.dcm /out",
    "\\\\pacs\\spool\\{}\\0001.ima", "img_{}_0034.nrrd",
)  # fmt: skip
PEOPLE = (
    "Marchand_Genevieve", "DOE_JANE", "McGillivray_Euan", "O'Brien_Mary", "Meier-Kunz_Eva", "Novák_Petr",
    "Сидоров_Иван", "Κωνσταντίνου_Ελένη", "王小明", "佐々木健一", "박서연", "PAT30918827",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", PEOPLE)
def test_names_are_found_wherever_a_path_stands(name: str, path: str) -> None:
    assert recognised.PATH_FOUND in dict(recognised.in_text(path.format(name)))
    assert recognised.NAMED in dict(recognised.in_name(f"export/{name}_CT/overlay.svg"))


@pytest.mark.parametrize(
    "path",
    [
        "nnUNet_raw/Dataset501_Brain/imagesTr/case_0001_0000.nii.gz", "/data/Task_Results/dice.csv",
        "Supplementary_Figure_2.png", "README_FIRST.txt", "MNI152_T1_1mm.nii.gz", "docs/Getting_Started.md",
        "nnUNetTrainer__nnUNetPlans__3d_fullres/fold_0/checkpoint_final.pth", "Bland-Altman_Plot.png",
        "C:\\Program Files\\Common Files\\reader.dll", "/usr/share/zoneinfo/America/New_York",
        '"$SUBJECTS_DIR/bert/mri"', "金标准/白质.nii.gz", "训练集/图像001.nii.gz", "학습/이미지001.png",
        "Auto3DSeg_Report.html", "/scratch/CUDA_CACHE/kernel.bin", "patient-0456_ct.nii.gz",
    ],
)  # fmt: skip
def test_what_files_of_studies_are_called_is_no_name(path: str) -> None:
    assert not list(recognised.in_text(path))
    assert not list(recognised.in_name(path))


def test_a_path_of_many_short_words_takes_no_long_time() -> None:
    assert not list(recognised.in_text("/" + "ct_" * 26 + "!Doe_Jane/x.nii"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("রোগীর নাম: রোকেয়া বেগম", "রোকেয়া বেগম"),
        ("रोगी का नाम: सुनीता वर्मा", "सुनीता वर्मा"),
        ("நோயாளி பெயர்: முருகன் செல்வி", "முருகன் செல்வி"),
        ("환자명: 박서연", "박서연"),
        ("Nama pasien: Tn. Bambang Wiryawan", "Bambang Wiryawan"),
        ("Dear Mrs. Winifred Oakeshott,", "Winifred Oakeshott"),
        ('patient_name,lesion\n"Delacroix, Benoît",1', "Delacroix Benoît"),
        ("วันเกิด: 15 มกราคม 2493", "1950-01-15"),
        ("วันเกิด: 15/1/2493", "1950-01-15"),
        ("PID|1||4410293||||19480516|M", "19480516"),
        ("at 20160229115959.000000+0100", "2016-02-29"),
    ],
)
def test_labels_and_days_of_further_languages(text: str, value: str) -> None:
    assert value in {found for _, found in recognised.in_text(text)}


@pytest.mark.parametrize(
    "text",
    [
        '{"PatientIdentityRemoved": "YES", "DeidentificationMethod": "CTP basic profile"}',
        "removed PatientName, PatientBirthDate, StudyDate from patient-0456",
        "Bland^Altman", "if (flags ^ MASK) & 0xFF: pass", "maier-hein^metrics-reloaded",
        "SNOMED CT is 2.16.840.1.113883.6.96", "scikit-image,0.22.0,2023-10-03", "发布日期 2025年3月7日",
        "1.2.276.0.7230010.3.0.3.6.8", "患者编号：patient-0456（假名）",
    ],
)  # fmt: skip
def test_what_names_methods_software_or_what_was_taken_away_points_at_nobody(text: str) -> None:
    assert not list(recognised.in_text(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("/data/raw/gwizdalska_bozena_ct1.nii.gz", "gwizdalska_bozena"),
        ('{"image": "delgado-ramona/ct.nii.gz"}', "delgado_ramona"),
        ("wrote иванов_пётр.dcm", "иванов_пётр"),
        ("wrote patient_Kirchweger_seg.nrrd", "patient_Kirchweger"),
        ("PID7719204", "7719204"),
        ("pid: 00771934", "00771934"),
        ("seen by Mr Rupert Harcastle", "Rupert Harcastle"),
        ("patient: john whitfield", "john whitfield"),
        ('"Jane Doe" -> scan-0012', "Jane Doe"),
        ("DOE, JANE  067Y F", "DOE, JANE"),
        ("Codice fiscale paziente: MRCGSI50C07Z999X", "MRCGSI50C07Z999X"),
        ("رقم المريض: 338812", "338812"),
        ("pat=Halvorsrud Torbjorn CT 1.0mm B30f", "Halvorsrud Torbjorn"),
        ('{"homePhone": "0118 496 0123"}', "0118 496 0123"),
        ("DOB 070350", "1950-03-07"),
        ("生年月日 S25.3.7", "1950-03-07"),
        ("Szül.: 1950. március 7.", "1950-03-07"),
        ("Sinh ngày 7 tháng 3 năm 1950", "1950-03-07"),
    ],
)
def test_what_the_fourth_table_showed_is_found(text: str, value: str) -> None:
    assert value in {found for _, found in recognised.in_text(text)}


@pytest.mark.parametrize("name", ["JohnWhitfield_CT.nii.gz", "john.whitfield.nii.gz", "2019.03.14_ct.nii.gz"])
def test_a_file_is_found_by_its_name_alone(name: str) -> None:
    assert list(recognised.in_name(name))


@pytest.mark.parametrize(
    "text",
    [
        "Date of release: 2024-01-09", "## [2.3.0] - 2023-06-30", "#1 SMP Debian 6.1.76-1 (2024-02-01)",
        "Received 4 May 2022; accepted 19 September 2022",
        'Author-email: "P. Quillon" <pq@softworks.example>',
        "MR Imaging", "TE 30 ms TR", "worker PID 44188",
        "The attribute (0010,0010) Patient's Name is of type 2.",
        "患者氏名は削除済み", "מספר מטופלים: 1240", '{"PatientAge": "066Y", "PatientSex": "F"}',
        "patient_selection_flow.svg", "left_hippocampus_volume.csv", "stefan_boltzmann.py",
        "name: Left Putamen",
    ],
)  # fmt: skip
def test_what_the_fourth_table_showed_points_at_nobody(text: str) -> None:
    assert not list(recognised.in_text(text))


def test_a_word_of_software_excuses_the_day_behind_it_and_no_other() -> None:
    assert [value for _, value in recognised.in_text("updated by the ward\nborn 1950-03-07")]


def test_each_label_is_sought_either_in_ascii_or_from_a_letter_that_is_none() -> None:
    assert not [stem for stem in said_of_patients.KINDS_OF if not stem.isascii() and stem[0].isascii()]


def test_a_text_of_wide_characters_is_read_once_and_what_hides_in_it_as_well() -> None:
    wide = list(texts.texts_in("版本 2.14.1,发布于 2023-06-30".encode("utf-16")))
    assert len(wide) == 1
    assert any(
        "DOE^JANE" in text
        for text in texts.texts_in("字字字 text".encode("utf-16") + b"..DOE^JANE, 1950-03-07")
    )


@pytest.mark.parametrize("month", ["dec", "feb"])
def test_no_day_is_read_within_a_digest(month: str) -> None:
    """Of the digests of a study of full size some hold such letters between digits by chance."""
    by_chance = f"a93f0c5e77d1b2c15{month}2007f".rjust(64, "b")
    for text in (by_chance, f'"ct.nii.gz": "{by_chance}"', f"{by_chance}  data/scan-0001/ct.nii.gz"):
        assert list(recognised.in_text(text)) == []
    assert list(recognised.in_text(f"born 15{month}2007 in"))


def test_a_digest_between_quotes_is_no_number_and_hides_nothing() -> None:
    digest = "46618959ab9c" + "19500307" + "d0bfec" * 7 + "1e"
    assert len(digest) == 64
    for label in ("phone", "birth_date", "sha256"):
        assert list(recognised.in_text(f'{{"{label}": "{digest}", "n_voxels": 12}}')) == []
    beside = (
        f'{{"a": "{digest}", "mrn": "55410937", "b": "{digest}", "by": "Zwetschge^Ottilie", "c": "{digest}"}}'
    )
    assert {value for _, value in recognised.in_text(beside)} == {"55410937", "Zwetschge^Ottilie"}
    assert [what for what, _ in recognised.in_text(f'"PatientID","{digest}"')] == [recognised.ATTRIBUTE_FOUND]


TERMINAL = (
    "\x1b[36mPatient name:\x1b[0m Tanner, Mildred",
    "\x1b[1;31mMRN\x1b[0m=\x1b[38;5;208m48213377\x1b[0m",
    "\x1b[2mDOB\x1b[0m\t07.03.1950",
    "\x1b[38:2::200:10:10mTan\x1b[0mner^\x1b[1mMildred\x1b[K",
    "Patient:\x1b[20GTanner, Mildred",
    "\x1b]0;Patient: Tanner, Mildred\x07",
    "\x1b]8;;file:///data/Tanner_Mildred.nii.gz\x1b\\scan\x1b]8;;\x1b\\",
)  # fmt: skip
WRITTEN_OUT = (
    r'{"text": "\u001b[36mPatient name:\u001b[0m Tanner, Mildred"}',
    r"\x1b[36mPatient name:\x1b[0m Tanner, Mildred",
    r"\033[36mPatient name:\033[m Tanner, Mildred",
    r"\e[36mPatient name:\e[0m Tanner, Mildred",
    "^[[36mPatient name:^[[0m Tanner, Mildred",
    "[36mPatient name:[0m Tanner, Mildred",
)


def found_in_bytes(data: bytes) -> set[str]:
    """What is recognised, in words."""
    return {what for text in texts.texts_in(data) for what, _ in recognised.in_text(text)}


@pytest.mark.parametrize("text", [*TERMINAL, *WRITTEN_OUT])
def test_texts_are_read_as_a_terminal_shows_them(text: str) -> None:
    assert found_in_bytes(text.encode())
    assert found_in_bytes(f"{text}, Müller\n".encode("latin-1"))
    assert found_in_bytes(b"\0\1\2" * 9 + text.encode() + b"\0\1\2")
    assert found_in_bytes(text.encode("utf-16"))
    assert found_in_bytes(text.encode("utf-16-le"))


def test_words_of_headers_are_sought_in_coloured_texts_too() -> None:
    for text in ("\x1b[36mTanner\x1b[0m", "\x1b[36mTan\x1b[1mner\x1b[0m", r"\u001b[36mTanner\u001b[0m"):
        assert "tanner" in privacy._words(text.encode())


def test_colours_are_no_finding_and_hide_no_letters_of_japanese() -> None:
    shown = b"\x1b[32mepoch 12\x1b[0m \x1b[1mDice\x1b[0m [0.81, 0.92] \x1b[2K\rdone [12m, 14m]"
    assert not found_in_bytes(shown)
    name = "山田^太郎".encode("iso2022_jp")
    assert recognised.NAME_FOUND in found_in_bytes(b"\x1b[36m" + name + b"\x1b[0m")


def test_columns_of_sql_are_those_of_the_statement_or_of_the_table() -> None:
    created = "CREATE TABLE t (id int, weight decimal(10, 2), last_name text, PRIMARY KEY (id));\n"
    row = "INSERT INTO t VALUES (7, NULL, 'O''Hara');"
    assert in_sql.labelled_lines(created + row) == "id: 7\nlast_name: O'Hara\n"
    assert in_sql.labelled_lines(row) == "t: O'Hara\n"
    named = "insert into db.t (\"last_name\", mrn) values ('Doe', 4), ('Roe', date('1950-03-07'))"
    assert in_sql.labelled_lines(named) == "last_name: Doe\nmrn: 4\nlast_name: Roe\nmrn: date('1950-03-07')\n"
    saved = "COPY public.t (id, last_name) FROM stdin;\n1\tDoe\n2\t\\N\n\\.\n3\tRoe\n"
    assert in_sql.labelled_lines(saved) == "id: 1\nlast_name: Doe\nid: 2\n"
    assert in_sql.labelled_lines("UPDATE t SET last_name = 'Doe' WHERE mrn='4'") == "last_name: Doe\nmrn: 4\n"
    assert in_sql.labelled_lines("insert the key, copy the values (1, 2)") == ""


def test_a_text_of_more_rows_of_sql_than_are_read_says_so() -> None:
    with pytest.raises(Unusable, match="values in SQL, and was not searched to its end"):
        in_sql.labelled_lines("INSERT INTO t (a) VALUES " + "(1)," * (in_sql.MOST_VALUES + 1))
