"""The calls of the demo from Python: grpcio and stubs made from proto/, nothing of ours.

Every answer is compared with what the documentation promises; the first difference ends with exit code 1.
"""

import argparse
import datetime
import pathlib
import time
import uuid

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

from eservices.addresses.v1 import address_service_pb2 as ad, address_service_pb2_grpc as ad_grpc
from eservices.appointments.v1 import appointment_pb2, appointment_service_pb2 as ap, appointment_service_pb2_grpc as ap_grpc
from eservices.common.v1 import address_pb2, common_pb2
from eservices.eligibility.v1 import eligibility_service_pb2 as el, eligibility_service_pb2_grpc as el_grpc
from eservices.fulfilment.v1 import fulfilment_service_pb2 as fu, fulfilment_service_pb2_grpc as fu_grpc
from eservices.identity.v1 import identity_service_pb2 as idt, identity_service_pb2_grpc as idt_grpc
from eservices.reference.v1 import import_pb2, reference_service_pb2 as re, reference_service_pb2_grpc as re_grpc
from eservices.sandbox.v1 import sandbox_service_pb2 as sa, sandbox_service_pb2_grpc as sa_grpc

BUILDING = "IMB/77058/X/0218"


def channel(folder: pathlib.Path, port: int, name: str) -> grpc.Channel:
    """A connection with one party's certificate."""
    credentials = grpc.ssl_channel_credentials(
        (folder / "root.pem").read_bytes(),
        (folder / f"{name}.key").read_bytes(),
        (folder / f"{name}.pem").read_bytes(),
    )
    return grpc.secure_channel(f"localhost:{port}", credentials)


def new_id() -> str:
    """A request_id: one per intent, kept until the answer is known."""
    return str(uuid.uuid4())


def refusal(call, request) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo, list]:
    """The refusal that a call must get: code, ErrorInfo, all details."""
    try:
        call(request)
    except grpc.RpcError as error:
        trailers = {key: value for key, value in error.trailing_metadata()}
        status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        for detail in status.details:
            if detail.Unpack(info):
                return error.code(), info, list(status.details)
        raise AssertionError(f"no ErrorInfo in {status}") from error
    raise AssertionError("the call passed and should have been refused")


def check(what: str, seen, expected) -> None:
    """One expectation."""
    if seen != expected:
        raise SystemExit(f"{what}: expected {expected!r}, saw {seen!r}")
    print(f"ok  {what}: {seen!r}")


def intervention() -> appointment_pb2.Intervention:
    """A creation of Just Fibre in a house."""
    return appointment_pb2.Intervention(
        place=appointment_pb2.Place(imb=BUILDING),
        product_nature="JUST_FIBRE",
        operation="CREATION",
        appointment_type=common_pb2.APPOINTMENT_TYPE_HOUSE,
    )


