"""Reads the events that events_test.cpp wrote with TensorBoard itself: python check.py FOLDER."""
import sys

from tensorboard.backend.event_processing import event_accumulator

events = event_accumulator.EventAccumulator(sys.argv[1])
events.Reload()
assert events.file_version == 2, events.file_version
scalars = [(e.step, e.value) for e in events.Scalars("train/loss")]
assert [s for s, _ in scalars] == [100, 200, 300], scalars
assert all(abs(v - 100 / s) < 1e-6 for s, v in scalars), scalars
image = events.Images("samples")[0]
assert (image.step, image.width, image.height) == (300, 2, 3), image
assert image.encoded_image_string.startswith(b"\x89PNG"), image
text = events.Tensors("config")[0]
assert text.tensor_proto.string_val == [b"**bold**"], text
assert events.SummaryMetadata("config").plugin_data.plugin_name == "text"
