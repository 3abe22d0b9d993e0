"""The Watch from Python: resumed by its token after each of twenty cuts, while appointments are held in between.

Checks that revisions come without gap and without a duplicate; the first difference ends with exit code 1.
"""

import argparse
import pathlib
import socket
import threading
import time

import grpc

from eservices.appointments.v1 import appointment_service_pb2 as ap, appointment_service_pb2_grpc as ap_grpc
from eservices.events.v1 import event_service_pb2 as ev, event_service_pb2_grpc as ev_grpc
from journey import channel, check, intervention, new_id, refusal

CUTS = 20
HOLDS = 3


class Relay:
    """Passes bytes on to the server until it is cut: a network that breaks at any byte."""

    def __init__(self, port: int) -> None:
        self.server = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open: list[socket.socket] = []
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        """Takes connections, for ever."""
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(("127.0.0.1", self.server))
            with self.lock:
                self.open += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    @staticmethod
    def carry(one: socket.socket, other: socket.socket) -> None:
        """From one side to the other, until one of them ends."""
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for side in (one, other):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self) -> int:
        """Ends every connection; answers how many there were."""
        with self.lock:
            ended, self.open = self.open, []
        alive = 0
        for side in ended:
            try:
                side.shutdown(socket.SHUT_RDWR)
                alive += 1
            except OSError:
                pass
            side.close()
        return alive // 2


class Watcher:
    """What a back end writes: take events, keep the token, come back after whatever passes by itself."""

    def __init__(self, connect, token: str) -> None:
        self.connect = connect
        self.token = token
        self.revisions: list[int] = []
        self.streams = 0
        self.broken = 0
        self.changed = threading.Condition()
        self.stream = None
        self.over = False
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Watches until it is told to stop."""
        pause = 0.05
        try:
            while not self.over:
                with self.connect() as connection:
                    try:
                        self.stream = ev_grpc.EventServiceStub(connection).WatchEvents(
                            ev.WatchEventsRequest(resume_token=self.token))
                        for message in self.stream:
                            pause = 0.05
                            self.take(message)
                    except grpc.RpcError as error:
                        if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                            raise
                self.broken += 1
                time.sleep(pause)
                pause = min(2 * pause, 2)
        except BaseException as error:  # pylint: disable=broad-except
            self.failure = error
        with self.changed:
            self.changed.notify_all()

    def take(self, message: ev.WatchEventsResponse) -> None:
        """One message: its token replaces the stored one, together with what was made of it."""
        which = message.WhichOneof("message")
        with self.changed:
            if which == "event":
                self.revisions.append(message.event.revision)
                self.token = message.event.resume_token
            elif which == "heartbeat":
                self.streams += 1
                self.token = message.heartbeat.resume_token
            self.changed.notify_all()

    def wait(self, condition, what: str) -> None:
        """Until something is so."""
        with self.changed:
            if not self.changed.wait_for(lambda: condition() or self.failure, timeout=60):
                raise SystemExit(f"{what}: not within a minute; {len(self.revisions)} events, {self.streams} streams")
        if self.failure:
            raise SystemExit(f"{what}: the watch ended: {self.failure!r}")


def main() -> None:
    """Cuts, writes, checks."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("var/demo"), help="folder of the demo")
    arguments.add_argument("--port", type=int, default=50051, help="port of the demo")
    asked = arguments.parse_args()
    alpha = channel(asked.dir, asked.port, "operator-alpha")
    rdv = ap_grpc.AppointmentServiceStub(alpha)
    slots = rdv.SearchSlots(ap.SearchSlotsRequest(intervention=intervention(), max_slots=100)).slots
    events = ev_grpc.EventServiceStub(alpha)
    first = next(iter(events.WatchEvents(ev.WatchEventsRequest()))).heartbeat
    check("WatchEvents begins with a heartbeat", bool(first.resume_token and first.interval_seconds), True)

    def written() -> list[int]:
        """Holds some appointments; the revisions that the answers say."""
        held = (rdv.HoldAppointment(ap.HoldAppointmentRequest(
            request_id=new_id(), intervention=intervention(), slot_id=slots[n].slot_id)) for n in range(HOLDS))
        return [answer.appointment.revision for answer in held]

    relay = Relay(asked.port)
    watcher = Watcher(lambda: channel(asked.dir, relay.port, "operator-alpha"), first.resume_token)
    threading.Thread(target=watcher.run, daemon=True).start()
    expected = []
    for cut in range(CUTS):
        watcher.wait(lambda at=cut: watcher.streams > at, f"stream {cut + 1}")
        if cut % 2:
            expected += written()
            relay.cut()
        else:
            relay.cut()
            expected += written()
    watcher.wait(lambda: watcher.streams > CUTS and len(watcher.revisions) >= len(expected), "all events")
    if watcher.revisions != expected:
        raise SystemExit(f"WatchEvents over {CUTS} cuts: expected {expected}, saw {watcher.revisions}")
    gapless = list(range(first.revision + 1, first.revision + 1 + CUTS * HOLDS))
    check(f"WatchEvents over {CUTS} cuts: {len(expected)} revisions, each once", watcher.revisions == gapless, True)
    check("WatchEvents streams", watcher.broken >= CUTS, True)
    watcher.over = True
    watcher.stream.cancel()

    beta = ev_grpc.EventServiceStub(channel(asked.dir, asked.port, "operator-beta"))
    code, info, _ = refusal(lambda request: list(beta.WatchEvents(request)), ev.WatchEventsRequest(resume_token=watcher.token))
    check("WatchEvents with another's token", (code, info.reason), (grpc.StatusCode.INVALID_ARGUMENT, "FIELDS_INVALID"))
    print("watch passed")


if __name__ == "__main__":
    main()
