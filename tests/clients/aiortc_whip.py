"""Publishes a moving picture and a tone by WHIP with aiortc until it is ended: python aiortc_whip.py URL CODEC."""

import asyncio
import sys
import urllib.request
from fractions import Fraction

from aiortc import (
    AudioStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    VideoStreamTrack,
)
from av import VideoFrame


class Picture(VideoStreamTrack):
    """A grey that changes with each picture."""

    async def recv(self):
        time, base = await self.next_timestamp()
        frame = VideoFrame(320, 240, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([time // 3000 * 5 % 200 + 20]) * plane.buffer_size)
        frame.pts, frame.time_base = time, Fraction(base)
        return frame


async def main(url, codec):
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTrack(AudioStreamTrack())
    transceiver = peer.addTransceiver(Picture(), direction="sendonly")
    known = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([one for one in known if one.mimeType in (f"video/{codec}", "video/rtx")])
    for one in peer.getTransceivers():
        one.direction = "sendonly"
    await peer.setLocalDescription(await peer.createOffer())
    request = urllib.request.Request(
        url, peer.localDescription.sdp.encode(), {"Content-Type": "application/sdp", "Authorization": "Bearer test"}
    )
    with urllib.request.urlopen(request) as reply:
        answer = reply.read().decode()
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await peer.close()


asyncio.run(main(sys.argv[1], sys.argv[2]))
