"""Write a simulated series as single-frame CT Image Storage instances (DICOM PS3.3, A.3).

All identities are made up: the patient's name and ID say so, and dates lie in the year 2000. Each
attribute that may hold text and is not needed for the images carries a canary, the word CANARY and a
digest: whatever a run of the workflow lets through is found by a search for that one word. Patients
look like this in real exports, private attributes, nested items and file names included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

from headct.simulate.acquisition import AcquisitionGeometry
from headct.simulate.random_streams import stream
from headct.simulate.settings import Site
from headct.simulate.volumes import Clinical

INTERCEPT_HU = -1024
ORIENTATION_DIGITS = 7

CANARY = "CANARY"
CANARY_WITH_UMLAUT = "Kanärienvogel"

TEXT_ATTRIBUTES = (
    # patient
    "IssuerOfPatientID", "OtherPatientIDs", "PatientBirthName", "PatientMotherBirthName",
    "PatientAddress", "PatientTelephoneNumbers", "CountryOfResidence", "RegionOfResidence", "EthnicGroup",
    "Occupation", "PatientReligiousPreference", "MilitaryRank", "BranchOfService",
    "InsurancePlanIdentification", "MedicalRecordLocator", "MedicalAlerts", "Allergies", "SpecialNeeds",
    "PatientState", "AdditionalPatientHistory", "PatientComments", "ResponsiblePerson",
    "ResponsibleOrganization", "DeidentificationMethod",
    # trial
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID", "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription", "ClinicalTrialCoordinatingCenterName", "ClinicalTrialSeriesID",
    "ClinicalTrialSeriesDescription",
    # visit and request
    "AdmissionID", "IssuerOfAdmissionID", "RouteOfAdmissions", "AdmittingDiagnosesDescription",
    "ServiceEpisodeID", "ServiceEpisodeDescription", "CurrentPatientLocation",
    "PatientInstitutionResidence", "VisitComments", "RequestingPhysician", "RequestingService",
    "RequestedProcedureDescription", "RequestedProcedureComments", "RequestedProcedureID",
    "ReasonForTheRequestedProcedure", "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest", "OrderEnteredBy", "ReasonForStudy", "StudyComments",
    "PerformedProcedureStepID", "PerformedProcedureStepDescription",
    "CommentsOnThePerformedProcedureStep", "ScheduledProcedureStepDescription",
    "ScheduledPerformingPhysicianName", "RetrieveAETitle", "RetrieveURL",
    # study, series, equipment, acquisition
    "StudyID", "StudyDescription", "SeriesDescription", "ReferringPhysicianName",
    "ConsultingPhysicianName", "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy",
    "PerformingPhysicianName", "OperatorsName", "ProtocolName", "ScanOptions", "InstitutionName",
    "InstitutionAddress", "InstitutionalDepartmentName", "StationName", "DeviceSerialNumber",
    "SoftwareVersions", "GantryID", "SecondaryCaptureDeviceID", "FilterType", "ContrastBolusAgent",
    "ContrastBolusRoute", "AcquisitionComments", "AcquisitionDeviceProcessingDescription",
    "ImageComments", "DerivationDescription", "FrameOfInterestDescription", "PositionReferenceIndicator",
    "WindowCenterWidthExplanation",
)  # fmt: skip
"""Attributes of the patient, the trial, the visit and the acquisition that hold a canary.

