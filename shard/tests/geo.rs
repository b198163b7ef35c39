//! Conversations about geo indexes: each request with the exact bytes of its reply.

mod support;

use support::scenario::{Scenario, each_with};
use support::settings;

/// Holds a conversation with packed and with indexed sets that hold two cities of Sicily.
fn each(talk: impl Fn(&mut Scenario)) {
    for entries_max in [128, 0] {
        let mut settings = settings();
        settings.zset_max_listpack_entries = entries_max;
        each_with(&settings, |scenario| {
            scenario.check_integer(
                "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
                2,
            );
            talk(scenario);
        });
    }
}

const NOT_A_FLOAT: &str = "ERR value is not a valid float";

#[test]
fn places_are_added_as_scores() {
    each(|talk| {
        talk.check("TYPE g", "+zset\r\n");
        let score = "3479099956230698";
        let bulk = format!("$16\r\n{score}\r\n");
        talk.check_either("ZSCORE g Palermo", &bulk, &format!(",{score}\r\n"));
        talk.check_integer("GEOADD g NX 0 0 Palermo 0 0 Nowhere", 1);
        talk.check_integer("GEOADD g XX CH 1 1 Nowhere 1 1 Nobody", 1);
        talk.check_integer("ZCARD g", 3);
        talk.check_integer("GEOADD g 180 85.05112878 corner -180 -85.05112878 corner2", 2);
    });
}

#[test]
fn places_beyond_the_map_are_refused() {
    each(|talk| {
        talk.check_error(
            "GEOADD g 200 10 a",
            "ERR invalid longitude,latitude pair 200.000000,10.000000",
        );
        talk.check_error("GEOADD g inf 1 a", "ERR invalid longitude,latitude pair inf,1.000000");
        talk.check_error("GEOADD g x 1 a", NOT_A_FLOAT);
        talk.check_error("GEOADD g NX XX 1 1 a", "ERR syntax error");
        talk.check_error("GEOADD g 1 1 a 2", "ERR syntax error");
        talk.check_error("GEOADD g NX CH XX CH", "ERR syntax error");
        talk.check_integer("ZCARD g", 2);
    });
}

#[test]
fn distances() {
    each(|talk| {
        talk.check_bulk("GEODIST g Palermo Catania", "166274.1516");
        talk.check_bulk("GEODIST g Palermo Catania KM", "166.2742");
        talk.check_bulk("GEODIST g Palermo Catania mi", "103.3182");
        talk.check_bulk("GEODIST g Palermo Palermo ft", "0.0000");
        talk.check_null("GEODIST g Palermo Rome");
        talk.check_null("GEODIST missing Palermo Rome");
        talk.check_error(
            "GEODIST g Palermo Catania yd",
            "ERR unsupported unit provided. please use M, KM, FT, MI",
        );
        talk.check_error("GEODIST g Palermo Catania m m", "ERR syntax error");
    });
}

#[test]
fn hashes_and_positions() {
    each(|talk| {
        talk.check(
            "GEOHASH g Palermo Rome Catania",
            "*3\r\n$11\r\nsqc8b49rny0\r\n$-1\r\n$11\r\nsqdtr74hyu0\r\n",
        );
        talk.check_either(
            "GEOPOS g Palermo Rome",
            "*2\r\n*2\r\n$20\r\n13.36138933897018433\r\n$20\r\n38.11555639549629859\r\n*-1\r\n",
            "*2\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n_\r\n",
        );
        talk.check("GEOPOS g", "*0\r\n");
        talk.check_either("GEOPOS missing a", "*1\r\n*-1\r\n", "*1\r\n_\r\n");
    });
}

#[test]
fn searches_around_a_point() {
    each(|talk| {
        talk.check_array(
            "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC",
            &["Catania", "Palermo"],
        );
        talk.check_array(
            "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 KM DESC",
            &["Palermo", "Catania"],
        );
        talk.check_array("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1", &["Catania"]);
        talk.check_array("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 60 km", &["Catania"]);
        talk.check_array(
            "GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC",
            &["Catania", "Palermo"],
        );
        talk.check_array("GEOSEARCH g FROMMEMBER Palermo BYBOX 1 1 m", &["Palermo"]);
        talk.check_array("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 0 m", &["Palermo"]);
        talk.check_array("GEOSEARCH missing FROMMEMBER Palermo BYRADIUS 1 m", &[]);
        assert_eq!(
            talk.texts_of("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 9 mi COUNT 1 ANY").len(),
            0
        );
        assert_eq!(
            talk.texts_of("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 900 mi COUNT 1 ANY").len(),
            1
        );
        talk.check_array("GEORADIUS g 15 37 200 km ASC", &["Catania", "Palermo"]);
        talk.check_array("GEORADIUS_RO g 15 37 60 km", &["Catania"]);
        talk.check_array("GEORADIUSBYMEMBER g Palermo 200 km DESC", &["Catania", "Palermo"]);
        talk.check_array("GEORADIUSBYMEMBER_RO g Palermo 1 km", &["Palermo"]);
    });
}

