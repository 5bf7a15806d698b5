"""GStreamer plays a playlist until it has decoded so many pictures and blocks of sound, and tells what it saw and heard.

/usr/bin/python3 gstreamer_hls.py uridecodebin3|uridecodebin URL PICTURES SOUNDS SECONDS

The first one demultiplexes by hlsdemux2, the other one by hlsdemux. It waits for neither end of stream nor state, which
come late or never with a live source, but counts what the decoders give.
"""

import array
import json
import math
import os
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

RATE = 48000
# Twenty blocks wide, as the clock in the picture is, and a strip high; the flash is in the corner at the bottom right.
VIDEO = "queue name=in ! videoconvert ! videoscale ! video/x-raw,format=GRAY8,width=20,height=18 ! fakesink name=out"
AUDIO = f"queue name=in ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate={RATE},channels=1 ! fakesink name=out"
WIDTH, CORNER = 20, (17, 15)
TONE, BEEP = 500, 2000
# The samples of 5 ms.
PIECE = 240


def power(samples, hertz):
    """The power of one frequency (Goertzel), for samples of -1 to 1."""
    w, a, b = 2 * math.cos(2 * math.pi * hertz / RATE), 0.0, 0.0
    for sample in samples:
        a, b = sample + w * a - b, a
    return (a * a + b * b - w * a * b) * 2 / len(samples) ** 2


class Seen:
    """What was seen and heard; times in seconds of the pipeline's running time."""

    def __init__(self, pictures, sounds, done):
        self.wanted, self.done = (pictures, sounds), done
        self.pictures = self.sounds = 0
        self.flashes, self.beeps = [], []
        self.is_lit = self.is_loud = True
        self.energy = self.tone = 0.0

    def picture(self, time, data):
        self.pictures += 1
        x, y = CORNER
        is_lit = data[y * WIDTH + x] > 128
        if is_lit and not self.is_lit:
            self.flashes.append(time)
        self.is_lit = is_lit
        self.look()

    def sound(self, time, data):
        self.sounds += 1
        samples = [sample / 32768 for sample in array.array("h", data)]
        for begin in range(0, len(samples) - PIECE + 1, PIECE):
            piece = samples[begin : begin + PIECE]
            self.energy += sum(sample * sample for sample in piece) / PIECE
            self.tone += power(piece, TONE)
            is_loud = power(piece, BEEP) > 5e-4
            if is_loud and not self.is_loud:
                self.beeps.append(time + begin / RATE)
            self.is_loud = is_loud
        self.look()

    def look(self):
        if self.pictures >= self.wanted[0] and self.sounds >= self.wanted[1]:
            GLib.idle_add(self.done)

    def told(self, problem):
        tone = self.tone / self.energy if self.energy else 0
        return {
            "pictures": self.pictures, "sounds": self.sounds, "tone": tone, "flashes": self.flashes,
            "beeps": self.beeps, "problem": problem,
        }  # fmt: skip


def main(decoder, url, pictures, sounds, seconds):
    Gst.init(None)
    loop, problems = GLib.MainLoop(), []
    seen = Seen(int(pictures), int(sounds), loop.quit)
    pipeline = Gst.Pipeline.new()
    source = Gst.ElementFactory.make(decoder)
    source.set_property("uri", url)
    pipeline.add(source)

    def on_buffer(_sink, buffer, pad, take):
        segment = pad.get_sticky_event(Gst.EventType.SEGMENT, 0).parse_segment()
        time = segment.to_running_time(Gst.Format.TIME, buffer.pts)
        take(time / Gst.SECOND, buffer.extract_dup(0, buffer.get_size()))

    def on_pad(_source, pad):
        caps = (pad.get_current_caps() or pad.query_caps()).to_string()
        if not caps.startswith(("video/", "audio/")):
            return
        branch, take = (VIDEO, seen.picture) if caps.startswith("video/") else (AUDIO, seen.sound)
        branch = Gst.parse_bin_from_description(branch, False)
        sink = branch.get_by_name("out")
        # The order of what is read, not of the clock: it is to take as long as it takes.
        sink.set_property("sync", False)
        sink.set_property("async", False)
        sink.set_property("signal-handoffs", True)
        sink.connect("handoff", on_buffer, take)
        ghost = Gst.GhostPad.new("sink", branch.get_by_name("in").get_static_pad("sink"))
        branch.add_pad(ghost)
        pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(ghost)

    def on_message(_bus, message):
        problems.append(str(message.parse_error()))
        loop.quit()

    source.connect("pad-added", on_pad)
    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message::error", on_message)
    GLib.timeout_add(int(1000 * float(seconds)), lambda: (problems.append(f"not within {seconds} s"), loop.quit()))
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    print(json.dumps(seen.told("; ".join(problems) or None)), flush=True)
    # Elements that wait for the network are slow to stop.
    os._exit(0)


main(*sys.argv[1:])
