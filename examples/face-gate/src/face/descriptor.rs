//! The measure of one face, small enough for an item of a table, and the distance between two.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::GrayImage;
use serde::{Deserialize, Serialize};

use super::align::align;
use super::detect::FaceBox;
use super::plane::{Plane, cut_out};
use super::{gabor, lbp};

/// Side of the straightened face that is measured, in pixels.
const SIDE: usize = 80;
const LBP_BYTES: usize = lbp::CELLS * lbp::CELLS * lbp::LENGTH;
const GABOR_BYTES: usize = gabor::CELLS * gabor::CELLS * gabor::LENGTH;
/// The measures' weights in the distance: each by the inverse of its spread between strangers, together scaled so that
/// the mean of strangers is 1.
const LBP_WEIGHT: f32 = 0.58;
const GABOR_WEIGHT: f32 = 0.30;

/// What a face looks like, as 11,008 bytes; in JSON a base64 string of 14.7 kB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Descriptor {
    bytes: Vec<u8>,
}

impl Descriptor {
    /// Straightens the face that lies in `face`, evens its light and measures it.
    pub(crate) fn of(picture: &GrayImage, face: &FaceBox) -> Self {
        let face = cut_out(picture, align(picture, face), SIDE);
        let patterns = lbp::histograms(&evened(&face, 3.0));
        let energies = gabor::energies(&evened(&face, 8.0));
        // Most bins of a histogram are small: the square root keeps their differences through eight bits.
        let bytes = patterns
            .iter()
            .map(|v| v.sqrt())
            .chain(energies)
            .map(|v| (v * 255.0).round() as u8)
            .collect();
        Self { bytes }
    }

    fn cells(&self) -> Cells {
        let (patterns, energies) = self.bytes.split_at(LBP_BYTES);
        Cells {
            patterns: patterns.iter().map(|q| (f32::from(*q) / 255.0).powi(2)).collect(),
            energies: energies.iter().map(|q| f32::from(*q) / 255.0).collect(),
        }
    }
}

impl From<Descriptor> for String {
    fn from(descriptor: Descriptor) -> Self {
        STANDARD.encode(descriptor.bytes)
    }
}

/// Why a text is not a [`Descriptor`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum DescriptorError {
    /// Not base64.
    #[error("the face descriptor is not base64 text; delete the item and let the face be measured again")]
    Encoding(#[from] base64::DecodeError),
    /// Written by another version of the measure.
    #[error("the face descriptor has {len} bytes instead of {}; delete the item and let the face be measured again", LBP_BYTES + GABOR_BYTES)]
    Length {
        /// Bytes that there are.
        len: usize,
    },
}

impl TryFrom<String> for Descriptor {
    type Error = DescriptorError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = STANDARD.decode(text)?;
        if bytes.len() != LBP_BYTES + GABOR_BYTES {
            return Err(DescriptorError::Length { len: bytes.len() });
        }
        Ok(Self { bytes })
    }
}

/// How different two faces are: 0 for the same picture, about 1 for two strangers; see [`THRESHOLD`](super::THRESHOLD).
///
/// Symmetrical. Takes less than a millisecond in a release build.
pub(crate) fn distance(a: &Descriptor, b: &Descriptor) -> f32 {
    let (a, b) = (a.cells(), b.cells());
    let there_and_back = |a: &Cells, b: &Cells| {
        let patterns = (a.patterns_to(b) + b.patterns_to(a)) / 2.0;
        let energies = (a.energies_to(b) + b.energies_to(a)) / 2.0;
        (patterns, energies)
    };
    // A head turned to the left is more like one turned to the right in a mirror.
    let (direct, mirrored) = (there_and_back(&a, &b), there_and_back(&a, &b.mirrored()));
    LBP_WEIGHT * direct.0.min(mirrored.0) + GABOR_WEIGHT * direct.1.min(mirrored.1)
}

