//! Bio-Rad CFX Manager and Maestro, `Quantification Cq Results` and `Quantification Summary`
//! (`formats.md` section 4). The target is usually empty and the dye is the key.

use super::metadata::Metadata;
use super::results::{DecimalMark, Source};
use super::table::Table;
use super::text::{Text, delimited};
use super::{Format, Refusal, RunFile};
use crate::error::Reason;

/// Reads the table separated by `delimiter`; with semicolons the fraction follows a comma.
pub(super) fn csv(
    text: &Text,
    delimiter: u8,
    detected_by: Vec<Reason>,
) -> Result<RunFile, Refusal> {
    let rows = delimited(&text.content, delimiter, 1)?;
    let (_, table) = Table::split(rows, text.open_end())
        .ok_or(Refusal::NoResults { missing: "there is no results table with a well column" })?;
    let mark = if delimiter == b';' { DecimalMark::Comma } else { DecimalMark::Point };
    Source {
        format: Format::BioRadCfx,
        detected_by,
        metadata: Metadata::default(),
        table,
        mark,
        warnings: text.warning.clone().into_iter().collect(),
    }
    .read()
}
