//! Regions: what a message costs, may cost, and is allowed to go to is decided by region.
//!
//! Several regions can share a calling code: +1 is that of the United States, Canada and two dozen
//! islands, to which a message costs many times as much. So a bare calling code means its main region
//! (+1: the United States and Canada), and the others are named one by one.

use std::{collections::BTreeMap, fmt};

use super::numbering::{self, plans, plans_of};

/// A country or territory by its ISO 3166 code: `US`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(&'static str);

impl Region {
    /// Mainland China.
    pub const CHINA: Self = Self("CN");

    /// That of a number which no numbering plan knows.
    pub const UNKNOWN: Self = Self("ZZ");

    /// A region whose code is known when this is compiled. A test holds such codes to the numbering
    /// plans.
    pub(super) const fn known(code: &'static str) -> Self {
        Self(code)
    }

    /// The mobile number of a calling code that these digits are, without its trunk prefix, and its
    /// region.
    pub(super) fn of_mobile(code: u16, national: &str) -> Option<(&str, Self)> {
        let (number, region) = numbering::mobile(code, national)?;
        Some((number, Self(region)))
    }

    /// All regions that have a numbering plan.
    pub fn all() -> impl Iterator<Item = Self> {
        plans().map(|plan| Self(plan.region))
    }

    /// The region's calling code. `None` of [`Region::UNKNOWN`].
    pub(super) fn code(self) -> Option<u16> {
        let plan = plans().find(|plan| plan.region == self.0);
        plan.map(|plan| plan.code)
    }

    /// The regions that a name in the configuration means: a calling code (`86`, `1`), an ISO code
    /// (`JM`), or a calling code with an area code (`1876`). Empty when it means none.
    pub fn named(name: &str) -> Vec<Self> {
        if name == "1" {
            return vec![Self("US"), Self("CA")];
        }
        let is_area = |plan: &numbering::Plan| {
            let area = name.strip_prefix(&plan.code.to_string());
            area.is_some_and(|area| plan.is_area(area))
        };
        let by_code = calling_code(name).and_then(|code| plans_of(code).next());
        let by_region = || plans().find(|plan| plan.region == name);
        let plan = by_code.or_else(by_region);
        let plan = plan.or_else(|| plans().find(is_area));
        plan.map(|plan| Self(plan.region)).into_iter().collect()
    }

    /// Spreads a map by the regions' names in the configuration over the regions. What an ISO code or
    /// an area code says overrides what a bare calling code says.
    ///
    /// # Errors
    /// The first name that means no region.
    pub fn spread<T: Clone>(by_name: BTreeMap<String, T>) -> Result<BTreeMap<Self, T>, String> {
        let mut by_region = BTreeMap::new();
        let is_bare = |name: &str| {
            let code = calling_code(name);
            code.is_some_and(|code| plans_of(code).next().is_some())
        };
        let (bare, named): (Vec<_>, Vec<_>) =
            by_name.into_iter().partition(|(name, _)| is_bare(name));
        for (name, value) in bare.into_iter().chain(named) {
            let regions = Self::named(&name);
            if regions.is_empty() {
                return Err(name);
            }
            by_region.extend(regions.into_iter().map(|region| (region, value.clone())));
        }
        Ok(by_region)
    }
}

/// The calling code that a name has the form of.
fn calling_code(name: &str) -> Option<u16> {
    let code = name.parse().ok()?;
    (u16::to_string(&code) == name).then_some(code)
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Vec<String> {
        let regions = Region::named(name);
        regions.iter().map(Region::to_string).collect()
    }

    #[test]
    fn a_bare_calling_code_means_its_main_regions() {
        for (code, regions) in [
            ("86", vec!["CN"]),
            ("1", vec!["US", "CA"]),
            ("7", vec!["RU"]),
            ("44", vec!["GB"]),
            ("39", vec!["IT"]),
            ("47", vec!["NO"]),
            ("61", vec!["AU"]),
            ("212", vec!["MA"]),
            ("262", vec!["RE"]),
            ("358", vec!["FI"]),
            ("590", vec!["GP"]),
            ("599", vec!["CW"]),
        ] {
            assert_eq!(named(code), regions, "{code}");
        }
    }

    #[test]
    fn every_region_is_named_by_its_code_and_most_by_their_area_codes() {
        for plan in plans() {
            assert_eq!(named(plan.region), [plan.region]);
        }
        for (name, region) in [
            ("1876", "JM"),
            ("1658", "JM"),
            ("1809", "DO"),
            ("1829", "DO"),
            ("1268", "AG"),
            ("1787", "PR"),
            ("77", "KZ"),
        ] {
            assert_eq!(named(name), [region], "{name}");
        }
        for nothing in ["", "0", "086", "999", "1999", "XX", "us", "ZZ", "+1"] {
            assert_eq!(named(nothing), [""; 0], "{nothing}");
        }
    }

    #[test]
    fn a_region_knows_its_calling_code() {
        assert_eq!(Region::CHINA.code(), Some(86));
        assert_eq!(Region::known("JM").code(), Some(1));
        assert_eq!(Region::UNKNOWN.code(), None);
    }

    #[test]
    fn what_an_iso_or_area_code_says_overrides_a_bare_calling_code() {
        let by_name = [("CA", 2), ("1", 1), ("1876", 3), ("86", 4)];
        let by_name = by_name.map(|(name, n)| (name.to_owned(), n)).into();
        let by_region = Region::spread(by_name).unwrap();
        let expected = [("CA", 2), ("CN", 4), ("JM", 3), ("US", 1)];
        assert_eq!(
            by_region,
            expected.map(|(id, n)| (Region::known(id), n)).into()
        );
        let nowhere = BTreeMap::from([("999".to_owned(), 1)]);
        assert_eq!(Region::spread(nowhere), Err("999".to_owned()));
    }
}
