//! Rows of blocks of `lapped`; the format is described in the parent module.

use super::groups::{self, MAX_BITS};
use crate::element::Element;
use crate::lapped::{Lapped, Row, TINY};
use crate::view::View;

const ZERO: u8 = 0;
const CODED: u8 = 1;
const PLAIN: u8 = 2;
const GROUP: usize = 16;

const ROUND: f64 = 0.36;
const OFFSET_ONE: f64 = 0.03;
const OFFSET_MORE: f64 = 0.12;
const ROOT2: f64 = std::f64::consts::SQRT_2;

/// cos and sin of pi (2 i + 1) / (4 n), i < n / 2, at n / 2 - 1 + i, for n = 2, 4, .. 32.
#[expect(clippy::excessive_precision, reason = "digits as in the C header")]
const COS: [f64; 31] = [
    0.92387953251128675613,
    0.98078528040323044913,
    0.83146961230254523708,
    0.99518472667219688624,
    0.95694033573220886494,
    0.88192126434835502971,
    0.77301045336273696081,
    0.99879545620517239271,
    0.98917650996478097345,
    0.9700312531945439926,
    0.94154406518302077841,
    0.90398929312344333159,
    0.8577286100002720699,
    0.80320753148064490981,
    0.74095112535495909118,
    0.99969881869620422012,
    0.99729045667869021614,
    0.99247953459870999816,
    0.98527764238894124477,
    0.97570213003852854446,
    0.96377606579543986669,
    0.9495281805930366672,
    0.93299279883473888771,
    0.91420975570353065464,
    0.89322430119551532034,
    0.87008699110871141865,
    0.84485356524970707326,
    0.8175848131515836965,
    0.78834642762660626201,
    0.75720884650648454758,
    0.72424708295146692094,
];
#[expect(clippy::excessive_precision, reason = "digits as in the C header")]
const SIN: [f64; 31] = [
    0.38268343236508977173,
    0.19509032201612826785,
    0.55557023301960222474,
    0.098017140329560601994,
    0.29028467725446236764,
    0.47139673682599764856,
    0.63439328416364549822,
    0.049067674327418014255,
    0.14673047445536175166,
    0.24298017990326388995,
    0.33688985339222005069,
    0.42755509343028209432,
    0.51410274419322172659,
    0.59569930449243334347,
    0.67155895484701840063,
    0.024541228522912288032,
    0.073564563599667423529,
    0.1224106751992161985,
    0.17096188876030122636,
    0.21910124015686979723,
    0.26671275747489838633,
    0.31368174039889147666,
    0.35989503653498814878,
    0.40524131400498987091,
    0.44961132965460660005,
    0.49289819222978403687,
    0.53499761988709721066,
    0.57580819141784530075,
    0.61523159058062684548,
    0.65317284295377676408,
    0.68954054473706692462,
];

/// Shape of the tiles of a row of blocks.
struct Tiles {
    /// Extents of a tile, its rows along the middle axis in their natural order.
    tile: [usize; 3],
    /// Extents of a group.
    group: [usize; 3],
    /// Points of a block along the last axis, and blocks in the row.
    blocks: usize,
    count: usize,
    /// Only the last axis has points: rows of a tile are blocks.
    line: bool,
    last: [bool; 2],
}

impl Tiles {
    fn new(row: &Row) -> Self {
        let [n0, n1, n2] = row.size.map(|n| n as usize);
        let line = n1 == 1;
        let blocks = (row.length as usize).div_ceil(n2);
        Tiles {
            tile: [n0, if line { 16 } else { n1 }, n2],
            group: if n0 > 1 { [4, 1, 4] } else { [1, 4, 4] },
            blocks,
            count: if line { blocks.div_ceil(16) } else { blocks },
            line,
            last: row.last.map(|l| l != 0),
        }
    }

    fn points(&self) -> usize {
        self.tile.iter().product()
    }

    /// Whether the block of row y of a tile is the last one of the row of blocks.
    fn is_end(&self, tile: usize, y: usize) -> bool {
        (if self.line { 16 * tile + y } else { tile }) + 1 == self.blocks
    }

