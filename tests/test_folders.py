"""Folders: what is not hillwalker's is not written over unasked."""

from __future__ import annotations

import pytest

from hillwalker.errors import FileError
from hillwalker.folders import check_file, check_folder, make_folder, write_whole


def test_a_folder_made_by_hillwalker_may_be_used_again(tmp_path):
    folder = make_folder(tmp_path / "a" / "b")
    (folder / "report.html").write_text("old")
    assert make_folder(folder) == folder
    assert (folder / "report.html").read_text() == "old"


def test_a_folder_with_other_files_is_refused_unless_told(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileError, match="--overwrite"):
        make_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    make_folder(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(FileError, match="which is a file"):
        check_folder(tmp_path / "out")


def test_checking_makes_nothing(tmp_path):
    check_folder(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_file_is_replaced_only_if_told(tmp_path):
    path = tmp_path / "p.csv"
    assert check_file(path) == path
    path.write_text("mine")
    with pytest.raises(FileError, match="exists"):
        check_file(path)
    assert check_file(path, overwrite=True) == path
    with pytest.raises(FileError, match="folder that does not exist"):
        check_file(tmp_path / "no" / "p.csv")
    with pytest.raises(FileError, match="which is a folder"):
        check_file(tmp_path)


def test_a_file_is_written_whole_and_leaves_no_other(tmp_path):
    write_whole(tmp_path / "a", b"one")
    write_whole(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    with pytest.raises(TypeError):
        write_whole(tmp_path / "a", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"two"
