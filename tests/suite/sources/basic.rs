//! Fetch, process, deliver.

use std::fs;

use super::Site;

#[test]
fn a_file_is_fetched_processed_and_answered_on_the_server() {
    let site = Site::new();
    let (_, good) = site.put_good("N1", 1, 250);
    site.put("ACME_PAYCARDS_BAD.csv.jwe", "no token");
    site.put("ACME_PAYCARDS_LATER.csv.jwe.part", "no token");
    site.world.once().expect(3);

    let names: Vec<String> =
        ["ack.json", "recon.csv", "summary.json"].iter().map(|end| format!("{good}.{end}")).collect();
    for name in &names {
        let (here, there) = (site.world.out().at(name), site.delivered(name));
        assert_eq!(fs::read(here).unwrap(), fs::read(there).unwrap(), "{name}");
    }
    assert_eq!(site.world.out().recon(&good).trailer[1], 250);
    site.world.out().refused("ACME_PAYCARDS_BAD", "ENVELOPE_REFUSED");
    assert!(site.delivered("ACME_PAYCARDS_BAD.ack.json").exists());
    assert_eq!(site.there("in").len(), 4, "{:?}", site.there("in"));
    assert_eq!(site.there("out"), ["ACME_PAYCARDS_LATER.csv.jwe.part"], "what is done with is gone from there");

    // Nothing of it is done a second time.
    site.world.once().expect(0);
    assert_eq!(site.there("in").len(), 4);
}
