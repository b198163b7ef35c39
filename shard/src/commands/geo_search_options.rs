//! What a geo search is asked for. Arguments are judged from left to right, and the first that is
//! wrong is the one complained about, as in Redis.

use super::geo::{position, unit_m};
use super::sorted_set_bounds::parse_score;
use crate::arguments::Arguments;
use crate::error::{self, CommandError, Outcome, printable};
use crate::geo::{Outline, Position, Shape};
use crate::number::parse_integer;
use crate::sorted_set::{Order, SortedSet};

const NO_SUCH_MEMBER: CommandError =
    CommandError::Fixed("ERR could not decode requested zset member");
const BAD_COUNT: CommandError = CommandError::Fixed("ERR COUNT must be > 0");
const ANY_ALONE: CommandError = CommandError::Fixed("ERR the ANY argument requires COUNT argument");
const BAD_RADIUS: CommandError = CommandError::Fixed("ERR need numeric radius");
const NEGATIVE_RADIUS: CommandError = CommandError::Fixed("ERR radius cannot be negative");
const BAD_WIDTH: CommandError = CommandError::Fixed("ERR need numeric width");
const BAD_HEIGHT: CommandError = CommandError::Fixed("ERR need numeric height");
const NEGATIVE_BOX: CommandError = CommandError::Fixed("ERR height or width cannot be negative");
const BAD_CORNER_COUNT: CommandError = CommandError::Fixed("ERR invalid number of vertices");
const TOO_FEW_CORNERS: CommandError =
    CommandError::Fixed("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
const STORE_OF_RADIUS: CommandError = CommandError::Fixed(
    "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
);
const STORE_OF_SEARCH: CommandError = CommandError::Fixed(
    "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
);

/// Which of the commands searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `GEORADIUS key longitude latitude radius unit`
    Radius,
    /// `GEORADIUSBYMEMBER key member radius unit`
    RadiusByMember,
    /// `GEOSEARCH key`
    Search,
    /// `GEOSEARCHSTORE destination key`
    SearchStore,
}

impl Dialect {
    /// The argument that is the index searched.
    pub(super) fn source(self) -> usize {
        if self == Self::SearchStore { 2 } else { 1 }
    }

    /// The first argument that is an option.
    fn first_option(self) -> usize {
        match self {
            Self::Radius => 6,
            Self::RadiusByMember => 5,
            Self::Search => 2,
            Self::SearchStore => 3,
        }
    }

    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }
}

/// Where the result is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// The argument that is the key.
    pub(super) key: usize,
    /// Whether scores are distances rather than places.
    pub(super) by_distance: bool,
}

/// The place a shape is drawn around.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Centre {
    /// Given by its coordinates.
    At(Position),
    /// Where a member is; nowhere if there is no index.
    Member(Option<Position>),
}

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct SearchOptions {
    centre: Option<Centre>,
    outline: Option<Outline>,
    /// Metres in the unit of distances.
    pub(super) unit_m: f64,
    /// `WITHDIST`
    pub(super) with_distance: bool,
    /// `WITHHASH`
    pub(super) with_hash: bool,
    /// `WITHCOORD`
    pub(super) with_position: bool,
    /// `ASC` or `DESC`
    pub(super) order: Option<Order>,
    /// `COUNT`
    pub(super) count: Option<usize>,
    /// `ANY`
    pub(super) any: bool,
    /// `STORE` or `STOREDIST`
    pub(super) destination: Option<Destination>,
}

/// Reads options from left to right.
struct Reader<'a, 's> {
    arguments: Arguments<'a>,
    dialect: Dialect,
    may_store: bool,
    set: Option<&'s SortedSet>,
    options: SearchOptions,
}

