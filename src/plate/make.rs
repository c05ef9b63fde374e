//! From what was asked for to what a plate is made of.

use std::collections::BTreeMap;

use super::api::{PlateRequest, StampParts};
use super::pools::WantedPools;
use super::retest::Suitable;
use super::robot::{Planned, VOLUME_DEFAULT, Volume};
use super::store::{self, Made, StoredPlate};
use super::{
    Content, Layout, LayoutRefusal, NotAWell, Placed, PlacedTube, Plan, PlateSize, Stamp, Template,
    WellPosition, rack, retest, tubes,
};
use crate::app::App;
use crate::barcode::{PlateCode, store as codes};
use crate::clock::Time;
use crate::collection::tubes_find;
use crate::error::{Error, Reason, Result, refuse_if_any};
use crate::storage::Tx;

/// What a request asks for, and every reason against taking its tubes or sources now: those of a
/// frozen plate are on it already, so that the same plate sent again is not a new one.
pub async fn make(
    app: &App,
    tx: &mut Tx,
    (code, before): (&PlateCode, Option<&StoredPlate>),
    request: PlateRequest,
    at: Time,
) -> Result<(Made, Vec<Reason>)> {
    let kit = (request.kit.as_str(), request.kit_version.as_str());
    let (plan, mut against) = app.plan(tx, kit, at).await?;
    let planned = planned(app.config.volume_tolerance_percent, &plan, before, &request)?;
    let (made, more) = match &request.stamp {
        Some(parts) => stamp(tx, &request, parts, (&plan, planned)).await?,
        None => fill(tx, (code, before), request, (&plan, planned)).await?,
    };
    against.extend(more);
    against.extend(against_lot(app, tx, &made, at).await?);
    Ok((made, against))
}

/// Every reason against filling the wells of a plate from the lot it names, if it names one.
/// Another plate may take what is left until the lot is locked.
pub async fn against_lot(app: &App, tx: &mut Tx, made: &Made, at: Time) -> Result<Vec<Reason>> {
    let Some(lot) = &made.lot else { return Ok(Vec::new()) };
    let lot = (made.laboratory.as_str(), made.kit.0.as_str(), lot.as_str());
    let taken = made.layout.wells().len();
    let given_back = wells_of_sources(tx, made).await?;
    app.against_lot(tx, lot, taken.saturating_sub(given_back), at).await
}

/// Wells of the sources that count for the same lot as long as they may be run themselves.
async fn wells_of_sources(tx: &mut Tx, made: &Made) -> Result<usize> {
    let mut wells = 0;
    for source in made.stamp.iter().flat_map(Stamp::sources) {
        let found = store::plate_find(tx, source).await?;
        let same = |plate: &StoredPlate| {
            let of = |made: &Made| (made.laboratory.clone(), made.kit.0.clone(), made.lot.clone());
            plate.state == "frozen" && of(&plate.made) == of(made)
        };
        wells += found.filter(same).map_or(0, |plate| plate.made.layout.wells().len());
    }
    Ok(wells)
}

/// How much goes into each well: as the kit says, else as the request does. A frozen plate keeps
/// what it was frozen with, whatever kit or setting say by now.
fn planned(
    tolerance: u8,
    plan: &Plan,
    before: Option<&StoredPlate>,
    request: &PlateRequest,
) -> Result<Planned> {
    let named = request.volume.as_deref();
    let volume = named.map(|text| volume(text, "plate.volume")).transpose()?;
    if let Some(frozen) = before.filter(|plate| plate.state != "draft") {
        let kept = frozen.made.planned;
        return Ok(Planned { volume: volume.unwrap_or(kept.volume), ..kept });
    }
    let usual = || Volume::parse(VOLUME_DEFAULT).expect("the usual volume is one");
    let said = plan.pipetting.map(|kit| kit.volume).or(volume);
    let own = plan.pipetting.and_then(|kit| kit.tolerance_percent);
    let (volume_planned, tolerance) = (said.unwrap_or_else(usual), own.unwrap_or(tolerance));
    let planned = Planned { volume: volume_planned, tolerance };
    refuse_if_any(planned.against(volume, None))?;
    Ok(planned)
}

/// A volume that somebody names in a request.
pub(super) fn volume(text: &str, code: &'static str) -> Result<Volume> {
    Volume::parse(text).filter(|volume| !volume.is_nothing()).ok_or_else(|| {
        let message = "a volume is a number of microlitres above 0, such as 5 or 2.5";
        Error::invalid(code, "volume", message)
    })
}

/// Writes codes as they are kept, for their case and blanks around them do not matter.
fn tidy(request: &mut PlateRequest) {
    let wells = request.wells.iter_mut().flat_map(|well| [&mut well.tube, &mut well.pool]);
    let listed = request.tubes.iter_mut().chain(&mut request.pools);
    for code in listed.chain(wells.flatten()) {
        *code = code.trim().to_ascii_uppercase();
    }
}

