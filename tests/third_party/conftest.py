"""The distributions here are installed by `test_third_party.py`; as folders of this checkout they aren't imported."""

collect_ignore_glob = ["*/src/*"]
