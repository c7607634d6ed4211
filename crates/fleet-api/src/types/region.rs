//! Where instances run.

use super::word::open_words;

open_words! {
    /// A region. Fields that name one are plain text, because services have regions that this version does not know;
    /// a `Region` can be given wherever text is taken.
    pub enum Region {
        /// The west of the United States.
        #[default]
        UsWest1 = "us-west-1",
        /// The east of the United States.
        UsEast1 = "us-east-1",
        /// London.
        EuWest2 = "eu-west-2",
        /// For trying things out.
        Staging = "staging",
    }
}

impl Region {
    /// The regions that have an address of their own.
    pub const KNOWN: [Self; 4] = [Self::UsWest1, Self::UsEast1, Self::EuWest2, Self::Staging];

    /// The region's own address at Fleet's hosted service, which creates are sent to.
    pub fn base_url(&self) -> Option<&'static str> {
        match self {
            Self::UsWest1 => Some("https://us-west-1.fleetai.com"),
            Self::UsEast1 => Some("https://us-east-1.fleetai.com"),
            Self::EuWest2 => Some("https://eu-west-2.fleetai.com"),
            Self::Staging => Some("https://staging.fleetai.com"),
            Self::Other(_) => None,
        }
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_regions_have_the_address_that_their_name_says() {
        for region in Region::KNOWN {
            let expected = format!("https://{region}.fleetai.com");
            assert_eq!(region.base_url(), Some(expected.as_str()));
        }
        assert_eq!(Region::from("mars-1").base_url(), None);
    }
}
