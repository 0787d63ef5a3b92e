//! Gabor energies: how strongly the face is striped in each of eight directions, at three widths, over a grid of points.
use std::f32::consts::{PI, TAU};

use super::plane::{Plane, length_of};

/// Points along a side of the face.
pub(super) const CELLS: usize = 12;
/// Wavelengths of the stripes, in pixels of the face.
const WAVELENGTHS: [f32; 3] = [4.5, 7.5, 12.0];
const DIRECTIONS: usize = 8;
/// Values of one point.
pub(super) const LENGTH: usize = DIRECTIONS * WAVELENGTHS.len();
/// The filters are evaluated at every second pixel: the energy is smoothed over more than that afterwards.
const STRIDE: usize = 2;

/// The energies of each point, row by row; those of one wavelength have length one at each point.
pub(super) fn energies(face: &Plane) -> Vec<f32> {
    let mut cells = vec![0.0; CELLS * CELLS * LENGTH];
    for (scale, wavelength) in WAVELENGTHS.into_iter().enumerate() {
        for direction in 0..DIRECTIONS {
            let energy = Filter::new(wavelength, direction as f32 * PI / DIRECTIONS as f32).energy(face);
            let smooth = energy.blurred(energy.width as f32 / CELLS as f32 * 0.4);
            for row in 0..CELLS {
                for column in 0..CELLS {
                    let place =
                        |cell: usize, length: usize| (cell as f32 + 0.5) / CELLS as f32 * length as f32 - 0.5;
                    let value = smooth.sample(place(column, smooth.width), place(row, smooth.height));
                    cells[(row * CELLS + column) * LENGTH + scale * DIRECTIONS + direction] = value;
                }
            }
        }
    }
    for directions in cells.chunks_mut(DIRECTIONS) {
        let norm = directions.iter().map(|v| v * v).sum::<f32>().sqrt();
        directions
            .iter_mut()
            .for_each(|v| *v /= norm.max(f32::MIN_POSITIVE));
    }
    cells
}

/// For each value of a point, the place it has at the same point of the mirrored face.
pub(super) fn mirrored_places() -> [usize; LENGTH] {
    std::array::from_fn(|place| {
        let direction = place % DIRECTIONS;
        place - direction + (DIRECTIONS - direction) % DIRECTIONS
    })
}

/// A wave under a bell: its even and odd part, with the mean taken out so that brightness has no energy.
struct Filter {
    /// Pixels from the middle to the edge.
    reach: usize,
    /// Row by row.
    taps: Vec<(f32, f32)>,
}

impl Filter {
    fn new(wavelength: f32, angle: f32) -> Self {
        // One octave wide, about, along the wave and across it.
        let (along, across) = (0.4 * wavelength, 0.455 * wavelength);
        let reach = (2.5 * across).ceil();
        let (sin, cos) = angle.sin_cos();
        let mut taps = Vec::new();
        let (mut bell_sum, mut even_sum) = (0.0, 0.0);
        let mut bells = Vec::new();
        let side = 2 * reach as usize + 1;
        for y in 0..side {
            for x in 0..side {
                let (x, y) = (x as f32 - reach, y as f32 - reach);
                let (u, v) = (x * cos + y * sin, y * cos - x * sin);
                let bell = (-0.5 * ((u / along).powi(2) + (v / across).powi(2))).exp();
                let (odd, even) = (TAU * u / wavelength).sin_cos();
                bells.push(bell);
                taps.push((bell * even, bell * odd));
                bell_sum += bell;
                even_sum += bell * even;
            }
        }
        let offset = even_sum / bell_sum;
        for (tap, bell) in taps.iter_mut().zip(bells) {
            tap.0 -= offset * bell;
        }
        Self {
            reach: reach as usize,
            taps,
        }
    }

    fn energy(&self, face: &Plane) -> Plane {
        // With a margin all around, a row of taps meets a row of pixels without a look at the edges.
        let margin = self.reach;
        let padded = Plane::from_fn(face.width + 2 * margin, face.height + 2 * margin, |x, y| {
            face.at(x as isize - margin as isize, y as isize - margin as isize)
        });
        let length = 2 * margin + 1;
        Plane::from_fn(face.width / STRIDE, face.height / STRIDE, |x, y| {
            let (x, y) = (x * STRIDE + STRIDE / 2, y * STRIDE + STRIDE / 2);
            let (mut even, mut odd) = (0.0, 0.0);
            for (row, taps) in self.taps.chunks(length).enumerate() {
                let start = (y + row) * padded.width + x;
                for (value, tap) in padded.values[start..start + length].iter().zip(taps) {
                    even += value * tap.0;
                    odd += value * tap.1;
                }
            }
            length_of(even, odd)
        })
    }
}
