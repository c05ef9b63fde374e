//! The files of a run as they come in: hashed, read, sealed, and told from those of other runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::replace;
use super::{Kit, Target};
use crate::app::App;
use crate::barcode::{FILE_NAME_MAX, file_name, is_file_name};
use crate::error::{Error, Reason, Result};
use crate::http::extract::File;
use crate::instrument::store::{self as runs, KnownPart, Part, RunOfPlate};
use crate::instrument::{PartFault, Reading, RunFile, is_dye, read_run};
use crate::plate::store::StoredPlate;
use crate::storage::Tx;

/// The name under which the list of a run's files is kept.
const MANIFEST: &str = "parts";

/// A run that came in, before anybody looked at its plate.
pub(super) struct Taken {
    /// Its files in the order they were sent.
    pub files: Vec<SealedFile>,
    /// What was read.
    pub run: RunFile,
}

/// A file ready to be kept.
pub(super) struct SealedFile {
    /// SHA-256 of every byte, lower-case hex.
    pub sha256: String,
    /// The name it came under, as far as it is kept.
    pub name: String,
    /// Every byte, sealed.
    pub sealed: Vec<u8>,
}

/// The list of a run's files, which is kept beside them where they are several or came again.
pub(super) fn list(app: &App, parts: &[Part]) -> Option<SealedFile> {
    if let [Part { again: 0, .. }] = parts {
        return None;
    }
    let manifest = runs::manifest(parts);
    let (sha256, sealed) = app.keys.seal_file(runs::file_place, manifest.as_bytes());
    Some(SealedFile { sha256, name: MANIFEST.to_owned(), sealed })
}

/// Hashes, reads and seals the files away from the threads that serve. `name` is that of a single
/// file sent as it is.
pub(super) async fn take(
    app: &App,
    files: Vec<File>,
    (name, mapping): (&str, Option<&str>),
) -> Result<Taken> {
    let (keys, mappings) = (Arc::clone(&app.keys), Arc::clone(&app.mappings));
    let names = names(&files, name)?;
    let mapping = mapping.map(str::to_owned);
    if let Some(unknown) = mapping.as_deref().filter(|name| mappings.get(name).is_none()) {
        let known = mappings.names();
        let unknown: String = unknown.chars().filter(|c| !c.is_control()).take(40).collect();
        let message = format!("there is no such mapping; choose one of {known}");
        return Err(Error::invalid("run.mapping", unknown, message));
    }
    let work = move || {
        let bytes: Vec<&[u8]> = files.iter().map(|file| file.bytes.as_ref()).collect();
        let run = read_run(&bytes, &mappings, mapping.and_then(|name| mappings.get(&name)));
        let seal = |(bytes, name): (&[u8], String)| {
            let (sha256, sealed) = keys.seal_file(runs::file_place, bytes);
            SealedFile { sha256, name, sealed }
        };
        let files: Vec<_> = bytes.into_iter().zip(names).map(seal).collect();
        (files, run)
    };
    let (files, run) = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Internal(format!("reading a run file failed: {error}")))?;
    let run = run.map_err(|faults| Error::Invalid(faults.iter().map(reason).collect()))?;
    Ok(Taken { files, run })
}

/// The name of each file, as far as it is kept.
fn names(files: &[File], single: &str) -> Result<Vec<String>> {
    let own = |file: &File| file.name.as_deref().unwrap_or(single).trim().to_owned();
    let names: Vec<String> = files.iter().map(own).collect();
    if !names.iter().all(|name| is_file_name(name)) {
        let message = format!("a name has at most {FILE_NAME_MAX} visible characters");
        return Err(Error::invalid("run.name", "name", message));
    }
    Ok(names.iter().map(|name| file_name(name)).collect())
}

