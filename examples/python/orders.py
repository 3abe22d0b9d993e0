"""The Just Fibre journey from Python: order, follow live over a watch that is cut twenty times, exchange the box, terminate.

The simulator of the demo plays the field. What the cut watch brought is compared with an uncut one: no gap, no duplicate.
"""

import argparse
import pathlib
import threading
import time

import grpc

from eservices.addresses.v1 import address_service_pb2 as ad, address_service_pb2_grpc as ad_grpc
from eservices.appointments.v1 import appointment_service_pb2 as ap, appointment_service_pb2_grpc as ap_grpc
from eservices.events.v1 import event_service_pb2 as ev, event_service_pb2_grpc as ev_grpc
from eservices.orders.v1 import order_pb2, order_service_pb2 as od, order_service_pb2_grpc as od_grpc
from eservices.sandbox.v1 import sandbox_service_pb2 as sa, sandbox_service_pb2_grpc as sa_grpc
from journey import channel, check, intervention, new_id, refusal
from watch import Relay, Watcher

CUTS = 20
# A block of the demo: three housings a floor, twelve fibres, no line on that floor.
IMB, PM, FLOOR = "IMB/77058/C/0413", "FI-77058-000C", ("_NA_", "_NA_", "1")


class Journal(Watcher):
    """A watcher that keeps what it was told."""

    def __init__(self, connect, token: str) -> None:
        super().__init__(connect, token)
        self.events: list[tuple[int, str, str, str]] = []

    def take(self, message: ev.WatchEventsResponse) -> None:
        """Keeps the event beside its token."""
        if message.WhichOneof("message") == "event":
            event = message.event
            self.events.append((event.revision, event.kind, event.resource, event.state))
        super().take(message)

    def kinds(self, number: str) -> list[str]:
        """What happened to an order."""
        return [kind for _, kind, resource, _ in self.events if resource == f"orders/{number}"]


