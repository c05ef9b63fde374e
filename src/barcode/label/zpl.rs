//! Labels for label printers, in Zebra's ZPL II (Zebra Programming Guide P1012728).
//!
//! For 50.8 x 25.4 mm labels at 203 dots an inch (8 dots a millimetre); lengths are in dots.
//! Characters outside Latin print only where the printer holds a font that has them.

use super::Label;
use super::symbol::{MODULES_MAX, QUIET, sets, symbol};

const WIDTH: u16 = 406;
const HEIGHT: u16 = 203;

/// Dots in a module: 0.25 mm.
const MODULE: u16 = 2;

const _: () = assert!((MODULES_MAX + 2 * QUIET) * MODULE <= WIDTH);

/// One label format for every label, one after the other, in UTF-8 (`^CI28`).
///
/// The bars are those of the sheets: character sets are chosen by invocation codes (`>:` starts
/// in B, `>5` turns to C, `>6` back to B) and not left to the printer.
pub fn zpl(labels: &[Label]) -> String {
    labels.iter().map(format_of).collect()
}

fn format_of(label: &Label) -> String {
    let left = (WIDTH - symbol(label.code()).modules * MODULE) / 2;
    let line = label.line().map_or_else(String::new, |line| {
        format!("^FO{left},16^A0N,24,24^FH_^FD{}^FS", escaped(line))
    });
    let data: String = sets(label.code())
        .into_iter()
        .zip([">:", ">5", ">6"])
        .filter(|((_, part), _)| !part.is_empty())
        .flat_map(|((_, part), invocation)| [invocation, part])
        .collect();
    format!(
        "^XA^CI28^PW{WIDTH}^LL{HEIGHT}{line}\
         ^FO{left},48^BY{MODULE}^BCN,96,N,N,N^FD{data}^FS\
         ^FO0,156^FB{WIDTH},1,0,C^A0N,32,32^FD{}^FS^XZ\n",
        label.code()
    )
}

/// A text of which no character is read as a command: what is not a letter, a digit or a blank
/// goes as the hexadecimal bytes that `^FH_` announces.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || byte == b' ' {
                char::from(byte).to_string()
            } else {
                format!("_{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_format_with_bars_and_code() {
        let zpl = zpl(&[Label::new("T0000000001T", None).unwrap()]);
        assert_eq!(
            zpl,
            "^XA^CI28^PW406^LL203^FO69,48^BY2^BCN,96,N,N,N^FD>:T>50000000001>6T^FS\
             ^FO0,156^FB406,1,0,C^A0N,32,32^FDT0000000001T^FS^XZ\n"
        );
    }

    #[test]
    fn a_check_digit_goes_with_the_pairs() {
        let zpl = zpl(&[Label::new("T99999999996", None).unwrap()]);
        assert!(zpl.contains("^FD>:T9>59999999996^FS"), "{zpl}");
    }

    #[test]
    fn every_label_has_its_own_format() {
        let label = Label::new("T0000000048*", None).unwrap();
        let zpl = zpl(&[label.clone(), label.clone(), label]);
        assert_eq!((zpl.matches("^XA").count(), zpl.matches("^XZ").count()), (3, 3));
        assert!(zpl.contains(">6*^FS"));
    }

    #[test]
    fn a_line_cannot_give_the_printer_commands() {
        let label = Label::new("T0000000001T", Some("A^XZ~JA_ 采")).unwrap();
        let zpl = zpl(&[label]);
        assert!(zpl.contains("^FH_^FDA_5EXZ_7EJA_5F _E9_87_87^FS"), "{zpl}");
        assert!(!zpl.contains('~') && zpl.is_ascii());
    }
}
