//! Of which instrument a run is: what its file says, else what whoever brings it says.

use serde::Serialize;

use super::answer::RunAnswer;
use crate::error::{Error, Reason, Result};
use crate::instrument::RunFile;

/// Who says of which instrument a run is. It stands in the run's audit row: a maker gives a serial
/// number once in the world, and what somebody types is known in their laboratory alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SerialFrom {
    /// The file itself.
    File,
    /// Whoever brought it.
    Upload,
}

/// Calls the instrument as whoever brings the run does, where its file does not say. Gives who says
/// it; none where nobody does.
pub(super) fn name(file: &mut RunFile, stated: Option<&str>) -> Result<Option<SerialFrom>> {
    let of_file = file.serial_code().map(|_| SerialFrom::File);
    let Some(stated) = stated else { return Ok(of_file) };
    if file.name_instrument(stated) {
        return Ok(of_file.or(Some(SerialFrom::Upload)));
    }
    let message = "an instrument is called by its serial or inventory number: at most 40 letters, \
                   figures and -_./ with one to ten figures among them; give that";
    Err(Error::invalid("run.instrument", "instrument", message))
}

/// A warning when nothing says of which instrument the run is.
pub(super) fn nameless(file: &RunFile) -> Option<Reason> {
    let message = "the file does not hold the instrument's serial number; say ?instrument= with the \
                   file, else every instrument of the type shares its charts";
    file.serial_code().is_none().then(|| Reason::new("run.no_serial", "instrument", message))
}

/// A run that is there already keeps the instrument it was brought with.
pub(super) fn same(answer: RunAnswer, stated: Option<&str>, file: &RunFile) -> Result<RunAnswer> {
    if stated.is_none() || answer.serial == file.serial_code().unwrap_or_default() {
        return Ok(answer);
    }
    let run = answer.id.unwrap_or_default();
    let message = format!(
        "this is run {run}, which was brought in with another instrument; leave it out, or, as long \
         as nobody was told a result, send the file with `replaces={run}&reason=wrong_instrument`"
    );
    Err(Error::conflict("run.other_instrument", "instrument", message))
}