    /// Index in `tile` of the points of each group.
    fn groups(&self) -> Vec<[usize; GROUP]> {
        let ([nx, ny, nz], [gx, gy, gz]) = (self.tile, self.group);
        let mut all = Vec::new();
        for x in (0..nx).step_by(gx) {
            for z in (0..nz).step_by(gz) {
                for y in (0..ny).step_by(gy) {
                    let point = |j: usize| {
                        let (x, z, y) = (x + j / (gy * gz), z + j / gy % gz, y + j % gy);
                        (x * ny + y) * nz + z
                    };
                    all.push(std::array::from_fn(point));
                }
            }
        }
        all
    }

    /// Index in `tile` of each coefficient, in the order in which they are stored as they are.
    fn plain(&self) -> Vec<usize> {
        let ([nx, ny, nz], [_, gy, _]) = (self.tile, self.group);
        let run = ny / gy;
        let place = |i: usize| {
            let (x, z, y) = (i / (ny * nz), i / ny % nz, i % ny);
            (x * ny + y % run * gy + y / run) * nz + z
        };
        (0..nx * ny * nz).map(place).collect()
    }
}

pub(super) fn encode<T: Element>(
    lapped: &Lapped<T>,
    src: &View<'_, T>,
    origin: [usize; 3],
    length: usize,
    out: &mut Vec<u8>,
) {
    let row = lapped.row(origin, length);
    let tiles = Tiles::new(&row);
    let folded = fold(lapped, src, origin, length, &tiles);
    for tile in 0..tiles.count {
        let mut c: Vec<T> = (0..tiles.points()).map(|i| folded[at(&tiles, tile, i)]).collect();
        transform(&mut c, &tiles, tile, false);
        encode_tile(&c, &tiles, out);
    }
}

/// Decodes a row of blocks into `rows`, those of the first two axes in row-major order; the rest is not needed.
pub(super) fn decode<T: Element>(
    lapped: &Lapped<T>,
    row: &Row,
    mut bytes: &[u8],
    rows: &mut [Option<&mut [T]>],
) -> bool {
    let tiles = Tiles::new(row);
    let [n0, n1, n2] = row.size.map(|n| n as usize);
    let covered = width(&tiles);
    let mut folded = vec![T::default(); n0 * n1 * covered];
    for tile in 0..tiles.count {
        let Some((mut c, used)) = decode_tile(bytes, &tiles) else { return false };
        transform(&mut c, &tiles, tile, true);
        c.into_iter().enumerate().for_each(|(i, c)| folded[at(&tiles, tile, i)] = c);
        bytes = &bytes[used..];
    }
    for (row, folded) in rows.iter_mut().zip(folded.chunks_exact(covered)) {
        let Some(row) = row else { continue };
        for (z, x) in row.iter_mut().enumerate() {
            *x = match border(z, n2, tiles.blocks) {
                Some((t, mirror)) => {
                    lapped.unfold_own[t] * folded[z] - lapped.unfold_partner[t] * folded[mirror]
                }
                None => folded[z] * lapped.backward,
            };
        }
    }
    bytes.is_empty()
}

/// Undoes the folds along the first two axes for rows at (+, +), (+, -), (-, +), (-, -) of a border. The weights are r
/// and f of the first axis, then of the middle one.
pub(super) fn unfold<T: Element>(rows: [Option<&mut [T]>; 4], [rx, fx, ry, fy]: [T; 4]) {
    let two = |a: &mut T, b: &mut T, r: T, f: T| (*a, *b) = (r * *a - f * *b, r * *b + f * *a);
    match rows {
        [Some(a), Some(b), Some(c), Some(d)] => {
            for z in 0..a.len() {
                two(&mut a[z], &mut b[z], ry, fy);
                two(&mut c[z], &mut d[z], ry, fy);
                two(&mut a[z], &mut c[z], rx, fx);
                two(&mut b[z], &mut d[z], rx, fx);
            }
        }
        [Some(a), Some(b), ..] => (0..a.len()).for_each(|z| two(&mut a[z], &mut b[z], ry, fy)),
        [Some(a), None, Some(c), _] => (0..a.len()).for_each(|z| two(&mut a[z], &mut c[z], rx, fx)),
        _ => {}
    }
}

/// Values of a row of the folded field.
fn width(tiles: &Tiles) -> usize {
    tiles.count * tiles.tile[2] * if tiles.line { tiles.tile[1] } else { 1 }
}

