//! Local binary patterns: how each point of the face relates to a ring around it, counted over a grid of cells.
//!
//! After Ahonen, Hadid, Pietikäinen, "Face Description with Local Binary Patterns" (2006): the 58 patterns with at most
//! two changes around the ring have a bin each, all others share one; histograms are compared by chi-square.
use super::plane::Plane;

/// Cells along a side of the face.
pub(super) const CELLS: usize = 8;
/// Radii of the rings, in pixels of the face.
const RADII: [f32; 2] = [2.0, 4.0];
/// How much darker than the pixel a point may be and still count as equal, on the scale of the evened face (-10 to 10):
/// noise must not decide on flat skin.
const TOLERANCE: f32 = 0.3;
/// Bins of one histogram.
const BINS: usize = 59;
/// Bins of one cell.
pub(super) const LENGTH: usize = BINS * RADII.len();

/// The histograms of each cell, row by row; those of one radius sum to one in each cell.
pub(super) fn histograms(face: &Plane) -> Vec<f32> {
    let bins = bins();
    let mut cells = vec![0.0; CELLS * CELLS * LENGTH];
    for (ring, radius) in RADII.into_iter().enumerate() {
        for y in 0..face.height {
            for x in 0..face.width {
                let bin = ring * BINS + bins[pattern(face, x, y, radius)];
                for (cell, share) in shares(x, face.width, y, face.height) {
                    cells[cell * LENGTH + bin] += share;
                }
            }
        }
    }
    for histogram in cells.chunks_mut(BINS) {
        let sum: f32 = histogram.iter().sum();
        histogram
            .iter_mut()
            .for_each(|count| *count /= sum.max(f32::MIN_POSITIVE));
    }
    cells
}

/// For each value of a cell, the place it has in the cell of the mirrored face.
pub(super) fn mirrored_places() -> [usize; LENGTH] {
    let bins = bins();
    let mut places = [0; LENGTH];
    for code in 0..256_usize {
        // Point `i` of the ring stands at `i` eighths of a turn; its mirror image at half a turn minus that.
        let mirrored = (0..8)
            .filter(|i| code >> i & 1 == 1)
            .map(|i| 1_usize << ((12 - i) % 8))
            .sum::<usize>();
        for ring in 0..RADII.len() {
            places[ring * BINS + bins[code]] = ring * BINS + bins[mirrored];
        }
    }
    places
}

/// One bit for each of eight points around a pixel: whether the point is as bright as the pixel, or brighter.
fn pattern(face: &Plane, x: usize, y: usize, radius: f32) -> usize {
    let least = face.at(x as isize, y as isize) - TOLERANCE;
    let mut code = 0;
    for point in 0..8 {
        let (sin, cos) = (point as f32 * std::f32::consts::FRAC_PI_4).sin_cos();
        let value = face.sample(x as f32 + radius * cos, y as f32 + radius * sin);
        code |= usize::from(value >= least) << point;
    }
    code
}

/// The up to four cells nearest to a pixel and its share in each, so that a small shift moves no pixel abruptly.
fn shares(x: usize, width: usize, y: usize, height: usize) -> impl Iterator<Item = (usize, f32)> {
    let along = |at: usize, length: usize| {
        let place = (at as f32 + 0.5) / length as f32 * CELLS as f32 - 0.5;
        let first = place.floor();
        [
            (first as isize, 1.0 - (place - first)),
            (first as isize + 1, place - first),
        ]
    };
    let (columns, rows) = (along(x, width), along(y, height));
    rows.into_iter().flat_map(move |(row, down)| {
        columns.into_iter().filter_map(move |(column, right)| {
            let inside = 0..CELLS as isize;
            (inside.contains(&row) && inside.contains(&column))
                .then(|| (row as usize * CELLS + column as usize, down * right))
        })
    })
}

/// The bin of each of the 256 patterns.
fn bins() -> [usize; 256] {
    let mut bins = [BINS - 1; 256];
    let mut next = 0;
    for (code, bin) in bins.iter_mut().enumerate() {
        let code = code as u8;
        if (code ^ code.rotate_right(1)).count_ones() <= 2 {
            *bin = next;
            next += 1;
        }
    }
    bins
}
