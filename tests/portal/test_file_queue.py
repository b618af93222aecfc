"""The queue of files: a reader never sees half a message."""

import json

from portal import file_queue


def test_a_message_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    seen = []
    write = file_queue.Path.write_bytes

    def slowly(path, data):
        half = len(data) // 2
        write(path, data[:half])
        seen.extend(file.read_bytes() for file in tmp_path.glob("*.msg"))
        write(path, data)

    monkeypatch.setattr(file_queue.Path, "write_bytes", slowly)
    channel = file_queue.Channel.__new__(file_queue.Channel)
    monkeypatch.setattr(file_queue.Channel, "data_folder_out", str(tmp_path))
    channel._put("latchkey", {"body": "x" * 100})
    assert seen == []
    (message,) = tmp_path.glob("*.latchkey.msg")
    assert json.loads(message.read_bytes())["body"] == "x" * 100
    assert list(tmp_path.iterdir()) == [message]
