//! A box's temperature as a thermometer shows it.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};

/// The coldest a box can be: dry ice lies at -78.5 °C, and -100 °C is a misreading.
const MIN_C: i64 = -100;
/// The warmest a box can be and still be believed.
const MAX_C: i64 = 60;

/// Degrees Celsius in hundredths; a JSON number on the wire, `bigint` in the store.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type,
)]
#[sqlx(transparent)]
#[serde(try_from = "f64", into = "f64")]
pub struct Celsius(i64);

/// A number no thermometer in a box shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a box is between {MIN_C} and {MAX_C} degrees Celsius; read the thermometer again")]
pub struct Implausible;

impl Celsius {
    /// That many hundredths of a degree.
    pub const fn hundredths(hundredths: i64) -> Self {
        Self(hundredths)
    }
}

impl TryFrom<f64> for Celsius {
    type Error = Implausible;

    fn try_from(degrees: f64) -> Result<Self, Implausible> {
        let exact = Decimal::try_from(degrees).map_err(|_not_a_decimal| Implausible)?;
        let hundredths = exact.checked_mul(Decimal::ONE_HUNDRED).ok_or(Implausible)?.round();
        match hundredths.to_i64() {
            Some(hundredths) if (MIN_C * 100..=MAX_C * 100).contains(&hundredths) => {
                Ok(Self(hundredths))
            }
            _ => Err(Implausible),
        }
    }
}

impl From<Celsius> for f64 {
    fn from(celsius: Celsius) -> Self {
        Decimal::new(celsius.0, 2).to_f64().expect("hundredths of degrees are small numbers")
    }
}

impl std::fmt::Display for Celsius {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} °C", Decimal::new(self.0, 2).normalize())
    }
}

impl utoipa::PartialSchema for Celsius {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("degrees Celsius, -100 to 60, kept to the hundredth"))
            .build()
            .into()
    }
}

impl utoipa::ToSchema for Celsius {
    fn name() -> std::borrow::Cow<'static, str> {
        "Celsius".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_keeps_its_hundredths() {
        for (json, hundredths) in [("4.5", 450), ("-78.5", -7850), ("0", 0), ("4.129", 413)] {
            let celsius: Celsius = serde_json::from_str(json).unwrap();
            assert_eq!(celsius, Celsius::hundredths(hundredths), "{json}");
        }
        assert_eq!(serde_json::to_string(&Celsius::hundredths(450)).unwrap(), "4.5");
        assert_eq!(Celsius::hundredths(-7850).to_string(), "-78.5 °C");
    }

    #[test]
    fn what_no_thermometer_shows_is_refused() {
        for json in ["-100.1", "60.1", "1e300", "-1e300"] {
            assert!(serde_json::from_str::<Celsius>(json).is_err(), "{json}");
        }
        assert!(Celsius::try_from(f64::NAN).is_err());
        assert!(Celsius::try_from(f64::INFINITY).is_err());
    }
}
