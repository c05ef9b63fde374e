//! Countries that issue documents.

/// The countries of ISO 3166-1 by their alpha-3 codes, in order (iso-codes 4, 249 of them).
const COUNTRIES: &str = "\
    ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD \
    BGR BHR BHS BIH BLM BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR \
    COD COG COK COL COM CPV CRI CUB CUW CXR CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH \
    ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN GLP GMB GNB GNQ GRC GRD GRL \
    GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR \
    JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR \
    MCO MDA MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL \
    NER NFK NGA NIC NIU NLD NOR NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY \
    PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP \
    SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON TTO TUN TUR TUV TWN TZA \
    UGA UKR UMI URY USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE";
/// Issuers that are no country of ISO 3166-1, as machine-readable documents name them
/// (ICAO Doc 9303-3, section 5): kinds of British nationality, the European Union, Kosovo, the
/// United Nations, international bodies, and documents of stateless people and of refugees.
const OTHERS: &str = "\
    EUE GBD GBN GBO GBP GBS RKS UNA UNK UNO XBA XCC XCE XCO XEC XES XIM XMP XOM XPO XXA XXB XXC XXX";

/// Whether these are the three letters of an issuer; normalised before.
pub(super) fn is_issuer(code: &str) -> bool {
    code.len() == 3 && [COUNTRIES, OTHERS].iter().any(|list| list.split(' ').any(|one| one == code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_known_and_whatever_is_none_is_not() {
        for code in ["CHN", "DEU", "GBR", "HKG", "TWN", "USA", "XXA", "UNO"] {
            assert!(is_issuer(code), "{code}");
        }
        for code in ["", "US", "usa", "UAS", "D", "USA GBR", " US", "SU ", "UTO"] {
            assert!(!is_issuer(code), "{code}");
        }
    }

    #[test]
    fn the_lists_are_in_order_and_three_letters_each() {
        let countries: Vec<_> = COUNTRIES.split(' ').collect();
        assert_eq!(countries.len(), 249, "ISO 3166-1 names 249");
        for list in [&countries, &OTHERS.split(' ').collect::<Vec<_>>()] {
            assert!(list.is_sorted());
            let is_code =
                |code: &&str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
            assert!(list.iter().all(is_code));
        }
    }
}
