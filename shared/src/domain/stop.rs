//! The operator's switch: which sends are stopped, whatever the configuration says.

use super::region::Region;

/// Which sends are stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stop {
    /// None.
    #[default]
    Nothing,
    /// All.
    All,
    /// Those to these regions.
    Regions(Vec<Region>),
}

impl Stop {
    /// Stops the sends to the regions that these names mean. A name that means none stops all: a switch
    /// that is hard to read stops too much rather than too little.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut regions = Vec::new();
        for name in names {
            let named = Region::named(name.trim());
            if named.is_empty() {
                return Self::All;
            }
            regions.extend(named);
        }
        if regions.is_empty() {
            return Self::All;
        }
        Self::Regions(regions)
    }

    /// Whether sends to a region are stopped.
    pub fn holds(&self, region: Region) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Regions(regions) => regions.contains(&region),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_holds_the_regions_it_names() {
        let (us, jamaica) = (Region::known("US"), Region::known("JM"));
        assert!(!Stop::Nothing.holds(us));
        assert!(Stop::All.holds(us));
        let america = Stop::named(["1"]);
        assert!(america.holds(us) && !america.holds(jamaica) && !america.holds(Region::CHINA));
        let two = Stop::named(["JM", " 86"]);
        assert!(!two.holds(us) && two.holds(jamaica) && two.holds(Region::CHINA));
    }

    #[test]
    fn what_cannot_be_read_stops_all() {
        assert_eq!(Stop::named(["86", "Jamaica"]), Stop::All);
        assert_eq!(Stop::named([]), Stop::All);
    }
}