/// Tan and Triggs' normalisation: flattens shadows and highlights and keeps the structure up to `coarse` pixels.
///
/// "Enhanced Local Texture Feature Sets for Face Recognition Under Difficult Lighting Conditions" (2010), with the
/// constants of the paper except for the band.
fn evened(face: &Plane, coarse: f32) -> Plane {
    const GAMMA: f32 = 0.3;
    const ALPHA: f32 = 0.1;
    const LIMIT: f32 = 10.0;
    let bright = face.map(|v| (v / 255.0).max(0.0).powf(GAMMA));
    let band = bright
        .blurred(1.0)
        .zip(&bright.blurred(coarse), |fine, coarse| fine - coarse);
    let scaled = |plane: &Plane, limit: f32| {
        let sum: f32 = plane.values.iter().map(|v| v.abs().min(limit).powf(ALPHA)).sum();
        let mean = (sum / plane.values.len() as f32)
            .powf(1.0 / ALPHA)
            .max(f32::MIN_POSITIVE);
        plane.map(|v| v / mean)
    };
    scaled(&scaled(&band, f32::MAX), LIMIT).map(|v| LIMIT * (v / LIMIT).tanh())
}

/// A descriptor's values, unpacked for comparison.
struct Cells {
    patterns: Vec<f32>,
    energies: Vec<f32>,
}

impl Cells {
    fn mirrored(&self) -> Self {
        Self {
            patterns: mirror(&self.patterns, lbp::CELLS, &lbp::mirrored_places()),
            energies: mirror(&self.energies, gabor::CELLS, &gabor::mirrored_places()),
        }
    }

    /// Chi-square, over brows, eyes and nose: the mouth changes with the expression.
    fn patterns_to(&self, other: &Self) -> f32 {
        let weight = |x: f32, y: f32| (-(x / 0.36).powi(4) - ((y + 0.1) / 0.27).powi(4)).exp();
        compare(&self.patterns, &other.patterns, lbp::CELLS, 1, weight, |a, b| {
            (a - b) * (a - b) / (a + b + 1e-9)
        })
    }

    /// Absolute difference, over brows and eyes.
    fn energies_to(&self, other: &Self) -> f32 {
        let weight = |x: f32, y: f32| (-(x / 0.36).powi(4) - ((y + 0.17) / 0.17).powi(4)).exp();
        compare(
            &self.energies,
            &other.energies,
            gabor::CELLS,
            2,
            weight,
            |a, b| (a - b).abs(),
        )
    }
}

/// The weighted mean over the cells of `a` of the distance to the most alike cell of `b` within `reach` cells: the
/// parts of a face move against each other when the head turns or the expression changes.
fn compare(
    a: &[f32],
    b: &[f32],
    side: usize,
    reach: isize,
    weight: impl Fn(f32, f32) -> f32,
    difference: impl Fn(f32, f32) -> f32,
) -> f32 {
    let length = a.len() / (side * side);
    let cell = |index: usize| index * length..(index + 1) * length;
    let from_middle = |at: usize| (at as f32 + 0.5) / side as f32 - 0.5;
    let (mut sum, mut weights) = (0.0, 0.0);
    for (index, here) in a.chunks(length).enumerate() {
        let (row, column) = (index / side, index % side);
        let mut least = f32::MAX;
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let (Some(y), Some(x)) = (row.checked_add_signed(dy), column.checked_add_signed(dx)) else {
                    continue;
                };
                if dx * dx + dy * dy > reach * reach || y >= side || x >= side {
                    continue;
                }
                let there = &b[cell(y * side + x)];
                least = least.min(here.iter().zip(there).map(|(a, b)| difference(*a, *b)).sum());
            }
        }
        let weight = weight(from_middle(column), from_middle(row));
        sum += weight * least;
        weights += weight;
    }
    sum / weights
}

/// The values that the mirrored picture would have.
fn mirror(values: &[f32], side: usize, places: &[usize]) -> Vec<f32> {
    let mut mirrored = vec![0.0; values.len()];
    for (index, cell) in values.chunks(places.len()).enumerate() {
        let opposite = index - index % side + (side - 1 - index % side);
        for (value, place) in cell.iter().zip(places) {
            mirrored[opposite * places.len() + place] = *value;
        }
    }
    mirrored
}
