//! Straightens a face: finds the shift, scale and turn at which it fits a drawn face best.
//!
//! The detector's box moves by a tenth of its size between two photographs, and heads are tilted; the measures compare
//! place by place, so eyes must come to lie on eyes. The model is a drawing of what every lit face has: dark eyes and
//! brows, a dark mouth and nostrils, a bright bridge of the nose and bright cheeks.
use image::GrayImage;

use super::detect::FaceBox;
use super::plane::{Plane, Square, cut_out, length_of};

/// Side of the drawing, in pixels.
const SIDE: usize = 40;
/// Pixels a side of the detector's box has in the view that is searched; the view is twice as large.
const BOX: f32 = 60.0;
/// The usual scale of the drawing against the detector's box.
const USUAL_SCALE: f32 = 0.92;
/// The blobs of the drawing: brightness, centre and extent, in sides of the drawing from its middle.
const BLOBS: [(f32, f32, f32, f32, f32); 9] = [
    (-1.0, -0.18, -0.14, 0.07, 0.035),
    (-1.0, 0.18, -0.14, 0.07, 0.035),
    (-0.5, -0.18, -0.23, 0.10, 0.025),
    (-0.5, 0.18, -0.23, 0.10, 0.025),
    (-0.6, 0.0, 0.25, 0.13, 0.03),
    (-0.3, 0.0, 0.11, 0.07, 0.03),
    (0.4, 0.0, -0.10, 0.04, 0.09),
    (0.3, -0.20, 0.02, 0.08, 0.05),
    (0.3, 0.20, 0.02, 0.08, 0.05),
];

/// A place of the drawing in the view: shift in pixels, scale against the box, turn in radians.
type Pose = [f32; 4];

/// The square of the picture that holds the face, straightened.
pub(super) fn align(picture: &GrayImage, face: &FaceBox) -> Square {
    let middle = (face.x + face.size / 2.0, face.y + face.size / 2.0);
    let around = Square {
        centre: middle,
        side: 2.0 * face.size,
        angle: 0.0,
    };
    let view = evened(&cut_out(picture, around, 2 * BOX as usize)).blurred(0.7);
    let drawing = Drawing::new();
    let value = |pose: Pose| drawing.likeness(&view.cut(square_in_view(pose), SIDE)) - unlikeliness(pose);

    let mut best = (f32::MIN, [0.0; 4]);
    for angle in [-16.0_f32, -8.0, 0.0, 8.0, 16.0].map(f32::to_radians) {
        for scale in [0.8, USUAL_SCALE, 1.06] {
            for dy in -3..=3 {
                for dx in -2..=2 {
                    let pose = [dx as f32 * 3.0, dy as f32 * 3.0, scale, angle];
                    let value = value(pose);
                    if value > best.0 {
                        best = (value, pose);
                    }
                }
            }
        }
    }
    let [dx, dy, scale, angle] = refine(best, value);
    let unit = face.size / BOX;
    Square {
        centre: (middle.0 + dx * unit, middle.1 + dy * unit),
        side: face.size * scale,
        angle,
    }
}

/// Climbs from the best pose of the coarse search, one parameter at a time, with ever smaller steps.
fn refine(mut best: (f32, Pose), value: impl Fn(Pose) -> f32) -> Pose {
    let mut steps = [1.5, 1.5, 0.06, 4.0_f32.to_radians()];
    while steps[0] > 0.3 {
        let before = best.0;
        for part in 0..4 {
            for sign in [-1.0, 1.0] {
                let mut pose = best.1;
                pose[part] += sign * steps[part];
                let value = value(pose);
                if value > best.0 {
                    best = (value, pose);
                }
            }
        }
        if best.0 <= before {
            steps = steps.map(|step| step / 2.0);
        }
    }
    best.1
}

fn square_in_view([dx, dy, scale, angle]: Pose) -> Square {
    Square {
        centre: (BOX + dx, BOX + dy),
        side: BOX * scale,
        angle,
    }
}

/// A small penalty for poses far from where the detector saw the face.
fn unlikeliness([dx, dy, scale, angle]: Pose) -> f32 {
    0.3 * (scale - USUAL_SCALE).abs() + 0.1 * angle.abs() + 0.002 * length_of(dx, dy)
}

/// Subtracts the local mean and divides by the local contrast, so that shadows weigh no more than the eyes.
fn evened(view: &Plane) -> Plane {
    const NEIGHBOURHOOD: f32 = 9.0;
    let centred = view.zip(&view.blurred(NEIGHBOURHOOD), |v, mean| v - mean);
    let contrast = centred
        .map(|v| v * v)
        .blurred(NEIGHBOURHOOD)
        .map(|variance| variance.sqrt() + 4.0);
    centred.zip(&contrast, |v, contrast| (v / contrast).clamp(-2.5, 2.5))
}

/// The drawn face and the window through which it is compared.
struct Drawing {
    window: Plane,
    weight: f32,
    /// Mean-free under the window.
    face: Plane,
    norm: f32,
}

impl Drawing {
    fn new() -> Self {
        let from_middle = |at: usize| (at as f32 + 0.5) / SIDE as f32 - 0.5;
        let window = Plane::from_fn(SIDE, SIDE, |x, y| {
            (-(from_middle(x) / 0.35).powi(4) - (from_middle(y) / 0.35).powi(4)).exp()
        });
        let drawn = Plane::from_fn(SIDE, SIDE, |x, y| {
            let blob = |(tone, cx, cy, wide, high): (f32, f32, f32, f32, f32)| {
                let (dx, dy) = ((from_middle(x) - cx) / wide, (from_middle(y) - cy) / high);
                tone * (-0.5 * (dx * dx + dy * dy)).exp()
            };
            BLOBS.into_iter().map(blob).sum()
        });
        let weight = window.values.iter().sum();
        let mean = dot(&window, &drawn) / weight;
        let face = drawn.map(|v| v - mean);
        let norm = dot(&window, &face.map(|v| v * v));
        Self {
            window,
            weight,
            face,
            norm,
        }
    }

    /// The correlation of `view` with the drawing: 1 for the drawing itself, about 0.6 for a face.
    fn likeness(&self, view: &Plane) -> f32 {
        let mean = dot(&self.window, view) / self.weight;
        let (mut product, mut norm) = (0.0, 0.0);
        for ((v, face), w) in view.values.iter().zip(&self.face.values).zip(&self.window.values) {
            product += w * (v - mean) * face;
            norm += w * (v - mean) * (v - mean);
        }
        product / (norm * self.norm).sqrt().max(f32::MIN_POSITIVE)
    }
}

fn dot(a: &Plane, b: &Plane) -> f32 {
    a.values.iter().zip(&b.values).map(|(a, b)| a * b).sum()
}