impl SearchOptions {
    /// Reads what a command line asks of `set`.
    pub(super) fn parse(
        arguments: Arguments<'_>,
        dialect: Dialect,
        may_store: bool,
        set: Option<&SortedSet>,
    ) -> Result<Self, CommandError> {
        let options = Self { unit_m: 1.0, ..Self::default() };
        let mut reader = Reader { arguments, dialect, may_store, set, options };
        reader.read_position()?;
        let mut index = dialect.first_option();
        while index < arguments.len() {
            index += match reader.read_plain(index)? {
                0 if dialect.is_search() => reader.read_search(index)?,
                0 => reader.read_store(index)?,
                taken => taken,
            };
        }
        let mut options = reader.options;
        options.check(arguments, dialect)?;
        if options.count.is_some() && options.order.is_none() && !options.any {
            options.order = Some(Order::Rising);
        }
        Ok(options)
    }

    /// The shape to be searched, unless its centre is nowhere.
    pub(super) fn take_shape(&mut self) -> Option<Shape> {
        match (self.outline.take()?, self.centre) {
            (Outline::Polygon { corners }, _) => Some(Shape::polygon(corners)),
            (outline, Some(Centre::At(centre) | Centre::Member(Some(centre)))) => {
                Some(Shape::around(centre, outline))
            }
            _ => None,
        }
    }

    fn check(&self, arguments: Arguments<'_>, dialect: Dialect) -> Outcome {
        let tells_more = self.with_distance || self.with_hash || self.with_position;
        if self.destination.is_some() && tells_more {
            let is_search = dialect == Dialect::SearchStore;
            return Err(if is_search { STORE_OF_SEARCH } else { STORE_OF_RADIUS });
        }
        let name = || printable(arguments.at(0), 128);
        let is_polygon = matches!(self.outline, Some(Outline::Polygon { .. }));
        if dialect.is_search() && self.centre.is_none() && !is_polygon {
            return Err(CommandError::worded(format!(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {}",
                name()
            )));
        }
        if dialect.is_search() && self.outline.is_none() {
            return Err(CommandError::worded(format!(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for {}",
                name()
            )));
        }
        if self.any && self.count.is_none() {
            return Err(ANY_ALONE);
        }
        Ok(())
    }
}

/// Each of these takes options from one argument on and says how many arguments it took; none if
/// there is no option it knows.
impl Reader<'_, '_> {
    /// The arguments in front of the options.
    fn read_position(&mut self) -> Outcome {
        match self.dialect {
            Dialect::Radius => {
                self.options.centre = Some(Centre::At(position(self.arguments, 2)?));
                self.read_circle(4)
            }
            Dialect::RadiusByMember if self.set.is_some() => {
                self.options.centre = Some(self.member(2)?);
                self.read_circle(3)
            }
            Dialect::SearchStore => {
                self.options.destination = Some(Destination { key: 1, by_distance: false });
                Ok(())
            }
            Dialect::RadiusByMember | Dialect::Search => Ok(()),
        }
    }

    fn member(&self, index: usize) -> Result<Centre, CommandError> {
        let Some(set) = self.set else { return Ok(Centre::Member(None)) };
        let score = set.score(self.arguments.at(index)).ok_or(NO_SUCH_MEMBER)?;
        Ok(Centre::Member(Some(Position::of_score(score))))
    }

    fn read_plain(&mut self, index: usize) -> Result<usize, CommandError> {
        let (arguments, options) = (self.arguments, &mut self.options);
        match () {
            () if arguments.is(index, "withdist") => options.with_distance = true,
            () if arguments.is(index, "withhash") => options.with_hash = true,
            () if arguments.is(index, "withcoord") => options.with_position = true,
            () if arguments.is(index, "any") => options.any = true,
            () if arguments.is(index, "asc") => options.order = Some(Order::Rising),
            () if arguments.is(index, "desc") => options.order = Some(Order::Falling),
            () if arguments.is(index, "count") && index + 1 < arguments.len() => {
                let count = parse_integer(arguments.at(index + 1)).ok_or(error::NOT_AN_INTEGER)?;
                let count = usize::try_from(count).ok().filter(|count| *count > 0);
                options.count = Some(count.ok_or(BAD_COUNT)?);
                return Ok(2);
            }
            () => return Ok(0),
        }
        Ok(1)
    }

