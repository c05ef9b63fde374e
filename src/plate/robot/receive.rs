//! What a log put into one plate: its dispenses picked out, and their sources looked up.

use std::collections::{BTreeMap, BTreeSet};

use super::source::of_plate;
use super::store::{Settings, StoredLog};
use super::{Fill, Known, Log, Material, Origin, Place, Transfer};
use crate::barcode::{PlateCode, store as codes};
use crate::error::{Error, Result};
use crate::plate::rack::store as racks;
use crate::plate::store::{StoredPlate, plate_find};
use crate::plate::{Content, Layout, WellPosition};
use crate::storage::Tx;

/// Most plates one plate may be stamped from; a plate of 384 wells takes four.
const PLATES_MAX: usize = 16;

/// Every dispense of the log into its plate, after those of the logs `before`. Reagents and mixing
/// are left out unless their tip had taken up a tube, a pool or a control.
pub(super) async fn fills(
    tx: &mut Tx,
    plate: &StoredPlate,
    (log, before): (&Log, &[StoredLog]),
    settings: &Settings,
) -> Result<Vec<Fill>> {
    let into: Vec<_> = log
        .transfers
        .iter()
        .filter(|transfer| is_plate(&transfer.destination, &plate.code, &settings.labware))
        .collect();
    if into.is_empty() && !log.transfers.is_empty() {
        return Err(not_of_this_plate(log, &plate.code));
    }
    let names: BTreeSet<&str> = into
        .iter()
        .flat_map(|transfer| source(transfer).into_iter().chain(&transfer.earlier))
        .flat_map(|place| [place.barcode.as_str(), place.label.as_str()])
        .collect();
    let at = plate.frozen.ok_or_else(|| {
        Error::Internal(format!("plate {} is frozen and nobody knows since when", plate.code))
    })?;
    let plates = plates(tx, plate, &names, &settings.labware).await?;
    let racks = racks::since(tx, &plate.made.laboratory, names, at).await?;
    let patterns = codes::patterns(tx).await?;
    let known = Known { patterns: &patterns, racks: &racks, plates: &plates };
    let size = plate.made.layout.size();
    // What is a tube, a control or a place that is known is no reagent, whatever it is said to be.
    let material = |transfer: &Transfer| match known.material(&transfer.origin) {
        _ if transfer.is_mixing() => Material::Neutral,
        Material::Unknown if is_reagent(transfer, settings) => Material::Neutral,
        material => material,
    };
    let number = before.last().map_or(1, |last| last.number + 1);
    let fill = |transfer: &&Transfer| Fill {
        log: number,
        line: transfer.line,
        well: transfer.destination.spot.on((size.rows(), size.columns())),
        material: material(transfer),
        volume: transfer.volume,
        carried: Vec::new(),
    };
    let mut fills: Vec<Fill> = into.iter().map(fill).collect();
    let earlier = before.iter().flat_map(|log| &log.fills);
    let mut filled = pipetted_by_hand(&plate.made.layout, earlier.clone().chain(&fills));
    filled.extend(earlier.filter_map(Fill::filled));
    for (fill, transfer) in fills.iter_mut().zip(&into) {
        let own = |place: &Place| own_well(place, (plate, &settings.labware), &filled);
        let held = |place: &Place| own(place).unwrap_or_else(|| known.at(place));
        let carried: BTreeSet<Material> = transfer.earlier.iter().map(held).collect();
        fill.carried = carried.into_iter().collect();
        filled.extend(fill.filled());
    }
    fills.retain(|fill| fill.brings() || fill.carried.iter().any(|it| it.clinging().is_some()));
    if fills.is_empty() && log.errors.is_empty() {
        let message =
            "the log brings nothing but reagents to this plate; send the log of its tubes";
        return Err(Error::invalid("transfer.reagents_only", "log", message));
    }
    Ok(fills)
}

/// The wells of the controls, where no log fills any: then they were filled by hand, whenever that
/// was.
fn pipetted_by_hand<'a>(
    layout: &Layout,
    mut fills: impl Iterator<Item = &'a Fill>,
) -> BTreeSet<WellPosition> {
    let is_control = |well| matches!(layout.content(well), Content::Control { .. });
    if fills.any(|fill| fill.filled().is_some_and(is_control)) {
        return BTreeSet::new();
    }
    layout.wells().keys().copied().filter(|well| is_control(*well)).collect()
}

/// What a well of this plate held when a tip went into it, if the place is one: nothing that is known
/// before something was brought there.
fn own_well(
    place: &Place,
    (own, labware): (&StoredPlate, &str),
    filled: &BTreeSet<WellPosition>,
) -> Option<Material> {
    if !is_plate(place, &own.code, labware) {
        return None;
    }
    let layout = &own.made.layout;
    let well = place.spot.on((layout.size().rows(), layout.size().columns()));
    let is_filled = well.is_some_and(|well| filled.contains(&well));
    Some(if is_filled { of_plate(layout, place.spot) } else { Material::Unknown })
}

/// The other plates of its laboratory among the places liquid came from, by what the log calls them.
/// Liquid that was moved from a well of the plate itself is of nobody known.
async fn plates(
    tx: &mut Tx,
    plate: &StoredPlate,
    names: &BTreeSet<&str>,
    labware: &str,
) -> Result<BTreeMap<String, Layout>> {
    let mut plates = BTreeMap::new();
    let others = names.iter().filter(|name| !calls(name, &plate.code, labware));
    let codes = others.filter_map(|name| Some((*name, PlateCode::parse(name).ok()?)));
    for (name, code) in codes.take(PLATES_MAX) {
        let found = plate_find(tx, &code).await?;
        let here = found.filter(|other| other.made.laboratory == plate.made.laboratory);
        plates.extend(here.map(|other| (name.to_owned(), other.made.layout)));
    }
    Ok(plates)
}

fn source(transfer: &Transfer) -> Option<&Place> {
    match &transfer.origin {
        Origin::One(place) => Some(place),
        Origin::Several | Origin::Untold => None,
    }
}

/// Whether a labware is this plate.
fn is_plate(destination: &Place, plate: &PlateCode, labware: &str) -> bool {
    [&destination.barcode, &destination.label].iter().any(|name| calls(name, plate, labware))
}

/// Whether this is the plate's name: its code, or what the robot is said to call it.
fn calls(name: &str, plate: &PlateCode, labware: &str) -> bool {
    (!labware.is_empty() && name == labware)
        || PlateCode::parse(name).is_ok_and(|code| code == *plate)
}

fn is_reagent(transfer: &Transfer, settings: &Settings) -> bool {
    let named = |place: &Place| {
        settings.reagents.iter().any(|label| *label == place.label || *label == place.barcode)
    };
    transfer.is_reagent || source(transfer).is_some_and(named)
}

/// The log is of other plates, named where they are ours; what else a robot calls its labware is
/// not repeated (R35).
fn not_of_this_plate(log: &Log, plate: &PlateCode) -> Error {
    let others: BTreeSet<_> = log
        .transfers
        .iter()
        .flat_map(|transfer| [&transfer.destination.barcode, &transfer.destination.label])
        .filter_map(|name| PlateCode::parse(name).ok())
        .map(|code| code.to_string())
        .take(5)
        .collect();
    let others: Vec<_> = others.into_iter().collect();
    let message = if others.is_empty() {
        format!(
            "the log names no plate {plate}; send this plate's log, or say with `labware` what \
             the robot calls the plate"
        )
    } else {
        format!("the log is of plate {}, not of {plate}; send this plate's log", others.join(", "))
    };
    Error::invalid("transfer.other_plate", plate.as_str(), message)
}