fn reason(fault: &PartFault) -> Reason {
    let (code, part) = match fault {
        PartFault::Unreadable { part, .. } => ("run.file", *part),
        PartFault::None | PartFault::TooMany => ("run.parts", None),
        PartFault::Twice { part, .. } => ("run.part_twice", Some(*part)),
        PartFault::Whole { part, .. } => ("run.part_whole", Some(*part)),
        PartFault::OtherFormat { part, .. } => ("run.part_format", Some(*part)),
        PartFault::OtherSize { part } => ("run.part_size", Some(*part)),
        PartFault::OtherWells { part, .. } => ("run.part_wells", Some(*part)),
        PartFault::OtherNames { part, .. } => ("run.part_names", Some(*part)),
        PartFault::OtherOrigin { part, .. } => ("run.part_origin", Some(*part)),
        PartFault::SameChannel { part, .. } => ("run.part_channel", Some(*part)),
    };
    let about = part.map_or_else(|| "file".to_owned(), |part| format!("file[{part}]"));
    Reason::new(code, about, fault.to_string())
}

/// Gives targets and dyes that are none of the kit a number for a name: they stand where the plate
/// is empty, and nobody knows what was typed there.
pub(super) fn number_foreign_names(kit: &Kit, file: &mut RunFile) {
    let is_known = |name: &str| {
        let is_kit_s = |(_, target): (_, &Target)| target.is_named(name) || target.is_read_in(name);
        name.trim().is_empty() || is_dye(name) || kit.targets().any(is_kit_s)
    };
    // A file has a name for each reading and hardly ten different ones.
    let mut seen: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut numbered = 0;
    let mut clear = |name: &mut String| {
        if !seen.contains_key(name) {
            let is_foreign = !is_known(name);
            numbered += usize::from(is_foreign);
            seen.insert(name.clone(), is_foreign.then(|| format!("other {numbered}")));
        }
        if let Some(Some(given)) = seen.get(name) {
            name.clone_from(given);
        }
    };
    for reading in &mut file.readings {
        clear(&mut reading.target);
        clear(&mut reading.dye);
    }
    for curve in &mut file.curves {
        clear(&mut curve.target);
        clear(&mut curve.dye);
    }
}

/// Refuses a file with a NUL in what is kept of its readings: PostgreSQL has no text that holds one.
pub(super) fn refuse_nul(file: &RunFile) -> Result<()> {
    let holds_nul = |reading: &Reading| {
        [&reading.target, &reading.dye, &reading.raw_ct].iter().any(|text| text.contains('\0'))
    };
    if file.readings.iter().any(holds_nul) {
        let message = "a target, a dye or a Ct in the file holds a NUL; export the run again";
        return Err(Error::invalid("text.nul", "file", message));
    }
    Ok(())
}

/// What files are to the plate they came for.
pub(super) enum Coming {
    /// The files of this run of it.
    Same(String),
    /// A run of it that nobody brought yet.
    New(Vec<Part>),
}

/// What these files are to this plate: the run they are already, or a new one, in the place of the
/// run that is named, if one is. On another plate, or in other company, each is a conflict (R15).
pub(super) async fn coming(
    tx: &mut Tx,
    plate: &StoredPlate,
    files: &[SealedFile],
    replaces: Option<&str>,
) -> Result<Coming> {
    let digests: Vec<String> = files.iter().map(|file| file.sha256.clone()).collect();
    let known = runs::runs_by_files(tx, &digests).await?;
    let counted = |next: i64| -> Vec<Part> {
        let again =
            |known: &Option<KnownPart>| known.as_ref().map_or(0, |known| known.again + next);
        let parts = digests.iter().zip(&known);
        parts.map(|(sha256, known)| Part { sha256: sha256.clone(), again: again(known) }).collect()
    };
    let identity = runs::identity(&counted(0));
    let of_plate = |run: &RunOfPlate| run.plate_code == plate.code.as_str();
    let mut others: Vec<&RunOfPlate> = Vec::new();
    for run in known.iter().flatten().map(|known| &known.run) {
        if !others.contains(&run) {
            others.push(run);
        }
    }
    if let Some(run) = others.iter().find(|run| run.sha256 == identity && of_plate(run)) {
        let again = match replaces {
            Some(old) if run.id != old => replace::replaced_by(tx, old).await?,
            Some(_) => None,
            None => Some(run.id.clone()),
        };
        if again.as_ref() == Some(&run.id) {
            return Ok(Coming::Same(run.id.clone()));
        }
    }
    others.retain(|run| replaces.is_none() || !of_plate(run));
    if !others.is_empty() {
        return Err(Error::Conflict(others.iter().map(|run| used(run, &identity)).collect()));
    }
    let live = runs::run_live(tx, plate.code.as_str()).await?;
    match (replaces, live) {
        (Some(old), live) => {
            replace::refuse(tx, (plate.code.as_str(), old), live.as_ref()).await?;
            Ok(Coming::New(counted(1)))
        }
        (None, Some(run)) => Err(has_run(&run)),
        (None, None) if plate.stamped_onto.is_some() => Err(stamped(plate)),
        (None, None) if plate.state == "closed" => Err(Error::conflict(
            "run.plate_closed",
            plate.code.as_str(),
            format!("plate {} is closed; put its tubes on a new plate", plate.code),
        )),
        (None, None) => Ok(Coming::New(counted(0))),
    }
}

