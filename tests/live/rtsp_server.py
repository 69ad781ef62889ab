"""A real RTSP server (GStreamer's), run by Debian's Python: sends an MP4 with H.264 in real time.

    /usr/bin/python3 rtsp_server.py FILE.mp4 [NAME PASSWORD]

Prints its port when it listens, at rtsp://127.0.0.1:PORT/stage.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main(path, *account):
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service="0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( filesrc location={path} ! qtdemux ! rtph264pay name=pay0 config-interval=-1 )")
    if account:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "judge")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(*account), token)
        server.set_auth(auth)
        rights = Gst.Structure.new_empty("judge")
        rights.set_value("media.factory.access", True)
        rights.set_value("media.factory.construct", True)
        factory.add_role_from_structure(rights)
    server.get_mount_points().add_factory("/stage", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main(*sys.argv[1:])