Manufacturer, model and kernel are missing: they reach outputs on purpose.
"""


def canary(*keys: object) -> str:
    """A text that occurs nowhere else: a word to search for, and a digest of the keys."""
    return CANARY + hashlib.sha256("/".join(map(str, keys)).encode()).hexdigest()[:8].upper()


def _plant(dataset: Dataset, keyword: str, *keys: object) -> None:
    """Set an attribute to a canary, in the form that its value representation asks for."""
    text = canary(*keys, keyword)
    forms = {"PN": f"Fictitious^{text}", "UC": f"{text} {text}"}  # long codes have 17 characters or more
    setattr(dataset, keyword, forms.get(dictionary_VR(keyword), text))


def uid(*keys: object) -> str:
    """A UID that depends on the keys only."""
    return str(generate_uid(entropy_srcs=[str(key) for key in keys]))


def series_header(
    seed: int, participant: str, site: Site, clinical: Clinical, geometry: AcquisitionGeometry
) -> Dataset:
    """What all instances of a series have in common, in every module of the CT Image IOD.

    Args:
        seed: of the trial.
        participant: whose series it is.
        site: whose scanner it names.
        clinical: sex, age and times of the participant.
        geometry: of the scan.
    """
    random = stream(seed, participant, "dicom")
    scanned = (date(2000, 1, 1) + timedelta(days=int(random.integers(366)))).strftime("%Y%m%d")
    birth_year = int(scanned[:4]) - clinical.age_years - 1
    at = f"{random.integers(24):02d}{random.integers(60):02d}{random.integers(60):02d}"
    at += f".{random.integers(10**6):06d}"
    pseudonym = hashlib.sha256(f"{seed}/{participant}".encode()).hexdigest()[:8].upper()
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.SOPClassUID = CTImageStorage
    header.StudyDate = header.SeriesDate = header.AcquisitionDate = header.ContentDate = scanned
    header.StudyTime = header.SeriesTime = header.AcquisitionTime = header.ContentTime = at
    header.AcquisitionDateTime = scanned + at
    header.AccessionNumber = f"{CANARY}{random.integers(10**8):08d}"
    header.Modality = "CT"
    header.Manufacturer = site.manufacturer
    header.ManufacturerModelName = site.model
    header.PatientName = f"Fictitious^{CANARY.title()}{pseudonym}"
    header.OtherPatientNames = f"Fictitious^{CANARY_WITH_UMLAUT}"
    header.PatientID = f"{CANARY}-{pseudonym}"
    header.PatientBirthDate = f"{birth_year}1231"
    header.PatientSex = clinical.sex
    header.PatientAge = f"{clinical.age_years:03d}Y"
    header.BodyPartExamined = "HEAD"
    header.ResponsiblePersonRole = "SPOUSE"
    header.KVP = "120"
    header.DataCollectionDiameter = "250"
    header.ReconstructionDiameter = f"{geometry.pixel_mm * geometry.matrix:.1f}"
    header.GantryDetectorTilt = f"{geometry.tilt_deg:g}"
    header.TableHeight = "140"
    header.RotationDirection = "CW"
    header.ExposureTime = "1000"
    header.XRayTubeCurrent = "250"
    header.Exposure = "250"
    header.ConvolutionKernel = site.kernel
    header.PatientPosition = "HFS"
    header.StudyInstanceUID = uid(seed, participant, "study")
    header.SeriesInstanceUID = uid(seed, participant, "series")
    header.FrameOfReferenceUID = uid(seed, participant, "frame")
    header.DeviceUID = uid(seed, site.name, "device")
    header.SeriesNumber = "2"
    header.AcquisitionNumber = "1"
    header.ImageOrientationPatient = [f"{cosine:.{ORIENTATION_DIGITS}f}" for cosine in geometry.orientation]
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.Rows = header.Columns = geometry.matrix
    header.PixelSpacing = [f"{geometry.pixel_mm:.6f}"] * 2
    header.BitsAllocated = 16
    header.BitsStored = site.bits_stored
    header.HighBit = site.bits_stored - 1
    header.PixelRepresentation = 0
    header.WindowCenter, header.WindowWidth = "40", "80"
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = str(INTERCEPT_HU), "1", "HU"
    plant_canaries(header, seed, participant)
    return header


def plant_canaries(header: Dataset, *keys: object) -> None:
    """Put canaries, which depend on the keys, into text attributes, nested items, private attributes."""
    for keyword in TEXT_ATTRIBUTES:
        _plant(header, keyword, *keys)
    _add_nested(header, *keys)
    _add_private(header, *keys)


def _items(*keys: object, **values: object) -> list[Dataset]:
    """A sequence of one item: the values given, and canaries for the attributes that are named only."""
    item = Dataset()
    for keyword, value in values.items():
        if value is None:
            _plant(item, keyword, *keys)
        else:
            setattr(item, keyword, value)
    return [item]


def _add_nested(header: Dataset, *keys: object) -> None:
    """Sequences with canaries in their items, down to the second level."""
    code = _items(*keys, "code", CodeValue=None, CodingSchemeDesignator="99" + CANARY, CodeMeaning=None)
    long_code = _items(
        *keys, "code", LongCodeValue=None, CodingSchemeDesignator="99" + CANARY, CodeMeaning=None
    )
    header.OtherPatientIDsSequence = _items(*keys, "other", PatientID=None, TypeOfPatientID="TEXT")
    header.RequestAttributesSequence = _items(
        *keys,
        "request",
        RequestedProcedureID=None,
        RequestedProcedureDescription=None,
        ScheduledProcedureStepID=None,
        ScheduledProcedureStepDescription=None,
        ScheduledProtocolCodeSequence=code,
    )
    header.ProcedureCodeSequence = long_code
    header.UDISequence = _items(*keys, "device", UniqueDeviceIdentifier=None, DeviceDescription=None)
    header.ContributingEquipmentSequence = _items(
        *keys,
        "equipment",
        PurposeOfReferenceCodeSequence=code,
        Manufacturer=None,
        InstitutionName=None,
        StationName=None,
        ContributionDescription=None,
    )
    header.OriginalAttributesSequence = _items(
        *keys,
        "original",
        SourceOfPreviousValues=None,
        AttributeModificationDateTime="20000101000000",
        ModifyingSystem=None,
        ReasonForTheAttributeModification="COERCE",
        ModifiedAttributesSequence=_items(*keys, "modified", PatientName=None, PatientID=None),
    )


def _add_private(header: Dataset, *keys: object) -> None:
    """Private attributes as makers write them: text, bytes of unknown kind, a nested item."""
    block = header.private_block(0x0029, f"{CANARY} PRIVATE", create=True)
    block.add_new(0x01, "LO", canary(*keys, "private text"))
    block.add_new(0x02, "UN", canary(*keys, "private bytes").encode())
    block.add_new(0x03, "SQ", _items(*keys, "private item", PatientName=None, PatientComments=None))


def write_series(
    folder: Path,
    header: Dataset,
    image: NDArray[np.int16],
    geometry: AcquisitionGeometry,
    slices: Iterable[int],
    from_top: bool,
) -> None:
    """Write the given slices of an image (int16 HU, shape (z, y, x), bottom first) into a folder.

    Files are named after a digest, so that their order says nothing, and hold a canary in their names
    too; instance numbers run from the top of the head or from its base, as both occur.

    Args:
        folder: made where it is not there.
        header: what all instances have in common.
        image: int16 HU, shape (z, y, x), bottom first.
        geometry: of the image.
        slices: indices of those that are written.
        from_top: whether instance numbers run from the top of the head.
    """
    written = sorted(slices, reverse=from_top)
    folder.mkdir(parents=True, exist_ok=True)
    header.preamble = CANARY.encode().ljust(128, b"\0")
    for number, k in enumerate(written, start=1):
        instance = uid(header.SeriesInstanceUID, k)
        header.SOPInstanceUID = instance
        header.InstanceNumber = str(number)
        header.SliceThickness = f"{geometry.slice_thickness_mm[k]:g}"
        header.ImagePositionPatient = [f"{value:.6f}" for value in geometry.origin_mm(k)]
        header.SliceLocation = f"{geometry.table_mm[k]:.3f}"
        header.PixelData = (image[k] - np.int16(INTERCEPT_HU)).astype("<u2").tobytes()
        header["PixelData"].VR = "OW"
        header.file_meta = FileMetaDataset()
        header.file_meta.MediaStorageSOPClassUID = CTImageStorage
        header.file_meta.MediaStorageSOPInstanceUID = UID(instance)
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.file_meta.SourceApplicationEntityTitle = canary(header.SeriesInstanceUID, "source")
        header.file_meta.ImplementationVersionName = canary(header.SeriesInstanceUID, "implementation")
        name = hashlib.sha256(instance.encode()).hexdigest()[:8].upper()
        header.save_as(folder / f"{CANARY}{name}.dcm", enforce_file_format=True)
