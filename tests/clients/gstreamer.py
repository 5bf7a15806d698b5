"""GStreamer's webrtcbin: publishes by WHIP until it is ended, or plays by WHEP and says what it decodes.

/usr/bin/python3 gstreamer.py publish URL H264|VP8
/usr/bin/python3 gstreamer.py play URL H264|VP8
"""

import sys
import threading
import urllib.request
from urllib.parse import urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=640,height=360,framerate=30/1 ! "
VIDEO = {
    "H264": PICTURE
    + "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=60 bitrate=1000 ! "
    + "video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 aggregate-mode=zero-latency",
    "VP8": PICTURE + "vp8enc deadline=1 keyframe-max-dist=60 target-bitrate=1000000 ! rtpvp8pay picture-id-mode=2",
}
AUDIO = "audiotestsrc is-live=true freq=500 volume=0.5 ! audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay"
VIDEO_FORMAT = "application/x-rtp,media=video,clock-rate=90000,payload=96,encoding-name="
# What a player has to say of itself; a publisher says what its payloader does.
PLAYED = {"H264": ",packetization-mode=(string)1,profile-level-id=(string)42e01f", "VP8": ""}
AUDIO_FORMAT = "application/x-rtp,media=audio,clock-rate=48000,payload=111,encoding-name=OPUS"


def say(line):
    print(line, file=sys.stderr, flush=True)


class Client:
    """One webrtcbin and its conversation with the server."""

    def __init__(self, url, pipeline, loop):
        self.url, self.pipeline, self.loop = url, pipeline, loop
        self.webrtc = pipeline.get_by_name("peer")
        self.webrtc.connect("notify::ice-gathering-state", self.on_gathered)
        self.webrtc.connect("notify::connection-state", self.on_state)
        self.replies, self.session = [], None

    def ask(self, signal, *arguments):
        """Emits a signal that answers by a promise, and waits for it."""
        promise = Gst.Promise.new()
        self.webrtc.emit(signal, *arguments, promise)
        promise.wait()
        # What it holds must outlive the description in it.
        self.replies.append(promise.get_reply())
        return self.replies[-1]

    def offer(self):
        description = self.ask("create-offer", None).get_value("offer")
        self.ask("set-local-description", description)

    def on_state(self, webrtc, _):
        say(f"connection: {webrtc.get_property('connection-state').value_nick}")

    def on_gathered(self, webrtc, _):
        if webrtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            # Not on webrtcbin's own thread, which the answer needs.
            threading.Thread(target=self.call, daemon=True).start()

    def call(self):
        offer = self.webrtc.get_property("local-description").sdp.as_text()
        headers = {"Content-Type": "application/sdp", "Authorization": "Bearer test"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url, offer.encode(), headers)) as reply:
                text, self.session = reply.read(), urljoin(self.url, reply.headers["Location"])
            _, message = GstSdp.SDPMessage.new()
            GstSdp.sdp_message_parse_buffer(text, message)
            answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
            self.ask("set-remote-description", answer)
        except Exception as error:
            say(f"no session: {error}")
            self.loop.quit()

    def leave(self):
        if self.session:
            headers = {"Authorization": "Bearer test"}
            urllib.request.urlopen(urllib.request.Request(self.session, headers=headers, method="DELETE")).close()


def publish(url, codec, loop):
    pipeline = Gst.parse_launch(
        f"webrtcbin name=peer bundle-policy=max-bundle "
        f"{VIDEO[codec]} ! {VIDEO_FORMAT}{codec} ! queue ! peer. "
        f"{AUDIO} ! {AUDIO_FORMAT} ! queue ! peer."
    )
    client = Client(url, pipeline, loop)
    client.webrtc.connect("on-negotiation-needed", lambda _: threading.Thread(target=client.offer).start())
    return pipeline, client


class Count:
    """Counts what is decoded of one medium, and says so now and then."""

    def __init__(self, name):
        self.name, self.frames = name, 0

    def on_buffer(self, _sink, buffer, _pad):
        self.frames += 1
        if self.frames % 50 == 0:
            say(f"{self.name}: {self.frames} decoded")


def play(url, codec, loop):
    pipeline = Gst.Pipeline.new()
    peer = Gst.ElementFactory.make("webrtcbin", "peer")
    peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    pipeline.add(peer)
    client = Client(url, pipeline, loop)
    for form in (VIDEO_FORMAT + codec + PLAYED[codec], AUDIO_FORMAT):
        caps = Gst.Caps.from_string(form)
        client.webrtc.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, caps)

    def on_decoded(_decoder, pad):
        kind = "video" if pad.get_current_caps().to_string().startswith("video") else "audio"
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("signal-handoffs", True)
        sink.connect("handoff", Count(kind).on_buffer)
        pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def on_pad(_webrtc, pad):
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", on_decoded)
        pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    client.webrtc.connect("pad-added", on_pad)
    client.webrtc.connect("on-negotiation-needed", lambda _: threading.Thread(target=client.offer).start())
    return pipeline, client


def main(task, url, codec):
    Gst.init(None)
    loop = GLib.MainLoop()
    pipeline, client = {"publish": publish, "play": play}[task](url, codec, loop)
    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message::error", lambda _, message: (say(str(message.parse_error())), loop.quit()))
    pipeline.set_state(Gst.State.PLAYING)
    # Whoever started it closes this.
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()
    client.leave()
    pipeline.set_state(Gst.State.NULL)


main(*sys.argv[1:])