    /// `STORE` and `STOREDIST` of GEORADIUS.
    fn read_store(&mut self, index: usize) -> Result<usize, CommandError> {
        let by_distance = self.arguments.is(index, "storedist");
        let is_store = by_distance || self.arguments.is(index, "store");
        if !is_store || !self.may_store || index + 1 >= self.arguments.len() {
            return Err(error::SYNTAX);
        }
        self.options.destination = Some(Destination { key: index + 1, by_distance });
        Ok(2)
    }

    /// The options of GEOSEARCH alone. Two kinds of centre or outline exclude each other; of two of
    /// one kind the later counts.
    fn read_search(&mut self, index: usize) -> Result<usize, CommandError> {
        let arguments = self.arguments;
        let has = |count: usize| index + count < arguments.len();
        let is_polygon = matches!(self.options.outline, Some(Outline::Polygon { .. }));
        let (centre, outline) = (self.options.centre, &self.options.outline);
        match () {
            () if self.dialect == Dialect::SearchStore && arguments.is(index, "storedist") => {
                self.options.destination = Some(Destination { key: 1, by_distance: true });
                Ok(1)
            }
            () if arguments.is(index, "frommember")
                && has(1)
                && !is_polygon
                && matches!(centre, None | Some(Centre::Member(_))) =>
            {
                self.options.centre = Some(self.member(index + 1)?);
                Ok(2)
            }
            () if arguments.is(index, "fromlonlat")
                && has(2)
                && !is_polygon
                && matches!(centre, None | Some(Centre::At(_))) =>
            {
                self.options.centre = Some(Centre::At(position(arguments, index + 1)?));
                Ok(3)
            }
            () if arguments.is(index, "byradius")
                && has(2)
                && matches!(outline, None | Some(Outline::Circle { .. })) =>
            {
                self.read_circle(index + 1)?;
                Ok(3)
            }
            () if arguments.is(index, "bybox")
                && has(3)
                && matches!(outline, None | Some(Outline::Box { .. })) =>
            {
                self.read_box(index + 1)?;
                Ok(4)
            }
            () if arguments.is(index, "bypolygon")
                && has(2)
                && centre.is_none()
                && (outline.is_none() || is_polygon) =>
            {
                self.read_polygon(index + 1)
            }
            () => Err(error::SYNTAX),
        }
    }

    /// A radius and its unit.
    fn read_circle(&mut self, index: usize) -> Outcome {
        let radius = parse_score(self.arguments.at(index)).ok_or(BAD_RADIUS)?;
        if radius < 0.0 {
            return Err(NEGATIVE_RADIUS);
        }
        self.options.unit_m = unit_m(self.arguments, index + 1)?;
        self.options.outline = Some(Outline::Circle { radius_m: radius * self.options.unit_m });
        Ok(())
    }

    /// Width, height and their unit.
    fn read_box(&mut self, index: usize) -> Outcome {
        let width = parse_score(self.arguments.at(index)).ok_or(BAD_WIDTH)?;
        let height = parse_score(self.arguments.at(index + 1)).ok_or(BAD_HEIGHT)?;
        if width < 0.0 || height < 0.0 {
            return Err(NEGATIVE_BOX);
        }
        let unit_m = unit_m(self.arguments, index + 2)?;
        self.options.unit_m = unit_m;
        self.options.outline =
            Some(Outline::Box { width_m: width * unit_m, height_m: height * unit_m });
        Ok(())
    }

    /// The number of corners, and each one's longitude and latitude.
    fn read_polygon(&mut self, index: usize) -> Result<usize, CommandError> {
        let count = parse_integer(self.arguments.at(index)).ok_or(BAD_CORNER_COUNT)?;
        let possible = (self.arguments.len() - (index + 1)) / 2;
        let count = usize::try_from(count).ok().filter(|count| (3..=possible).contains(count));
        let count = count.ok_or(TOO_FEW_CORNERS)?;
        let corners: Result<Vec<Position>, CommandError> =
            (0..count).map(|corner| position(self.arguments, index + 1 + 2 * corner)).collect();
        self.options.outline = Some(Outline::Polygon { corners: corners? });
        self.options.unit_m = 1.0;
        Ok(2 + 2 * count)
    }
}