#[test]
fn searches_tell_more_when_asked() {
    each(|talk| {
        let start = "*1\r\n*4\r\n$7\r\nCatania\r\n$7\r\n56.4413\r\n:3479447370796909\r\n*2\r\n";
        talk.check_either(
            "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 60 km WITHCOORD WITHHASH WITHDIST",
            &format!("{start}$20\r\n15.08726745843887329\r\n$20\r\n37.50266842333162032\r\n"),
            &format!("{start},15.08726745843887329\r\n,37.50266842333162032\r\n"),
        );
        talk.check(
            "GEORADIUS g 15 37 60000 m WITHDIST",
            "*1\r\n*2\r\n$7\r\nCatania\r\n$10\r\n56441.2579\r\n",
        );
    });
}

#[test]
fn searches_inside_a_polygon() {
    each(|talk| {
        talk.check_array("GEOSEARCH g BYPOLYGON 4 14 37 16 37 16 38 14 38", &["Catania"]);
        talk.check_array("GEOSEARCH g BYPOLYGON 3 12 37 14 37 13 39 ASC", &["Palermo"]);
        talk.check_integer("GEOSEARCHSTORE {g}1 g BYPOLYGON 4 10 30 20 30 20 40 10 40", 2);
        talk.check_error(
            "GEOSEARCH g BYPOLYGON 2 1 1 2 2 3 3",
            "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices",
        );
        talk.check_error("GEOSEARCH g BYPOLYGON x 1 1 2 2", "ERR invalid number of vertices");
        talk.check_error(
            "GEOSEARCH g FROMMEMBER Palermo BYPOLYGON 3 1 1 2 2 3 3",
            "ERR syntax error",
        );
        talk.check_error("GEOSEARCH g BYPOLYGON 3 1 1 2 2 x 3", NOT_A_FLOAT);
    });
}

#[test]
fn results_are_stored() {
    each(|talk| {
        talk.check_integer("GEOSEARCHSTORE {g}1 g FROMLONLAT 15 37 BYRADIUS 60 km", 1);
        talk.check_bulk("GEODIST {g}1 Catania Catania", "0.0000");
        talk.check_integer("GEOSEARCHSTORE {g}1 g FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST", 2);
        talk.check_array("ZRANGEBYSCORE {g}1 56 57", &["Catania"]);
        talk.check_integer("GEORADIUS g 15 37 200 km STORE {g}2", 2);
        talk.check_integer("GEORADIUSBYMEMBER g Palermo 200 km COUNT 1 STOREDIST {g}2", 1);
        talk.check_array("ZRANGEBYSCORE {g}2 0 0", &["Palermo"]);
        talk.check_integer("GEORADIUS g 0 0 1 km STORE {g}2", 0);
        talk.check_integer("EXISTS {g}2", 0);
        talk.check_integer("GEOSEARCHSTORE {g}1 missing FROMLONLAT 1 1 BYRADIUS 1 m", 0);
        talk.check_integer("EXISTS {g}1", 0);
        talk.check_error("GEORADIUS_RO g 15 37 200 km STORE {g}2", "ERR syntax error");
        talk.check_error(
            "GEORADIUS g 15 37 200 km WITHDIST STORE {g}2",
            "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD \
             options",
        );
        talk.check_error(
            "GEOSEARCHSTORE {g}1 g FROMLONLAT 15 37 BYRADIUS 60 km WITHCOORD",
            "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
        );
    });
}

#[test]
fn searches_refuse_what_makes_no_sense() {
    each(|talk| {
        talk.check_error(
            "GeoSearch g BYRADIUS 1 m COUNT 3",
            "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GeoSearch",
        );
        talk.check_error(
            "GEOSEARCH g FROMLONLAT 1 1 COUNT 3",
            "ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH",
        );
        let search = |options: &str| format!("GEOSEARCH g FROMLONLAT 15 37 {options}");
        for (options, expected) in [
            ("BYRADIUS x km", "ERR need numeric radius"),
            ("BYRADIUS -1 km", "ERR radius cannot be negative"),
            ("BYRADIUS 1 yd", "ERR unsupported unit provided. please use M, KM, FT, MI"),
            ("BYBOX x 1 km", "ERR need numeric width"),
            ("BYBOX 1 x km", "ERR need numeric height"),
            ("BYBOX 1 -1 km", "ERR height or width cannot be negative"),
            ("BYRADIUS 1 km BYBOX 1 1 km", "ERR syntax error"),
            ("FROMMEMBER Palermo BYRADIUS 1 km", "ERR syntax error"),
            ("BYRADIUS 1 km COUNT 0", "ERR COUNT must be > 0"),
            ("BYRADIUS 1 km COUNT x", "ERR value is not an integer or out of range"),
            ("BYRADIUS 1 km ANY", "ERR the ANY argument requires COUNT argument"),
            ("BYRADIUS 1 km STOREDIST", "ERR syntax error"),
            ("BYRADIUS 1 km FOO", "ERR syntax error"),
        ] {
            talk.check_error(&search(options), expected);
        }
        talk.check_error(
            "GEOSEARCH g FROMMEMBER Rome BYRADIUS 1 km",
            "ERR could not decode requested zset member",
        );
        talk.check_ok("SET text x");
        talk.check_error(
            "GEOPOS text a",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    });
}