/// Stated wells stand alone in their request: whatever else it names would not be on the plate.
fn against_beside_wells(request: &PlateRequest) -> Vec<Reason> {
    let PlateRequest { template, tubes, pools, wells, .. } = request;
    let mut reasons = Vec::new();
    let mut refuse = |is_named: bool, about: &str, message: &str| {
        if is_named && !wells.is_empty() {
            reasons.push(Reason::new("plate.wells_alone", about, message));
        }
    };
    let template_message = "a template is named beside stated wells; leave it out and state the \
        size, or leave the wells out";
    let tubes_message = "tubes are listed beside stated wells; state each in its well, or leave \
        the wells out";
    let pools_message = "pools are listed beside stated wells; state each in its well, or leave \
        the wells out";
    refuse(template.is_some(), "template", template_message);
    refuse(!tubes.is_empty(), "tubes", tubes_message);
    refuse(!pools.is_empty(), "pools", pools_message);
    reasons
}

/// A plate of tubes: in a template's slots, or well by well.
async fn fill(
    tx: &mut Tx,
    (code, before): (&PlateCode, Option<&StoredPlate>),
    request: PlateRequest,
    (plan, planned): (&Plan, Planned),
) -> Result<(Made, Vec<Reason>)> {
    refuse_if_any(against_beside_wells(&request))?;
    let mut request = rack::api::filled_from_rack(tx, request).await?;
    tidy(&mut request);
    let template = named_template(&request, code)?;
    let listed = (0..).zip(&request.tubes).map(|(n, tube)| (format!("tubes[{n}]"), tube.as_str()));
    let placed = (0..).zip(&request.wells);
    let placed =
        placed.filter_map(|(n, well)| Some((format!("wells[{n}]"), well.tube.as_deref()?)));
    refuse_if_any(codes::no_tube_codes(tx, &listed.chain(placed).collect::<Vec<_>>()).await?)?;
    let mut listed = request.tubes.clone();
    if request.retests {
        let template = template.as_ref().ok_or_else(|| {
            let message = "retests take the places of a template; name one";
            Error::invalid("plate.retests", "retests", message)
        })?;
        let first = retests(tx, &request, (before, template), plan).await?;
        listed.retain(|tube| !first.tubes.contains(tube));
        listed.splice(..0, first.tubes);
        request.pools.retain(|pool| !first.pools.contains(pool));
        request.pools.splice(..0, first.pools);
    }
    let pools = WantedPools::find(tx, &request).await?;
    let named = request.wells.iter().filter_map(|well| well.tube.clone());
    let alone: Vec<String> = listed.iter().cloned().chain(named).collect();
    let mut against = pools.against(tx, &request, &alone).await?;
    let wanted: Vec<String> = alone.into_iter().chain(pools.tubes()).collect();
    let rows = tubes_find(tx, &wanted).await?;
    against.extend(tubes::against_making(&wanted, &rows, &request.laboratory, plan));
    let depths: BTreeMap<&str, u16> = rows
        .iter()
        .map(|row| (row.code.as_str(), u16::try_from(row.members).unwrap_or(u16::MAX)))
        .collect();
    if !pools.all_there() || !wanted.iter().all(|code| depths.contains_key(code.as_str())) {
        return Err(Error::Invalid(against));
    }
    let (name, layout) = match &template {
        Some(template) => {
            let tubes = listed.iter().map(|code| {
                Placed::Tube(PlacedTube { code: code.clone(), depth: depths[code.as_str()] })
            });
            let placed: Vec<_> = tubes.chain(pools.placed(&request)).collect();
            let layout = super::lay_out(template, plan, &placed).map_err(|all| refused(&all))?;
            (template.name().to_owned(), layout)
        }
        None => ("explicit".to_owned(), explicit(&request, &depths, &pools)?),
    };
    let refusals = super::refusals(&layout, plan);
    if !refusals.is_empty() {
        return Err(refused(&refusals));
    }
    let (laboratory, lot) = (request.laboratory, request.lot);
    let kit = (request.kit, request.kit_version);
    let made = Made { laboratory, kit, lot, template: name, planned, layout, stamp: None };
    Ok((made, against))
}

/// The template of that name as it is on this plate (R13).
fn named_template(request: &PlateRequest, code: &PlateCode) -> Result<Option<Template>> {
    let Some(name) = &request.template else { return Ok(None) };
    let template = Template::named(name).map_err(|unknown| Error::Invalid(vec![unknown]))?;
    Ok(Some(template.for_plate(code.number().unwrap_or_default())))
}

/// The tubes and pools to be tested again that go onto this plate first: those that wait, or, when it is
/// frozen, those it took in its time.
async fn retests(
    tx: &mut Tx,
    request: &PlateRequest,
    (before, template): (Option<&StoredPlate>, &Template),
    plan: &Plan,
) -> Result<Suitable> {
    let Some(frozen) = before.filter(|plate| plate.state != "draft") else {
        let kit = (request.kit.as_str(), request.kit_version.as_str());
        let places = template.tube_slots().len();
        return retest::suitable(tx, (&request.laboratory, kit), plan, places).await;
    };
    let again = retest::elsewhere(tx, &frozen.code).await?;
    let wells = template.tube_slots().iter().filter_map(|slot| slot.first());
    let contents: Vec<&Content> = wells.map(|well| frozen.made.layout.content(*well)).collect();
    let placed = |of: fn(&Content) -> Option<&str>| -> Vec<String> {
        contents.iter().copied().filter_map(of).map(str::to_owned).collect()
    };
    Ok(Suitable {
        tubes: retest::taken((&placed(Content::tube), &request.tubes), &again),
        pools: retest::taken((&placed(Content::pool), &request.pools), &again),
    })
}

