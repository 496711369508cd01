from kmatgen.data.folders import files_below


def test_files_below_linked_folders(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    for name in ("a.txt", "deep/b.txt", ".hidden/c.txt", "__MACOSX/d.txt", ".e.txt"):
        (outside / name).parent.mkdir(parents=True, exist_ok=True)
        (outside / name).write_text("")
    folder.mkdir()
    (folder / "z.txt").symlink_to(outside / "a.txt")
    (folder / "gone.txt").symlink_to(outside / "nowhere")
    (folder / "link").symlink_to(outside, target_is_directory=True)
    (folder / "link2").symlink_to(outside, target_is_directory=True)
    (outside / "deep/above").symlink_to(outside, target_is_directory=True)
    found = [path.relative_to(folder).as_posix() for path in files_below(folder)]
    assert found == ["link/a.txt", "link/deep/b.txt", "z.txt"]
