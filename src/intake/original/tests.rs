use std::fs;

use super::*;
use crate::intake::testing::World;

fn remove(world: &World, name: &str, identity: &Identity) -> Removal {
    remove_original(&world.inbound, name, identity).unwrap()
}

#[test]
fn the_claimed_file_and_its_marker_go_and_nothing_else() {
    let world = World::new();
    for name in ["A.csv", "A.csv.done", "B.csv", "B.csv.done"] {
        world.put(name, name);
    }
    let identity = world.identity("A.csv");
    assert_eq!(remove(&world, "A.csv", &identity), Removal::Removed);
    assert_eq!(world.lying(), ["B.csv", "B.csv.done"]);
    assert_eq!(remove(&world, "A.csv", &identity), Removal::Gone);
    assert_eq!(world.lying(), ["B.csv", "B.csv.done"]);
}

#[test]
fn a_file_that_changed_stays_with_its_marker() {
    type Change = fn(&World);
    let changes: [(&str, Change); 5] = [
        ("grown", |world| world.append("A.csv", "more")),
        ("rewritten", |world| world.rewrite_in_place("A.csv", "two")),
        ("replaced", |world| world.replace("A.csv", "one")),
        ("linked", |world| fs::hard_link(world.inbound.join("A.csv"), world.work.join("link")).unwrap()),
        ("a directory", |world| {
            fs::remove_file(world.inbound.join("A.csv")).unwrap();
            fs::create_dir(world.inbound.join("A.csv")).unwrap();
        }),
    ];
    for (what, change) in changes {
        let world = World::new();
        world.put("A.csv", "one");
        world.put("A.csv.done", "");
        let identity = world.identity("A.csv");
        change(&world);
        let after = world.identity("A.csv");
        assert_eq!(remove(&world, "A.csv", &identity), Removal::Changed, "{what}");
        assert_eq!(world.lying(), ["A.csv", "A.csv.done"], "{what}");
        assert_eq!(world.identity("A.csv"), after, "{what}: it is not even touched");
    }
}

#[test]
fn a_file_that_takes_the_place_at_the_last_moment_is_put_back() {
    let world = World::new();
    world.put("A.csv", "one");
    world.put("A.csv.done", "");
    let identity = world.identity("A.csv");
    let removal = remove_with(&world.inbound, "A.csv", &identity, || world.replace("A.csv", "two")).unwrap();
    assert_eq!(removal, Removal::Changed);
    assert_eq!(world.lying(), ["A.csv", "A.csv.done"]);
    assert_eq!(world.read("A.csv"), "two");
}

#[test]
fn a_file_that_goes_at_the_last_moment_is_gone() {
    let world = World::new();
    world.put("A.csv", "one");
    let identity = world.identity("A.csv");
    let gone = || fs::remove_file(world.inbound.join("A.csv")).unwrap();
    assert_eq!(remove_with(&world.inbound, "A.csv", &identity, gone).unwrap(), Removal::Gone);
}

#[test]
fn a_marker_that_came_meanwhile_belongs_to_what_comes_next() {
    let world = World::new();
    world.put("A.csv", "one");
    let identity = world.identity("A.csv");
    let removal = remove_with(&world.inbound, "A.csv", &identity, || world.put("A.csv.done", "")).unwrap();
    assert_eq!(removal, Removal::Removed);
    assert_eq!(world.lying(), ["A.csv.done"]);
}

#[test]
fn a_marker_left_behind_goes_and_one_that_is_a_directory_does_not_matter() {
    let world = World::new();
    world.put("A.csv", "one");
    world.put("A.csv.done", "");
    let identity = world.identity("A.csv");
    fs::remove_file(world.inbound.join("A.csv")).unwrap();
    assert_eq!(remove(&world, "A.csv", &identity), Removal::Gone);
    assert!(world.lying().is_empty());

    world.put("A.csv", "one");
    fs::create_dir(world.inbound.join("A.csv.done")).unwrap();
    assert_eq!(remove(&world, "A.csv", &world.identity("A.csv")), Removal::Removed);
    assert_eq!(world.lying(), ["A.csv.done"]);
}

#[test]
fn a_removal_that_was_cut_off_is_finished() {
    let world = World::new();
    world.put("A.csv", "one");
    world.put("A.csv.done", "");
    let identity = world.identity("A.csv");
    // The process died after the step aside.
    fs::rename(world.inbound.join("A.csv"), world.inbound.join(aside_of("A.csv"))).unwrap();
    assert_eq!(remove(&world, "A.csv", &identity), Removal::Removed);
    assert!(world.lying().is_empty());
}

#[test]
fn what_a_cut_off_removal_left_aside_is_never_lost() {
    let aside = aside_of("A.csv");
    // Not the claimed file, and its name is free: it comes back.
    let world = World::new();
    world.put("A.csv", "one");
    let identity = world.identity("A.csv");
    fs::remove_file(world.inbound.join("A.csv")).unwrap();
    world.put(&aside, "other");
    assert_eq!(remove(&world, "A.csv", &identity), Removal::Changed);
    assert_eq!((world.lying(), world.read("A.csv")), (vec!["A.csv".to_owned()], "other".to_owned()));

    // Its name is taken by the claimed file: that one goes, and it takes the place.
    let world = World::new();
    world.put("A.csv", "one");
    let identity = world.identity("A.csv");
    world.put(&aside, "other");
    assert_eq!(remove(&world, "A.csv", &identity), Removal::Removed);
    assert_eq!((world.lying(), world.read("A.csv")), (vec!["A.csv".to_owned()], "other".to_owned()));

    // Its name is taken by a third: both stay.
    let world = World::new();
    world.put("A.csv", "one");
    let identity = world.identity("A.csv");
    world.append("A.csv", "third");
    world.put(&aside, "other");
    assert_eq!(remove(&world, "A.csv", &identity), Removal::Changed);
    assert_eq!(world.lying(), [aside.clone(), "A.csv".to_owned()]);
    assert_eq!(world.read(&aside), "other");
}

#[test]
fn a_name_that_is_no_arrival_is_refused() {
    let world = World::new();
    world.put("A.csv", "one");
    let identity = world.identity("A.csv");
    for name in ["../inbound/A.csv", ".A.csv", "A.csv.done", ""] {
        assert!(matches!(remove_original(&world.inbound, name, &identity), Err(IntakeError::Name { .. })), "{name}");
    }
    assert_eq!(world.lying(), ["A.csv"]);
}
