"""The frozen records that cross a door between rooms. Open to every room, know none."""