/// A plate of 384 from the frozen plates of its quadrants.
async fn stamp(
    tx: &mut Tx,
    request: &PlateRequest,
    parts: &StampParts,
    (plan, planned): (&Plan, Planned),
) -> Result<(Made, Vec<Reason>)> {
    let stamp = stamp_of(tx, request, parts).await?;
    let found = store::sources(tx, &stamp).await?;
    let (kit, version) = (&request.kit, &request.kit_version);
    let against = super::against_sources(&stamp, &found, &request.laboratory, (kit, version));
    let mut layouts = [const { None }; 4];
    for (layout, source) in layouts.iter_mut().zip(&stamp.quadrants) {
        let Some(source) = source else { continue };
        // Nothing is said of what stands on a plate of another laboratory.
        let is_here = |plate: &StoredPlate| plate.made.laboratory == request.laboratory;
        let Some(plate) = store::plate_find(tx, source).await?.filter(is_here) else {
            return Err(Error::Invalid(against));
        };
        *layout = Some(plate.made.layout);
    }
    let sources = layouts.each_ref().map(Option::as_ref);
    let layout = super::stamped(stamp.order, &sources, plan)
        .map_err(|all| Error::Invalid(against.iter().cloned().chain(reasons(&all)).collect()))?;
    let made = Made {
        laboratory: request.laboratory.clone(),
        kit: (kit.clone(), version.clone()),
        lot: request.lot.clone(),
        template: "stamp".to_owned(),
        planned,
        layout,
        stamp: Some(stamp),
    };
    Ok((made, against))
}

/// The plates named for the quadrants; a stamp stands alone in its request.
async fn stamp_of(tx: &mut Tx, request: &PlateRequest, parts: &StampParts) -> Result<Stamp> {
    let mut reasons = Vec::new();
    let alone = request.template.is_none()
        && request.tubes.is_empty()
        && request.wells.is_empty()
        && request.pools.is_empty()
        && request.rack.is_none()
        && request.size.is_none_or(|size| size == PlateSize::P384.wells())
        && !request.retests;
    if !alone {
        let message = "a stamped plate holds what its sources hold; leave out everything else";
        reasons.push(Reason::new("plate.stamp_alone", "stamp", message));
    }
    let mut quadrants = [const { None }; 4];
    if parts.quadrants.len() > quadrants.len() || parts.quadrants.iter().all(Option::is_none) {
        let message = "name the plates of one to four quadrants, null where one stays empty";
        reasons.push(Reason::new("plate.quadrants", "stamp.quadrants", message));
    }
    refuse_if_any(reasons)?;
    for (quadrant, named) in quadrants.iter_mut().zip(&parts.quadrants) {
        if let Some(named) = named {
            *quadrant = Some(codes::plate_code(tx, named).await?);
        }
    }
    Ok(Stamp { order: parts.order, quadrants })
}

fn refused(refusals: &[LayoutRefusal]) -> Error {
    Error::Invalid(reasons(refusals))
}

fn reasons(refusals: &[LayoutRefusal]) -> Vec<Reason> {
    refusals.iter().map(|refusal| Reason::tagged("plate", refusal)).collect()
}

fn explicit(
    request: &PlateRequest,
    depths: &BTreeMap<&str, u16>,
    pools: &WantedPools,
) -> Result<Layout> {
    let mut reasons = Vec::new();
    let size = request.size.and_then(PlateSize::from_wells);
    if size.is_none() {
        let message = "state 96 or 384 with stated wells, or name a template";
        reasons.push(Reason::new("plate.size", "size", message));
    }
    let mut wells = Vec::new();
    for (i, stated) in request.wells.iter().enumerate() {
        let about = format!("wells[{i}]");
        let well: Option<WellPosition> = match stated.well.parse() {
            Ok(well) => Some(well),
            Err(error) => {
                let error: NotAWell = error;
                reasons.push(Reason::new("plate.well", &about, error.to_string()));
                None
            }
        };
        let reaction = stated.reaction.clone();
        let content = match (&stated.tube, &stated.pool, stated.control) {
            (Some(tube), None, None) => {
                let depth = depths[tube.as_str()];
                Some(Content::Tube { tube: tube.clone(), depth, reaction })
            }
            (None, Some(pool), None) => Some(pools.content(pool, reaction)),
            (None, None, Some(control)) => Some(Content::Control { control, reaction }),
            _ => {
                let message = "a well holds one tube, one pool or one control; state exactly one";
                reasons.push(Reason::new("plate.content", &about, message));
                None
            }
        };
        wells.extend(well.zip(content));
    }
    refuse_if_any(reasons)?;
    let size = size.ok_or_else(|| Error::Internal("a refused size got through".to_owned()))?;
    Layout::explicit(size, wells).map_err(|all| refused(&all))
}
