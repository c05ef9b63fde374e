//! Applied Biosystems exports: 7500, `QuantStudio` 3/5/6/7/12K Flex and `ViiA` 7
//! (`formats.md` section 1).

use super::amplification::Amplification;
use super::detect::section_name;
use super::metadata::Metadata;
use super::results::{DecimalMark, Source};
use super::table::{MAX_ROWS, Table};
use super::text::{Text, tabbed};
use super::{Format, Refusal, RunFile};
use crate::error::Reason;

/// Reads the text export: metadata lines with `*`, then blocks named in brackets.
pub(super) fn text(text: &Text, detected_by: Vec<Reason>) -> Result<RunFile, Refusal> {
    let mut starred = Vec::new();
    let mut rows = Vec::new();
    let (mut curves, mut in_curves) = (Amplification::default(), false);
    let mut section = None;
    for (number, line) in (1..).zip(text.content.lines()) {
        if let Some(name) = section_name(line) {
            section = Some(name);
            in_curves = Amplification::is_named(name);
        } else if section.is_none() {
            starred.extend(line.strip_prefix('*'));
        } else if section == Some("Results") {
            if rows.len() == MAX_ROWS {
                return Err(Refusal::TooManyRows);
            }
            rows.push(tabbed(line, number)?);
        } else if in_curves {
            curves.line(line);
        }
    }
    if text.open_end() && in_curves {
        curves.cut_last();
    }
    if rows.is_empty() {
        if text.open_end() {
            return Err(Refusal::cut(
                "the text ends in the middle of a line before any row of [Results]",
            ));
        }
        return Err(Refusal::NoResults { missing: "there is no [Results] section with rows" });
    }
    let open_end = text.open_end() && section == Some("Results");
    let (_, table) = Table::split(rows, open_end)
        .ok_or(Refusal::NoResults { missing: "the [Results] section has no header with a well" })?;
    let metadata = Metadata::from_lines(starred.into_iter(), '=');
    let stated = metadata.plate_size();
    let mut run = Source {
        format: Format::AppliedBiosystemsText,
        detected_by,
        metadata,
        table,
        mark: DecimalMark::Point,
        warnings: text.warning.clone().into_iter().collect(),
    }
    .read()?;
    curves.add_to(&mut run, stated);
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Well\tWell Position\tSample Name\tTarget Name\tCT";

    fn warnings(rows: &[&str]) -> Vec<String> {
        let content =
            format!("* Block Type = 96alum\n\n[Results]\n{HEADER}\n{}\n", rows.join("\n"));
        let run = text(&Text::decode(content.as_bytes()), Vec::new()).unwrap();
        run.warned().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_number_beside_the_wrong_position_is_said() {
        assert_eq!(warnings(&["1.0\tA1\tT1\tN1\t30", "13\tB1\tT2\tN1\t30"]), [""; 0]);
        let odd = warnings(&["1\tA1\tT1\tN1\t30", "5\tB1\tT2\tN1\t30"]);
        assert_eq!(odd.len(), 1);
        assert!(odd[0].contains("disagree in B1"), "{odd:?}");
    }

    #[test]
    fn a_name_without_a_target_is_said_and_an_empty_well_is_not() {
        assert_eq!(warnings(&["1\tA1\tT1\tN1\t30", "2\tA2\t\t\t"]), [""; 0]);
        let idle = warnings(&["1\tA1\tT1\tN1\t30", "2\tA2\tT2\t\t"]);
        assert_eq!(idle, ["a sample but no target in A2; there is no reading of it"]);
    }

    #[test]
    fn a_ct_without_a_target_is_not_lost() {
        let content = format!("[Results]\n{HEADER}\n1\tA1\tT1\t\t30\n");
        let run = text(&Text::decode(content.as_bytes()), Vec::new()).unwrap();
        assert_eq!(run.readings.len(), 1);
    }

    #[test]
    fn of_two_ct_columns_the_method_decides() {
        let content = "* Quantification Cycle Method = Crt\n[Results]\n\
                       Well\tTarget Name\tCT\tCRT\nA1\tN1\t30\t31\n";
        let run = text(&Text::decode(content.as_bytes()), Vec::new()).unwrap();
        assert_eq!(run.readings[0].raw_ct, "31");
    }
}