/// A plate has one run that counts.
fn has_run(run: &RunOfPlate) -> Error {
    let RunOfPlate { id, plate_code, .. } = run;
    let next = if run.state == "released" {
        "is released; what it told can only be amended".to_owned()
    } else {
        format!(
            "counts; bring another analysis of the same amplification with `replaces={id}` and its \
             `reason`, or make that run void and put its tubes on a new plate"
        )
    };
    let message = format!("plate {plate_code} has run {id} already, which {next}");
    Error::conflict("run.plate_has_run", id, message)
}

/// A stamped plate is run as part of the plate it was stamped onto.
fn stamped(plate: &StoredPlate) -> Error {
    let onto = plate.stamped_onto.as_ref().map_or_else(String::new, ToString::to_string);
    let message = format!(
        "plate {} was stamped onto plate {onto}; upload the file of that plate",
        plate.code
    );
    Error::conflict("run.plate_stamped", onto, message)
}

/// Why a file that is of this run cannot come in again.
fn used(run: &RunOfPlate, sha256: &str) -> Reason {
    let plate = &run.plate_code;
    if run.sha256 == sha256 {
        return Reason::new(
            "run.file_of_other_plate",
            plate,
            format!("this very file is the run of plate {plate}; choose the file of this plate"),
        );
    }
    let message = format!(
        "a file sent here is one of run {} of plate {plate}; send exactly the files of one run",
        run.id
    );
    Reason::new("run.part_used", &run.id, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::read;

    #[test]
    fn a_nul_in_a_dye_is_refused_and_a_dye_without_one_is_not() {
        let file = ",Well,Fluor,Target,Content,Sample,Cq\n,A01,FAM,ORF1ab,Unkn,T1,30\n";
        let mut run = read(file.as_bytes()).unwrap();
        assert!(refuse_nul(&run).is_ok());
        run.readings[0].dye.push('\0');
        let refused = refuse_nul(&run).unwrap_err();
        assert!(matches!(&refused, Error::Invalid(reasons) if reasons[0].code == "text.nul"));
    }

    #[test]
    fn names_that_are_none_of_the_kit_become_numbers_and_stay_apart() {
        let kit = Kit::find("orf1ab-n-ic", "1").unwrap();
        let file = ",Well,Fluor,Target,Content,Sample,Cq\n,A01,FAM,ORF1ab,Unkn,T1,30\n\
                    ,H11,FAM,Li Si,,,\n,H12,HEX,Zhang San,,,\n,H12,Zhang San,N,,,\n\
                    ,H12,FAM,Li Si,,,\n";
        let mut run = read(file.as_bytes()).unwrap();
        number_foreign_names(&kit, &mut run);
        let names: Vec<_> =
            run.readings.iter().map(|one| (one.target.as_str(), one.dye.as_str())).collect();
        let known = [("ORF1ab", "FAM"), ("other 1", "FAM"), ("other 2", "HEX"), ("N", "other 2")];
        assert_eq!(names, [&known[..], &[("other 1", "FAM")]].concat());
    }
}