/// Index in the folded field of point i of a tile.
fn at(tiles: &Tiles, tile: usize, i: usize) -> usize {
    let nz = tiles.tile[2];
    if tiles.line { tile * tiles.points() + i } else { i / nz * width(tiles) + tile * nz + i % nz }
}

/// The place z of a row in the fold around the nearest border between blocks of n points, and its mirror image.
fn border(z: usize, n: usize, blocks: usize) -> Option<(usize, usize)> {
    let k = (z + n / 2) / n;
    (k > 0 && k < blocks).then(|| (z + n / 2 - k * n, 2 * k * n - 1 - z))
}

/// All rows of the row of blocks, divided by the step, folded along all axes.
fn fold<T: Element>(
    lapped: &Lapped<T>,
    src: &View<'_, T>,
    origin: [usize; 3],
    length: usize,
    tiles: &Tiles,
) -> Vec<T> {
    let tiny = T::from_f64(TINY);
    let n = tiles.tile[2];
    let mut folded = Vec::new();
    for x in lapped.taps(0, origin[0], 1) {
        for y in lapped.taps(1, origin[1], 1) {
            let row = |i: i64, j: i64| &src.row(i as usize, j as usize)[origin[2]..origin[2] + length];
            let (a, b) = (row(x.own, y.own), row(x.partner, y.own));
            let (c, d) = (row(x.own, y.partner), row(x.partner, y.partner));
            let (rx, fx) = (T::from_f64(x.r), T::from_f64(x.f));
            let (ry, fy) = (T::from_f64(y.r) * lapped.forward, T::from_f64(y.f) * lapped.forward);
            let value = |z: usize| {
                let z = z % (2 * length);
                let z = if z < length { z } else { 2 * length - 1 - z };
                let v = ry * (rx * a[z] + fx * b[z]) + fy * (rx * c[z] + fx * d[z]);
                let below = if v < tiny { v } else { tiny };
                v - if below > -tiny { below } else { -tiny }
            };
            folded.extend((0..width(tiles)).map(|z| match border(z, n, tiles.blocks) {
                _ if z >= tiles.blocks * n => T::default(),
                Some((t, mirror)) => lapped.own[t] * value(z) + lapped.partner[t] * value(mirror),
                None => value(z),
            }));
        }
    }
    folded
}

/// Cosine transforms of a tile along all its axes.
fn transform<T: Element>(c: &mut [T], tiles: &Tiles, tile: usize, inverse: bool) {
    let mut axes = [1, 0, 2];
    if inverse {
        axes.reverse();
    }
    let [nx, ny, nz] = tiles.tile;
    for axis in axes {
        let (starts, stride): (Vec<usize>, usize) = match axis {
            0 => ((0..ny * nz).collect(), ny * nz),
            1 => ((0..nx * nz).map(|i| i / nz * ny * nz + i % nz).collect(), nz),
            _ => ((0..nx * ny).map(|i| i * nz).collect(), 1),
        };
        let n = tiles.tile[axis];
        if n == 1 || (axis == 1 && tiles.line) {
            continue;
        }
        for start in starts {
            let end = if axis == 2 { tiles.is_end(tile, start / nz % ny) } else { tiles.last[axis] };
            let mut line: Vec<T> = (0..n).map(|k| c[start + k * stride]).collect();
            match (end, inverse) {
                (false, _) => cosine4(&mut line),
                (true, false) => cosine2(&mut line),
                (true, true) => cosine3(&mut line),
            }
            line.into_iter().enumerate().for_each(|(k, v)| c[start + k * stride] = v);
        }
    }
}

/// sqrt(n) times the orthonormal cosine transform II.
fn cosine2<T: Element>(x: &mut [T]) {
    let n = x.len();
    if n < 2 {
        return;
    }
    let mut u: Vec<T> = (0..n / 2).map(|i| x[i] + x[n - 1 - i]).collect();
    let mut v: Vec<T> = (0..n / 2).map(|i| x[i] - x[n - 1 - i]).collect();
    cosine2(&mut u);
    if n > 2 {
        cosine4(&mut v);
    }
    for i in 0..n / 2 {
        (x[2 * i], x[2 * i + 1]) = (u[i], v[i]);
    }
}

