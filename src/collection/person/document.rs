//! Identity documents: which there are and what their numbers look like.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::issuer::is_issuer;
use crate::barcode::check::mod_11_2;
use crate::clock::Time;
use crate::seal::{KeyRing, PersonKey};

/// How many characters a resident ID number has (GB 11643-1999).
const RESIDENT_ID_LENGTH: usize = 18;
/// Where the date of birth stands in it.
const BIRTH: std::ops::Range<usize> = 6..14;
/// The oldest year of birth believed.
const BIRTH_YEAR_MIN: i16 = 1890;

/// Which document a person showed.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DocumentType {
    /// Resident identity card, 18 characters with a check character (GB 11643-1999).
    ResidentId,
    /// Residence permit for residents of Hong Kong, Macao and Taiwan, numbered like the card.
    ResidencePermit,
    /// A passport of any country.
    Passport,
    /// Mainland travel permit of residents of Hong Kong and Macao: `H` or `M` and digits.
    HongKongMacaoPermit,
    /// Mainland travel permit of residents of Taiwan: digits.
    TaiwanPermit,
    /// Permanent residence card of a foreigner: three letters and twelve digits, or 18 characters.
    ForeignResidence,
    /// Any other document, such as a birth certificate.
    Other,
}

impl DocumentType {
    /// Every type.
    pub const ALL: [Self; 7] = [
        Self::ResidentId,
        Self::ResidencePermit,
        Self::Passport,
        Self::HongKongMacaoPermit,
        Self::TaiwanPermit,
        Self::ForeignResidence,
        Self::Other,
    ];

    /// The word the person key is made with; it never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResidentId => "resident_id",
            Self::ResidencePermit => "residence_permit",
            Self::Passport => "passport",
            Self::HongKongMacaoPermit => "hong_kong_macao_permit",
            Self::TaiwanPermit => "taiwan_permit",
            Self::ForeignResidence => "foreign_residence",
            Self::Other => "other",
        }
    }

    /// Whether many countries issue it, each with numbers of its own; the others are China's.
    pub const fn has_issuer(self) -> bool {
        matches!(self, Self::Passport | Self::Other)
    }
}

/// Why a number is not one of its type; the number itself is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotADocument {
    /// Not the characters such a number has.
    #[error("the number does not have the form of its document type; read the document again")]
    Shape,
    /// The check character does not fit.
    #[error("the check character does not fit: the number was misread; read the card again")]
    Check,
    /// The date of birth in it is none, or lies ahead.
    #[error("the date of birth in the number cannot be; read the card again")]
    Birth,
    /// Nothing says which country's it is.
    #[error(
        "passports of different countries share numbers; name the issuing country in three letters"
    )]
    IssuerMissing,
    /// No such country.
    #[error(
        "the issuer is no country of ISO 3166-1 alpha-3; copy the three letters from the document"
    )]
    IssuerUnknown,
    /// China alone issues such documents.
    #[error("only passports and other documents have an issuer; leave it out or correct the type")]
    IssuerUnwanted,
}

impl NotADocument {
    /// The field of a document that is wrong.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Shape | Self::Check | Self::Birth => "number",
            Self::IssuerMissing | Self::IssuerUnknown | Self::IssuerUnwanted => "issuer",
        }
    }
}

/// A document as somebody names it, at a swab or asking for a result.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// Which document.
    pub kind: DocumentType,
    /// Whose: three letters, for passports and other documents.
    pub issuer: Option<&'a str>,
    /// Its number.
    pub number: &'a str,
}

impl Shown<'_> {
    /// The key of the person with this document. It covers the issuer, because an American and a
    /// British passport are both nine digits.
    pub fn key(self, keys: &KeyRing) -> PersonKey {
        let mut document = self.kind.as_str().to_owned();
        if let Some(issuer) = self.issuer {
            document.push(' ');
            document.push_str(&normalise(issuer));
        }
        keys.person_key(&document, &normalise(self.number))
    }

    /// Whether an issuer is named exactly where there can be one (ISO 3166-1 alpha-3).
    pub fn issuer_fault(self) -> Option<NotADocument> {
        match (self.kind.has_issuer(), self.issuer) {
            (true, None) => Some(NotADocument::IssuerMissing),
            (false, Some(_)) => Some(NotADocument::IssuerUnwanted),
            (true, Some(issuer)) if !is_issuer(&normalise(issuer)) => {
                Some(NotADocument::IssuerUnknown)
            }
            (true, Some(_)) | (false, None) => None,
        }
    }
}

/// A document with a normalised, plausible number.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    kind: DocumentType,
    issuer: Option<String>,
    number: String,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Document").field(&self.kind).finish_non_exhaustive()
    }
}

/// The one way a number or an issuer is written: trimmed, in upper case.
fn normalise(text: &str) -> String {
    text.trim().to_uppercase()
}