class Journey:
    """One operator and its orders."""

    def __init__(self, folder: pathlib.Path, port: int) -> None:
        alpha = channel(folder, port, "operator-alpha")
        self.rdv = ap_grpc.AppointmentServiceStub(alpha)
        self.tao = ad_grpc.AddressServiceStub(alpha)
        self.orders = od_grpc.OrderServiceStub(alpha)
        self.sandbox = sa_grpc.SandboxServiceStub(alpha)
        first = next(iter(ev_grpc.EventServiceStub(alpha).WatchEvents(ev.WatchEventsRequest()))).heartbeat
        self.relay = Relay(port)
        self.cut = Journal(lambda: channel(folder, self.relay.port, "operator-alpha"), first.resume_token)
        self.whole = Journal(lambda: channel(folder, port, "operator-alpha"), first.resume_token)
        for journal in (self.cut, self.whole):
            threading.Thread(target=journal.run, daemon=True).start()
        self.cuts = 0

    def breaks(self, times: int) -> None:
        """Cuts the watch, each time after it stands again."""
        for _ in range(times):
            self.cuts += 1
            self.cut.wait(lambda: self.cut.streams >= self.cuts, f"stream {self.cuts}")
            self.relay.cut()

    def held(self, place) -> ap.HoldAppointmentResponse:
        """An appointment of the type that the place needs."""
        wanted = intervention()
        wanted.place.imb = IMB
        wanted.appointment_type = place.appointment_type
        slot = self.rdv.SearchSlots(ap.SearchSlotsRequest(intervention=wanted, max_slots=1)).slots[0]
        return self.rdv.HoldAppointment(ap.HoldAppointmentRequest(
            request_id=new_id(), intervention=wanted, slot_id=slot.slot_id)).appointment

    def place(self):
        """The floor, as TAO says it is now."""
        building = self.tao.TranslateAddress(ad.TranslateAddressRequest(imb=IMB)).buildings[0]
        return next(p for p in building.places if (p.batiment, p.escalier, p.etage) == FLOOR)

    def wanted(self, held, scenario: str) -> order_pb2.NewOrder:
        """An order that nothing speaks against."""
        batiment, escalier, etage = FLOOR
        return order_pb2.NewOrder(
            operator_reference=f"PY-{new_id()[:20]}", offer_code="JUST_FIBRE", appointment_reference=held.reference,
            contact=contact(), imb=IMB, pm=PM, delivery_address=delivery(), scenario=scenario,
            place=order_pb2.PlaceInBuilding(batiment=batiment, escalier=escalier, etage=etage))

    def on_the_day(self, held) -> None:
        """The business clock moves to the visit."""
        self.sandbox.AdvanceClock(sa.AdvanceClockRequest(request_id=new_id(), to=held.slot.start_time))

    def until(self, number: str, state: str) -> None:
        """Until both watches have told that the order is so far."""
        for journal in (self.whole, self.cut):
            journal.wait(lambda j=journal: any(r == f"orders/{number}" and s == state for _, _, r, s in list(j.events)),
                         f"order {number} {state}")

    def refusals(self, held) -> None:
        """What speaks against an order, all at once."""
        wrong = self.wanted(held, "")
        wrong.pm = "FI-77058-000B"
        wrong.place.etage = "9"
        answer = self.orders.ValidateOrder(od.ValidateOrderRequest(order=wrong))
        check("ValidateOrder", [f.code for f in answer.findings], ["FADR04", "FIMP08"])
        code, info, details = refusal(self.orders.CreateOrder, od.CreateOrderRequest(request_id=new_id(), order=wrong))
        check("CreateOrder refused", (code, info.reason, info.metadata["violation_count"]),
              (grpc.StatusCode.FAILED_PRECONDITION, "FADR04", "2"))
        check("CreateOrder details", len(details) >= 2, True)

    def created(self, scenario: str):
        """An order that was accepted, and its appointment."""
        held = self.held(self.place())
        if not scenario:
            self.refusals(held)
        request = od.CreateOrderRequest(request_id=new_id(), order=self.wanted(held, scenario))
        order = self.orders.CreateOrder(request).order
        check("CreateOrder again", self.orders.CreateOrder(request).order == order, True)
        request.request_id = new_id()
        code, info, _ = refusal(self.orders.CreateOrder, request)
        check("CreateOrder twice", (code, info.reason), (grpc.StatusCode.ALREADY_EXISTS, "FIMP13"))
        return order, held

    def nominal(self) -> None:
        """From order to delivery, another box, and the end."""
        order, held = self.created("")
        self.breaks(5)
        self.on_the_day(held)
        self.until(order.number, "completed")
        self.breaks(5)
        check("events of the order", sorted(self.whole.kinds(order.number)),
              ["orders.accepted", "orders.box_shipped", "orders.completed", "orders.construction_started",
               "orders.intervention_done"])
        read = self.orders.GetOrder(od.GetOrderRequest(number=order.number))
        check("GetOrder", (read.order.state, read.order.contact.last_name, bool(read.order.pto)),
              (order_pb2.ORDER_STATE_COMPLETED, "Martin", True))
        code, info, _ = refusal(self.orders.CancelOrder, od.CancelOrderRequest(
            request_id=new_id(), number=order.number, etag=read.order.etag))
        check("CancelOrder too late", (code, info.reason), (grpc.StatusCode.FAILED_PRECONDITION, "ORDER_STATE_FORBIDS"))
        exchange = self.orders.ExchangeBox(od.ExchangeBoxRequest(
            request_id=new_id(), aid=order.aid, operator_reference=f"PY-{new_id()[:20]}", contact=contact(),
            delivery_address=delivery())).order
        self.until(exchange.number, "completed")
        self.breaks(5)
        end = self.orders.TerminateAccess(od.TerminateAccessRequest(
            request_id=new_id(), aid=order.aid, operator_reference=f"PY-{new_id()[:20]}")).order
        self.until(end.number, "completed")
        erased = self.orders.EraseContact(od.EraseContactRequest(request_id=new_id(), number=order.number))
        check("EraseContact", erased.contact, True)

    def absent(self) -> None:
        """Nobody there, a new appointment, and the order goes on."""
        order, held = self.created("CUSTOMER_ABSENT")
        self.on_the_day(held)
        self.until(order.number, "appointment_to_retake")
        self.breaks(5)
        read = self.orders.GetOrder(od.GetOrderRequest(number=order.number)).order
        check("GetOrder absent", (read.state, read.failure_code), (order_pb2.ORDER_STATE_APPOINTMENT_TO_RETAKE, "FCLI07"))
        again = self.held(self.place())
        self.orders.RetakeAppointment(od.RetakeAppointmentRequest(
            request_id=new_id(), number=order.number, etag=read.etag, appointment_reference=again.reference))
        self.on_the_day(again)
        self.until(order.number, "completed")

    def lost(self) -> None:
        """A parcel that never arrives, and another one."""
        order, held = self.created("BOX_LOST")
        self.on_the_day(held)
        self.until(order.number, "completed")
        read = self.orders.GetOrder(od.GetOrderRequest(number=order.number))
        happened = [entry.kind for entry in read.history]
        check("GetOrder box lost", (happened.count("BOX_LOST"), happened.count("BOX_SHIPPED")), (1, 2))
        parcels = [fact.value for entry in read.history for fact in entry.facts if fact.name == "parcel_number"]
        check("GetOrder parcel", (len(set(parcels)), read.order.parcel_number == parcels[-1]), (2, True))

    def export(self) -> None:
        """Every order as a line of CSV."""
        pieces = self.orders.ExportOrders(od.ExportOrdersRequest(types=[order_pb2.ORDER_TYPE_CREATION]))
        lines = [line.split(";") for line in b"".join(piece.lines for piece in pieces).decode().splitlines()]
        check("ExportOrders header", lines[0][:3], ["numero", "type", "etat"])
        listed = self.orders.ListOrders(od.ListOrdersRequest(types=[order_pb2.ORDER_TYPE_CREATION], page_size=100))
        check("ExportOrders", [line[0] for line in lines[1:]], [order.number for order in listed.orders])

    def compare(self) -> None:
        """The watch that was cut says the same as the one that was not."""
        time.sleep(0.2)
        last = self.whole.events[-1][0]
        self.cut.wait(lambda: self.cut.events and self.cut.events[-1][0] >= last, "the last event")
        check(f"WatchEvents over {self.cuts} cuts: {len(self.whole.events)} events, each once, in order",
              self.cut.events == self.whole.events, True)
        revisions = [event[0] for event in self.cut.events]
        check("WatchEvents in order", revisions == sorted(set(revisions)), True)
        check("WatchEvents cuts", (self.cuts, self.cut.broken >= CUTS), (CUTS, True))


def contact() -> order_pb2.Contact:
    """An invented person; telephone numbers for fiction."""
    return order_pb2.Contact(last_name="Martin", first_name="Camille", phone="0199000001")


def delivery() -> order_pb2.PostalAddress:
    """Where the box goes."""
    return order_pb2.PostalAddress(number="6", street="RUE ETIENNE GANNERON", postcode="77600", commune="BUSSY-ST-GEORGES")


def main() -> None:
    """Runs the journey."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("var/demo"), help="folder of the demo")
    arguments.add_argument("--port", type=int, default=50051, help="port of the demo")
    asked = arguments.parse_args()
    journey = Journey(asked.dir, asked.port)
    journey.nominal()
    journey.absent()
    journey.lost()
    journey.export()
    journey.compare()
    print("orders passed")


if __name__ == "__main__":
    main()
