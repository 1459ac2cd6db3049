//! Geometries in the servers' own form: the SRID in four bytes, then well-known binary, all little endian.

use whimbrel_model::Value;

use super::Sample;

/// WGS 84, the one that data has where it has any.
const WGS_84: u32 = 4326;

const POINT: u32 = 1;
const LINE: u32 = 2;
const POLYGON: u32 = 3;
const MULTI_POINT: u32 = 4;
const MULTI_LINE: u32 = 5;
const MULTI_POLYGON: u32 = 6;
const COLLECTION: u32 = 7;

fn shape(kind: u32) -> Vec<u8> {
    let mut out = vec![1];
    out.extend_from_slice(&kind.to_le_bytes());
    out
}

fn counted(kind: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = shape(kind);
    out.extend_from_slice(&(parts.len() as u32).to_le_bytes());
    out.extend(parts.iter().flatten());
    out
}

fn coordinates(points: &[(f64, f64)]) -> Vec<Vec<u8>> {
    points.iter().map(|(x, y)| [x.to_le_bytes(), y.to_le_bytes()].concat()).collect()
}

fn point(x: f64, y: f64) -> Vec<u8> {
    [shape(POINT), coordinates(&[(x, y)]).concat()].concat()
}

fn line() -> Vec<u8> {
    counted(LINE, &coordinates(&[(0.0, 0.0), (0.1, 0.2), (1.5, -1.5)]))
}

/// A square with a square hole.
fn polygon() -> Vec<u8> {
    let ring = |from: f64, to: f64| {
        let corners = coordinates(&[(from, from), (to, from), (to, to), (from, to), (from, from)]);
        [&(corners.len() as u32).to_le_bytes()[..], &corners.concat()].concat()
    };
    counted(POLYGON, &[ring(0.0, 9.0), ring(1.0, 2.0)])
}

/// The samples of a kind (`point`, ..., `geometry` for any).
pub(super) fn of(kind: &str, srid: Option<u32>) -> Vec<Sample> {
    let shapes: Vec<(&'static str, Vec<u8>)> = vec![
        ("point", point(0.1, -0.2)),
        ("linestring", line()),
        ("polygon", polygon()),
        ("multipoint", counted(MULTI_POINT, &[point(1.0, 2.0), point(3.0, 4.0)])),
        ("multilinestring", counted(MULTI_LINE, &[line(), line()])),
        ("multipolygon", counted(MULTI_POLYGON, &[polygon()])),
        ("geometrycollection", counted(COLLECTION, &[point(5.0, 6.0), line()])),
    ];
    let kind = if kind == "geomcollection" { "geometrycollection" } else { kind };
    let fits = |name: &str| kind == "geometry" || kind == name;
    let value = |srid: u32, wkb: &[u8]| Value::Geometry([&srid.to_le_bytes()[..], wkb].concat());
    let own = srid.unwrap_or(0);
    let mut samples: Vec<Sample> = shapes
        .iter()
        .filter(|(name, _)| fits(name))
        .map(|(name, wkb)| Sample::new(name, value(own, wkb)))
        .collect();
    if fits("point") {
        samples.push(Sample::new(
            "largest coordinates",
            value(own, &point(if own == 0 { f64::MAX } else { 180.0 }, 90.0)),
        ));
    }
    if fits("geometrycollection") {
        samples.push(Sample::new("empty collection", value(own, &counted(COLLECTION, &[]))));
    }
    if srid.is_none()
        && let Some((_, wkb)) = shapes.iter().find(|(name, _)| fits(name))
    {
        samples.push(Sample::new("SRID 4326", value(WGS_84, wkb)));
    }
    samples
}