impl Document {
    /// Reads a document, or says everything that is wrong with it. `today` bounds a date of
    /// birth.
    pub fn parse(shown: Shown<'_>, today: Time) -> Result<Self, Vec<NotADocument>> {
        let Shown { kind, issuer, number } = shown;
        let number = normalise(number);
        let faults = [shown.issuer_fault(), Self::number_check(kind, &number, today).err()];
        let faults: Vec<_> = faults.into_iter().flatten().collect();
        let issuer = issuer.map(normalise);
        if faults.is_empty() { Ok(Self { kind, issuer, number }) } else { Err(faults) }
    }

    fn number_check(kind: DocumentType, number: &str, today: Time) -> Result<(), NotADocument> {
        let shaped = match kind {
            DocumentType::ResidentId | DocumentType::ResidencePermit => {
                return resident_id_check(number, today);
            }
            DocumentType::Passport => (5..=20).contains(&number.len()) && is_alphanumeric(number),
            DocumentType::HongKongMacaoPermit => {
                let digits = number.strip_prefix(['H', 'M']).unwrap_or_default();
                matches!(digits.len(), 8 | 10) && is_digits(digits)
            }
            DocumentType::TaiwanPermit => matches!(number.len(), 8 | 10) && is_digits(number),
            DocumentType::ForeignResidence if number.len() == RESIDENT_ID_LENGTH => {
                return resident_id_check(number, today);
            }
            DocumentType::ForeignResidence => {
                number.split_at_checked(3).is_some_and(|(letters, digits)| {
                    letters.bytes().all(|byte| byte.is_ascii_uppercase())
                        && digits.len() == 12
                        && is_digits(digits)
                })
            }
            DocumentType::Other => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                (3..=32).contains(&number.len()) && number.bytes().all(plain)
            }
        };
        if shaped { Ok(()) } else { Err(NotADocument::Shape) }
    }

    /// Which document.
    pub const fn kind(&self) -> DocumentType {
        self.kind
    }

    /// Whose it is, normalised; none for China's own.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The key of the person it belongs to.
    pub fn key(&self, keys: &KeyRing) -> PersonKey {
        Shown { kind: self.kind, issuer: self.issuer(), number: &self.number }.key(keys)
    }

    /// Its number, normalised.
    pub fn number(&self) -> &str {
        &self.number
    }
}

/// Checks a number of GB 11643-1999: 17 digits, of which eight are a date of birth no later than
/// `today`, and an ISO 7064 MOD 11-2 check character. The region is not checked: it changes, and
/// numbers given out under an old one stay good.
pub fn resident_id_check(number: &str, today: Time) -> Result<(), NotADocument> {
    let (body, check) = match number.split_at_checked(RESIDENT_ID_LENGTH - 1) {
        Some((body, check)) if check.len() == 1 && is_digits(body) => (body, check),
        _ => return Err(NotADocument::Shape),
    };
    if !matches!(check.as_bytes(), [b'0'..=b'9' | b'X']) {
        return Err(NotADocument::Shape);
    }
    if mod_11_2(body) != check.chars().next() {
        return Err(NotADocument::Check);
    }
    if born(&body[BIRTH], today) { Ok(()) } else { Err(NotADocument::Birth) }
}