def identity_and_eligibility(alpha: grpc.Channel) -> datetime.date:
    """Who am I, and can the building have Just Fibre."""
    me = idt_grpc.IdentityServiceStub(alpha).WhoAmI(idt.WhoAmIRequest())
    check("WhoAmI operator", me.operator.siren, "900000019")
    check("WhoAmI environment", me.environment, common_pb2.ENVIRONMENT_NON_PRODUCTION)
    check("WhoAmI holds", [r.e_service for r in me.rights if r.held],
          ["e-just-fibre", "e-rdv-entreprise", "e-rdv-grand-public", "eligibilite", "sandbox", "sandbox-clock", "tao"])
    eligibility = el_grpc.EligibilityServiceStub(alpha)
    answer = eligibility.CheckEligibility(el.CheckEligibilityRequest(imb=BUILDING, offer_codes=["JUST_FIBRE"]))
    check("CheckEligibility verdict", answer.answers[0].verdict, el.VERDICT_ELIGIBLE)
    check("CheckEligibility visit", answer.answers[0].appointment_type, common_pb2.APPOINTMENT_TYPE_HOUSE)
    check("CheckEligibility PM", answer.premises.pm, "FI-77058-000B")
    saturated = eligibility.CheckEligibility(el.CheckEligibilityRequest(imb="IMB/77058/C/0301", offer_codes=["JUST_FIBRE"]))
    check("CheckEligibility saturated", saturated.answers[0].findings[0].code, "FINT01")
    code, info, _ = refusal(eligibility.CheckEligibility, el.CheckEligibilityRequest(imb="IMB/77058/X/ZZZZ"))
    check("CheckEligibility unknown building", (code, info.reason), (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND"))
    now = me.business_clock.business_time.ToDatetime(tzinfo=datetime.timezone.utc)
    return now.date()


def address(alpha: grpc.Channel) -> None:
    """A misspelt address to its building's structure."""
    tao = ad_grpc.AddressServiceStub(alpha)
    found = tao.SearchAddresses(ad.SearchAddressesRequest(text="6 r etiene gannerron bussy")).candidates[0]
    check("SearchAddresses misspelt", (list(found.imbs), found.level), ([BUILDING], address_pb2.MATCH_LEVEL_NUMBER))
    check("SearchAddresses street code", found.address.street_code, "0361")
    answer = tao.TranslateAddress(ad.TranslateAddressRequest(address="6 r etiene gannerron bussy"))
    check("TranslateAddress found by", answer.found_by, "ADDRESS")
    building = answer.buildings[0]
    check("TranslateAddress states", (building.state, building.headline, building.availability),
          ("DEPLOYE", "RACCORDABLE", "MIS A DISPOSITION"))
    place = building.places[0]
    check("TranslateAddress place", (place.batiment, place.escalier, place.etage, place.pbo),
          ("_NA_", "_NA_", "_NA_", "PT 002053"))
    check("TranslateAddress visit", place.appointment_type, common_pb2.APPOINTMENT_TYPE_HOUSE)
    pieces = tao.ExportStructure(ad.ExportStructureRequest(imbs=[BUILDING]))
    lines = b"".join(piece.lines for piece in pieces).decode().splitlines()
    check("ExportStructure", (len(lines), lines[1].split(";")[0]), (2, BUILDING))
    eligibility = el_grpc.EligibilityServiceStub(alpha)
    answer = eligibility.CheckEligibility(el.CheckEligibilityRequest(
        address="6 r etiene gannerron bussy", offer_codes=["JUST_FIBRE"]))
    check("CheckEligibility by address", (answer.premises.imb, answer.answers[0].verdict), (BUILDING, el.VERDICT_ELIGIBLE))


def capacity(workforce: grpc.Channel, today: datetime.date) -> None:
    """Publish a zone and its slots, as the back office does."""
    back_office = fu_grpc.FulfilmentServiceStub(workforce)
    zone = fu.Zone(code="ZMLV", label="Marne-la-Vallée", commune_codes=["77058", "77243"])
    check("PublishZones", back_office.PublishZones(fu.PublishZonesRequest(request_id=new_id(), zones=[zone])).zone_count, 1)
    slots = [fu.SlotCapacity(start_time="08:00", end_time="12:00", capacity=40),
             fu.SlotCapacity(start_time="13:00", end_time="17:00", capacity=40)]
    days = [fu.DayCapacity(day=str(today + datetime.timedelta(days=n)), slots=slots) for n in range(8, 29)]
    published = back_office.PublishCapacity(
        fu.PublishCapacityRequest(request_id=new_id(), zone_code="ZMLV", days=days))
    check("PublishCapacity slots", published.slot_count, 42)


def reference(workforce: grpc.Channel) -> None:
    """Import what is in the inbox, and follow the import."""
    keeper = re_grpc.ReferenceServiceStub(workforce)
    files = [file.name for file in keeper.ListInboxFiles(re.ListInboxFilesRequest()).files]
    check("ListInboxFiles", files, ["DEMO_77_ESVC_PM_IPEZMD_V30_20261101.csv", "lignes.csv", "structure.csv"])
    code, info, _ = refusal(keeper.StartImport, re.StartImportRequest(request_id=new_id(), files=["absent.csv"]))
    check("StartImport of nothing", (code, info.reason), (grpc.StatusCode.FAILED_PRECONDITION, "INBOX_FILE_MISSING"))
    request = re.StartImportRequest(request_id=new_id(), files=files)
    run = keeper.StartImport(request).run
    check("StartImport again", keeper.StartImport(request).run.import_id == run.import_id, True)
    deadline = time.monotonic() + 60
    while run.state == import_pb2.IMPORT_STATE_RUNNING and time.monotonic() < deadline:
        time.sleep(0.05)
        run = keeper.GetImport(re.GetImportRequest(import_id=run.import_id)).run
    # The demo was made of these files: the release stays.
    check("GetImport", run.state, import_pb2.IMPORT_STATE_SAME_RECORDS)
    release = keeper.GetRelease(re.GetReleaseRequest(release=run.release)).release
    check("GetRelease", (release.file_count, list(files) == [f for f in release.files if "built in" not in f]), (6, True))


def booking(alpha: grpc.Channel, beta: grpc.Channel, workforce: grpc.Channel) -> None:
    """Form, search, hold, replay, get, move, refuse, list, cancel, lapse."""
    rdv = ap_grpc.AppointmentServiceStub(alpha)
    form = rdv.GetBookingForm(ap.GetBookingFormRequest())
    check("GetBookingForm natures", [n.code for n in form.natures][:2], ["FTTH", "JUST_FIBRE"])
    code, info, details = refusal(rdv.SearchSlots, ap.SearchSlotsRequest(first_day="tomorrow"))
    check("SearchSlots malformed", (code, info.reason), (grpc.StatusCode.INVALID_ARGUMENT, "FIELDS_INVALID"))
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in details)
    check("SearchSlots fields", sorted(v.field for v in bad.field_violations), ["first_day", "intervention"])
    found = rdv.SearchSlots(ap.SearchSlotsRequest(intervention=intervention(), max_slots=100))
    first, last = found.slots[0], found.slots[-1]
    request = ap.HoldAppointmentRequest(request_id=new_id(), intervention=intervention(), slot_id=first.slot_id)
    held = rdv.HoldAppointment(request)
    check("HoldAppointment state", held.appointment.state, appointment_pb2.APPOINTMENT_STATE_HELD)
    check("HoldAppointment again", rdv.HoldAppointment(request) == held, True)
    request.slot_id = last.slot_id
    code, info, _ = refusal(rdv.HoldAppointment, request)
    check("HoldAppointment other body", (code, info.reason), (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED"))
    reference = held.appointment.reference
    check("GetAppointment", rdv.GetAppointment(ap.GetAppointmentRequest(reference=reference)).appointment == held.appointment, True)
    code, info, _ = refusal(ap_grpc.AppointmentServiceStub(beta).GetAppointment, ap.GetAppointmentRequest(reference=reference))
    check("GetAppointment of another", (code, info.reason), (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND"))
    moved = rdv.RescheduleAppointment(ap.RescheduleAppointmentRequest(
        request_id=new_id(), reference=reference, etag=held.appointment.etag, slot_id=last.slot_id)).appointment
    check("RescheduleAppointment slot", moved.slot.slot_id, last.slot_id)
    code, info, _ = refusal(rdv.CancelAppointment, ap.CancelAppointmentRequest(
        request_id=new_id(), reference=reference, etag=held.appointment.etag))
    check("CancelAppointment stale", (code, info.reason, bool(info.metadata["remedy"])), (grpc.StatusCode.ABORTED, "ETAG_MISMATCH", True))
    bookings = fu_grpc.FulfilmentServiceStub(workforce).ListZoneBookings(
        fu.ListZoneBookingsRequest(zone_code="ZMLV", day=last.day))
    check("ListZoneBookings", reference in [b.reference for b in bookings.bookings], True)
    booking_now = next(b for b in bookings.bookings if b.reference == reference)
    replanned = fu_grpc.FulfilmentServiceStub(workforce).ReplanAppointment(fu.ReplanAppointmentRequest(
        request_id=new_id(), appointment_reference=reference, etag=booking_now.etag, slot_id=first.slot_id)).booking
    seen = rdv.GetAppointment(ap.GetAppointmentRequest(reference=reference)).appointment
    check("ReplanAppointment", (replanned.slot.slot_id, seen.slot.slot_id, seen.changes_left == moved.changes_left),
          (first.slot_id, first.slot_id, True))
    cancelled = rdv.CancelAppointment(ap.CancelAppointmentRequest(
        request_id=new_id(), reference=reference, etag=seen.etag)).appointment
    check("CancelAppointment state", cancelled.state, appointment_pb2.APPOINTMENT_STATE_CANCELLED)
    lapse(alpha, rdv, first.slot_id)
    listed = rdv.ListAppointments(ap.ListAppointmentsRequest(states=[appointment_pb2.APPOINTMENT_STATE_CANCELLED]))
    check("ListAppointments", reference in [a.reference for a in listed.appointments], True)


def lapse(alpha: grpc.Channel, rdv: ap_grpc.AppointmentServiceStub, slot_id: str) -> None:
    """A hold that nobody confirms, and the clock that runs on."""
    sandbox = sa_grpc.SandboxServiceStub(alpha)
    held = rdv.HoldAppointment(ap.HoldAppointmentRequest(
        request_id=new_id(), intervention=intervention(), slot_id=slot_id)).appointment
    sandbox.AdvanceClock(sa.AdvanceClockRequest(request_id=new_id(), by=duration_pb2.Duration(seconds=1860)))
    lapsed = rdv.GetAppointment(ap.GetAppointmentRequest(reference=held.reference)).appointment
    check("AdvanceClock lapses", lapsed.state, appointment_pb2.APPOINTMENT_STATE_LAPSED)
    code, info, _ = refusal(rdv.RescheduleAppointment, ap.RescheduleAppointmentRequest(
        request_id=new_id(), reference=held.reference, etag=lapsed.etag, slot_id=slot_id))
    check("RescheduleAppointment lapsed", (code, info.reason), (grpc.StatusCode.FAILED_PRECONDITION, "FRDV03"))
    sandbox.SetClockSpeed(sa.SetClockSpeedRequest(request_id=new_id(), speed=1))
    kept = rdv.HoldAppointment(ap.HoldAppointmentRequest(
        request_id=new_id(), intervention=intervention(), slot_id=slot_id)).appointment
    reset = sandbox.ResetAppointments(sa.ResetAppointmentsRequest(request_id=new_id()))
    check("ResetAppointments", reset.cancelled_count, 1)
    state = rdv.GetAppointment(ap.GetAppointmentRequest(reference=kept.reference)).appointment.state
    check("ResetAppointments state", state, appointment_pb2.APPOINTMENT_STATE_CANCELLED)


def main() -> None:
    """Runs the journey."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("var/demo"), help="folder of the demo")
    arguments.add_argument("--port", type=int, default=50051, help="port of the demo")
    asked = arguments.parse_args()
    alpha, beta, workforce = (channel(asked.dir, asked.port, name) for name in ("operator-alpha", "operator-beta", "workforce"))
    today = identity_and_eligibility(alpha)
    address(alpha)
    capacity(workforce, today)
    reference(workforce)
    booking(alpha, beta, workforce)
    print("journey passed")


if __name__ == "__main__":
    main()
