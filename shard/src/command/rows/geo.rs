//! Commands on geo indexes, which are sorted sets of encoded coordinates.

use super::prelude::*;

const GROUP: Group = Group("geo");

const fn row(name: &'static str, arity: i16) -> Command {
    Command::new(GROUP, name, arity).acl(&[category::GEO])
}

/// The geo family.
pub(super) const ROWS: &[Command] = &[
    row("geoadd", -5)
        .since("3.2.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, &[RW, UPDATE])])
        .syntax("key [NX|XX] [CH] longitude latitude member [longitude latitude member ...]")
        .summary("Adds places with longitude and latitude to a geo index.")
        .complexity("O(M*log(N)), M places given and N held")
        .history(&[("6.2.0", "Accepts `CH`, `NX` and `XX`.")])
        .handler(on_keys!(geo::geoadd)),
    row("geodist", -4)
        .since("3.2.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key member1 member2 [M|KM|FT|MI]")
        .summary("Measures the distance between two places of a geo index.")
        .handler(on_keys!(geo::geodist)),
    row("geohash", -2)
        .since("3.2.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key [member [member ...]]")
        .summary("Gives the standard geohash text of places.")
        .complexity("O(N), N places asked for")
        .handler(on_keys!(geo::geohash)),
    row("geopos", -2)
        .since("3.2.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax("key [member [member ...]]")
        .summary("Reads the longitude and latitude of places.")
        .complexity("O(N), N places asked for")
        .handler(on_keys!(geo::geopos)),
    row("georadius", -6)
        .since("3.2.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[
            key(1, &[RO, ACCESS]),
            keys_after("STORE", 6, 0, 0, &[OW, UPDATE, INCOMPLETE]),
            keys_after("STOREDIST", 6, 0, 0, &[OW, UPDATE, INCOMPLETE]),
        ])
        .resolver(KeyResolver::GeoRadius)
        .syntax(
            "key longitude latitude radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
             [COUNT count [ANY]] [ASC|DESC] [STORE key|STOREDIST key]",
        )
        .summary("Finds places within a distance of a point, and can store them.")
        .complexity("O(N+log(M)), N places in the bounding box and M in the index")
        .history(&[
            ("6.2.0", "Accepts `ANY` after `COUNT`."),
            ("7.0.0", "Units may be written in capitals."),
        ])
        .deprecated("6.2.0", "`GEOSEARCH` or `GEOSEARCHSTORE` with `BYRADIUS`")
        .handler(on_keys!(geo::georadius)),
    row("georadiusbymember", -5)
        .since("3.2.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[
            key(1, &[RO, ACCESS]),
            keys_after("STORE", 5, 0, 0, &[OW, UPDATE, INCOMPLETE]),
            keys_after("STOREDIST", 5, 0, 0, &[OW, UPDATE, INCOMPLETE]),
        ])
        .resolver(KeyResolver::GeoRadius)
        .syntax(
            "key member radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count \
             [ANY]] [ASC|DESC] [STORE key|STOREDIST key]",
        )
        .summary("Finds places within a distance of another place, and can store them.")
        .complexity("O(N+log(M)), N places in the bounding box and M in the index")
        .history(&[
            ("6.2.0", "Accepts `ANY` after `COUNT`."),
            ("7.0.0", "Units may be written in capitals."),
        ])
        .deprecated("6.2.0", "`GEOSEARCH` or `GEOSEARCHSTORE` with `FROMMEMBER` and `BYRADIUS`")
        .handler(on_keys!(geo::georadiusbymember)),
    row("georadiusbymember_ro", -5)
        .since("3.2.10")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax(
            "key member radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count \
             [ANY]] [ASC|DESC]",
        )
        .summary("Finds places within a distance of another place, without ever writing.")
        .complexity("O(N+log(M)), N places in the bounding box and M in the index")
        .history(&[
            ("6.2.0", "Accepts `ANY` after `COUNT`."),
            ("7.0.0", "Units may be written in capitals."),
        ])
        .deprecated("6.2.0", "`GEOSEARCH` with `FROMMEMBER` and `BYRADIUS`")
        .handler(on_keys!(geo::georadiusbymember_ro)),
    row("georadius_ro", -6)
        .since("3.2.10")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax(
            "key longitude latitude radius <M|KM|FT|MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
             [COUNT count [ANY]] [ASC|DESC]",
        )
        .summary("Finds places within a distance of a point, without ever writing.")
        .complexity("O(N+log(M)), N places in the bounding box and M in the index")
        .history(&[
            ("6.2.0", "Accepts `ANY` after `COUNT`."),
            ("7.0.0", "Units may be written in capitals."),
        ])
        .deprecated("6.2.0", "`GEOSEARCH` with `BYRADIUS`")
        .handler(on_keys!(geo::georadius_ro)),
    row("geosearch", -7)
        .since("6.2.0")
        .flags(&[READONLY])
        .keys(&[key(1, &[RO, ACCESS])])
        .syntax(
            "key <FROMMEMBER member|FROMLONLAT longitude latitude> <BYRADIUS radius \
             <M|KM|FT|MI>|BYBOX width height <M|KM|FT|MI>> [ASC|DESC] [COUNT count [ANY]] \
             [WITHCOORD] [WITHDIST] [WITHHASH]",
        )
        .summary("Finds places inside a circle or a box.")
        .complexity("O(N+log(M)), N places in the bounding box and M in the index")
        .history(&[("7.0.0", "Units may be written in capitals.")])
        .handler(on_keys!(geo::geosearch)),
    row("geosearchstore", -8)
        .since("6.2.0")
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, &[OW, UPDATE]), key(2, &[RO, ACCESS])])
        .syntax(
            "destination source <FROMMEMBER member|FROMLONLAT longitude latitude> <BYRADIUS \
             radius <M|KM|FT|MI>|BYBOX width height <M|KM|FT|MI>> [ASC|DESC] [COUNT count \
             [ANY]] [STOREDIST]",
        )
        .summary("Stores the places found inside a circle or a box.")
        .complexity("O(N+log(M)), N places in the bounding box and M in the index")
        .history(&[("7.0.0", "Units may be written in capitals.")])
        .handler(on_keys!(geo::geosearchstore)),
];