/// Whether eight digits are a day somebody alive may have been born on. The day before may
/// already have begun in China when it has not in UTC, so a day is allowed for.
fn born(digits: &str, today: Time) -> bool {
    let part = |range: std::ops::Range<usize>| digits[range].parse::<i16>().ok();
    let day = |range| part(range).and_then(|number| i8::try_from(number).ok());
    let date = match (part(0..4), day(4..6), day(6..8)) {
        (Some(year), Some(month), Some(day)) => jiff::civil::Date::new(year, month, day).ok(),
        _ => None,
    };
    let tomorrow = jiff::Timestamp::from_microsecond((today + crate::clock::Span::days(1)).us())
        .map(|moment| moment.to_zoned(jiff::tz::TimeZone::UTC).date());
    match (date, tomorrow) {
        (Some(date), Ok(tomorrow)) => date.year() >= BIRTH_YEAR_MIN && date <= tomorrow,
        _ => false,
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const TODAY: &str = "2020-06-21T00:00:00Z";

    /// A number that belongs to nobody: region 999999 was never assigned.
    pub(crate) fn number(region_and_birth: &str, serial: &str) -> String {
        let body = format!("{region_and_birth}{serial}");
        let check = mod_11_2(&body).unwrap();
        format!("{body}{check}")
    }

    fn parse(kind: DocumentType, number: &str) -> Result<Document, NotADocument> {
        let issuer = kind.has_issuer().then_some("USA");
        let shown = Shown { kind, issuer, number };
        Document::parse(shown, TODAY.parse().unwrap()).map_err(|faults| {
            assert_eq!(faults.len(), 1, "{faults:?}");
            faults[0]
        })
    }

    #[test]
    fn passports_of_two_countries_with_one_number_belong_to_two_people() {
        let keys = KeyRing::generate();
        let key =
            |kind, issuer: Option<&str>| Shown { kind, issuer, number: "123456789" }.key(&keys);
        let american = key(DocumentType::Passport, Some("USA"));
        assert_eq!(key(DocumentType::Passport, Some(" usa")), american);
        let others = [
            key(DocumentType::Passport, Some("GBR")),
            key(DocumentType::Passport, None),
            key(DocumentType::Other, Some("USA")),
            key(DocumentType::TaiwanPermit, None),
        ];
        assert!(!others.contains(&american));
        let document = parse(DocumentType::Passport, " e12345678").unwrap();
        let shown = Shown { kind: document.kind(), issuer: Some("usa"), number: "E12345678 " };
        assert_eq!(document.key(&keys), shown.key(&keys));
        assert_eq!(document.issuer(), Some("USA"));
    }

    #[test]
    fn an_issuer_is_named_exactly_where_there_can_be_one() {
        for kind in DocumentType::ALL {
            let fault = |issuer| Shown { kind, issuer, number: "1" }.issuer_fault();
            if kind.has_issuer() {
                assert_eq!(fault(Some("gbr ")), None);
                assert_eq!(fault(Some("UK")), Some(NotADocument::IssuerUnknown));
                assert_eq!(fault(None), Some(NotADocument::IssuerMissing));
            } else {
                assert_eq!(fault(None), None, "{kind:?}");
                assert_eq!(fault(Some("CHN")), Some(NotADocument::IssuerUnwanted), "{kind:?}");
            }
        }
        let shown = Shown { kind: DocumentType::Passport, issuer: None, number: "?" };
        let faults = Document::parse(shown, TODAY.parse().unwrap()).unwrap_err();
        let fields: Vec<_> = faults.into_iter().map(NotADocument::field).collect();
        assert_eq!(fields, ["issuer", "number"]);
    }

    #[test]
    fn the_examples_of_the_standard_are_resident_id_numbers() {
        // GB 11643-1999, the two numbers in its text.
        for number in ["11010519491231002X", "440524188001010014"] {
            let parsed = parse(DocumentType::ResidentId, number);
            let old = &number[6..10] < "1890";
            assert_eq!(parsed.is_ok(), !old, "{number}");
        }
        let lower = parse(DocumentType::ResidentId, " 11010519491231002x ").unwrap();
        assert_eq!(lower.number(), "11010519491231002X");
    }

    #[test]
    fn a_wrong_check_a_wrong_day_and_a_wrong_form_are_told_apart() {
        let resident = |number: &str| parse(DocumentType::ResidentId, number).unwrap_err();
        assert_eq!(resident("110105194912310021"), NotADocument::Check);
        for birth in ["20200231", "20200623", "18891231", "20001301", "00000000"] {
            assert_eq!(resident(&number(&format!("999999{birth}"), "001")), NotADocument::Birth);
        }
        for text in [
            "",
            "1101051949123100",
            "11010519491231002Y",
            "1101051949123100é",
            "１10105194912310020",
        ] {
            assert_eq!(resident(text), NotADocument::Shape, "{text}");
        }
        assert!(parse(DocumentType::ResidentId, &number("99999920200621", "001")).is_ok());
    }

    #[test]
    fn each_type_knows_its_own_numbers() {
        let sound = [
            (DocumentType::Passport, "e12345678"),
            (DocumentType::HongKongMacaoPermit, "H12345678"),
            (DocumentType::HongKongMacaoPermit, "M1234567801"),
            (DocumentType::TaiwanPermit, "12345678"),
            (DocumentType::ForeignResidence, "usa110123456789"),
            (DocumentType::Other, "b-1234"),
        ];
        for (kind, number) in sound {
            assert!(parse(kind, number).is_ok(), "{kind:?} {number}");
        }
        let wrong = [
            (DocumentType::Passport, "E123 456"),
            (DocumentType::Passport, "E1"),
            (DocumentType::HongKongMacaoPermit, "12345678"),
            (DocumentType::HongKongMacaoPermit, "H1234567"),
            (DocumentType::TaiwanPermit, "1234567A"),
            (DocumentType::ForeignResidence, "US1110123456789"),
            (DocumentType::ForeignResidence, "usa11012345678é"),
            (DocumentType::Other, "b\0c"),
        ];
        for (kind, number) in wrong {
            assert_eq!(parse(kind, number), Err(NotADocument::Shape), "{kind:?} {number}");
        }
    }

    #[test]
    fn the_word_on_the_wire_is_the_word_of_the_key() {
        for kind in DocumentType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn nothing_prints_a_number() {
        let document = parse(DocumentType::Passport, "E12345678").unwrap();
        assert!(!format!("{document:?}").contains("E1234"));
    }
}