/// sqrt(n) times its inverse.
fn cosine3<T: Element>(x: &mut [T]) {
    let n = x.len();
    if n < 2 {
        return;
    }
    let mut u: Vec<T> = x.iter().step_by(2).copied().collect();
    let mut v: Vec<T> = x.iter().skip(1).step_by(2).copied().collect();
    cosine3(&mut u);
    if n > 2 {
        cosine4(&mut v);
    }
    for i in 0..n / 2 {
        (x[i], x[n - 1 - i]) = (u[i] + v[i], u[i] - v[i]);
    }
}

/// sqrt(n) times the orthonormal cosine transform IV, which is its own inverse.
fn cosine4<T: Element>(x: &mut [T]) {
    let (n, m) = (x.len(), x.len() / 2);
    let turn = |i: usize| {
        let (c, s) = (T::from_f64(COS[m - 1 + i]), T::from_f64(SIN[m - 1 + i]));
        let (a, b) = (x[i], x[n - 1 - i]);
        (c * a + s * b, if i.is_multiple_of(2) { s * a - c * b } else { c * b - s * a })
    };
    let (mut a, mut b): (Vec<T>, Vec<T>) = (0..m).map(turn).unzip();
    cosine2(&mut a);
    cosine2(&mut b);
    (x[0], x[n - 1]) = (T::from_f64(ROOT2) * a[0], T::from_f64(ROOT2) * b[0]);
    for k in 1..m {
        (x[2 * k], x[2 * k - 1]) = (a[k] - b[m - k], a[k] + b[m - k]);
    }
}

fn encode_tile<T: Element>(c: &[T], tiles: &Tiles, out: &mut Vec<u8>) {
    let start = out.len();
    let plain = std::mem::size_of_val(c);
    let rounded = |c: &T| (if *c < T::default() { -*c } else { *c }) + T::from_f64(ROUND);
    let most = T::from_f64((1u64 << MAX_BITS) as f64);
    if c.iter().all(|c| rounded(c) < most) {
        let signed = |c: &T| if *c < T::default() { -rounded(c).to_i64() } else { rounded(c).to_i64() };
        let q: Vec<i64> = c.iter().map(signed).collect();
        if q.iter().all(|q| *q == 0) {
            return out.push(ZERO);
        }
        out.push(CODED);
        groups::write(tiles.groups().iter().map(|points| points.map(|p| q[p])), out);
        if out.len() - start <= 1 + plain {
            return;
        }
        out.truncate(start);
    }
    out.push(PLAIN);
    tiles.plain().into_iter().for_each(|i| c[i].put(out));
}

/// The coefficients of the tile at the beginning of `bytes`, and how many bytes it took.
fn decode_tile<T: Element>(bytes: &[u8], tiles: &Tiles) -> Option<(Vec<T>, usize)> {
    let mut c = vec![T::default(); tiles.points()];
    let (kind, rest) = bytes.split_first()?;
    match *kind {
        ZERO => Some((c, 1)),
        PLAIN => {
            let plain = rest.get(..tiles.points() * size_of::<T>())?;
            for (i, bytes) in tiles.plain().into_iter().zip(plain.chunks_exact(size_of::<T>())) {
                c[i] = T::get(bytes)?;
            }
            Some((c, 1 + plain.len()))
        }
        CODED => {
            let (q, left) = read_groups(rest, tiles)?;
            Some((q.into_iter().map(middle).collect(), bytes.len() - left))
        }
        _ => None,
    }
}

/// Decoded value of a rounded coefficient.
fn middle<T: Element>(q: i64) -> T {
    let size = T::from_i64(q.abs()) + T::from_f64(if q.abs() == 1 { OFFSET_ONE } else { OFFSET_MORE });
    match q {
        0 => T::default(),
        1.. => size,
        _ => -size,
    }
}

/// The rounded coefficients, and the bytes left after them.
fn read_groups(bytes: &[u8], tiles: &Tiles) -> Option<(Vec<i64>, usize)> {
    let places = tiles.groups();
    let units = groups::units(places.len());
    let flags = bytes.get(..units.div_ceil(8))?;
    if (units..8 * flags.len()).any(|u| groups::bit(flags, u)) {
        return None;
    }
    let (live, left) = groups::read::<GROUP>(bytes, places.len())?;
    let mut q = vec![0; tiles.points()];
    for (g, values) in live {
        places[g].iter().zip(values).for_each(|(point, value)| q[*point] = value);
    }
    Some((q, left.len()))
}
