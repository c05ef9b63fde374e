//! Applied Biosystems exports: 7500, `QuantStudio` 3/5/6/7/12K Flex and `ViiA` 7
//! (`formats.md` section 1).

use super::detect::section_name;
use super::metadata::Metadata;
use super::results::{DecimalMark, Source};
use super::table::{MAX_ROWS, Table};
use super::text::{Text, tabbed};
use super::{Format, Refusal, RunFile};

/// Reads the text export: metadata lines with `*`, then blocks named in brackets.
pub(super) fn text(text: &Text, detected_by: Vec<String>) -> Result<RunFile, Refusal> {
    let mut starred = Vec::new();
    let mut rows = Vec::new();
    let mut section = None;
    for (number, line) in (1..).zip(text.content.lines()) {
        if let Some(name) = section_name(line) {
            section = Some(name);
        } else if section.is_none() {
            starred.extend(line.strip_prefix('*'));
        } else if section == Some("Results") {
            if rows.len() == MAX_ROWS {
                return Err(Refusal::TooManyRows);
            }
            rows.push(tabbed(line, number)?);
        }
    }
    if rows.is_empty() {
        return Err(Refusal::NoResults { missing: "there is no [Results] section with rows" });
    }
    let open_end = text.open_end() && section == Some("Results");
    let (_, table) = Table::split(rows, open_end)
        .ok_or(Refusal::NoResults { missing: "the [Results] section has no header with a well" })?;
    Source {
        format: Format::AppliedBiosystemsText,
        detected_by,
        metadata: Metadata::from_lines(starred.into_iter(), '='),
        table,
        mark: DecimalMark::Point,
        warnings: text.warning.clone().into_iter().collect(),
    }
    .read()
}
