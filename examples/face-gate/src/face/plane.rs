//! A grey picture as real numbers: sampling between pixels, blurring, and cutting out a turned and scaled square.
use image::GrayImage;

/// Rows of grey values. Reading outside of it gives the nearest pixel of the edge.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
}

/// A square region of a picture: where its centre is, how long its side is, and by which angle it is turned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Square {
    pub(super) centre: (f32, f32),
    /// Length of a side in pixels of the picture it lies in.
    pub(super) side: f32,
    /// Clockwise as seen on a screen, in radians.
    pub(super) angle: f32,
}

/// How long a vector is. `f32::hypot` is a call into the C library that is newer than what some clouds run (GNU 2.35), and nothing here is large or small
/// enough to need it.
pub(super) fn length_of(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

impl Plane {
    /// A plane whose value at each column and row is what `value` gives.
    pub(super) fn from_fn(width: usize, height: usize, mut value: impl FnMut(usize, usize) -> f32) -> Self {
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            values.extend((0..width).map(|x| value(x, y)));
        }
        Self {
            width,
            height,
            values,
        }
    }

    /// A new plane with `change` applied to each value.
    pub(super) fn map(&self, change: impl Fn(f32) -> f32) -> Self {
        Self {
            values: self.values.iter().map(|v| change(*v)).collect(),
            ..*self
        }
    }

    /// A new plane of `combine(a, b)`; both must have the same size.
    pub(super) fn zip(&self, other: &Self, combine: impl Fn(f32, f32) -> f32) -> Self {
        let values = self
            .values
            .iter()
            .zip(&other.values)
            .map(|(a, b)| combine(*a, *b))
            .collect();
        Self { values, ..*self }
    }

    /// The pixel at a place, or the nearest one to it.
    pub(super) fn at(&self, x: isize, y: isize) -> f32 {
        let x = x.clamp(0, self.width as isize - 1) as usize;
        let y = y.clamp(0, self.height as isize - 1) as usize;
        self.values[y * self.width + x]
    }

    /// The value between pixels, where the centre of the first pixel is at (0, 0).
    pub(super) fn sample(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let (left, top) = (left as isize, top as isize);
        let upper = self.at(left, top) * (1.0 - fx) + self.at(left + 1, top) * fx;
        let lower = self.at(left, top + 1) * (1.0 - fx) + self.at(left + 1, top + 1) * fx;
        upper * (1.0 - fy) + lower * fy
    }

    /// Blurs by a Gaussian of the given standard deviation in pixels.
    pub(super) fn blurred(&self, sigma: f32) -> Self {
        let reach = (3.0 * sigma).ceil() as isize;
        let weights: Vec<f32> = (-reach..=reach)
            .map(|d| (-0.5 * (d as f32 / sigma).powi(2)).exp())
            .collect();
        let sum: f32 = weights.iter().sum();
        let line = |get: &dyn Fn(isize) -> f32| -> f32 {
            (-reach..=reach)
                .zip(&weights)
                .map(|(d, w)| w * get(d))
                .sum::<f32>()
                / sum
        };
        let rows = Self::from_fn(self.width, self.height, |x, y| {
            line(&|d| self.at(x as isize + d, y as isize))
        });
        Self::from_fn(self.width, self.height, |x, y| {
            line(&|d| rows.at(x as isize, y as isize + d))
        })
    }

    /// Cuts out `square` as `side` x `side` pixels by sampling alone: for squares about as large as the result.
    pub(super) fn cut(&self, square: Square, side: usize) -> Self {
        let step = square.side / side as f32;
        let (sin, cos) = square.angle.sin_cos();
        let middle = side as f32 / 2.0;
        Self::from_fn(side, side, |x, y| {
            let (dx, dy) = ((x as f32 + 0.5 - middle) * step, (y as f32 + 0.5 - middle) * step);
            self.sample(
                square.centre.0 + dx * cos - dy * sin - 0.5,
                square.centre.1 + dx * sin + dy * cos - 0.5,
            )
        })
    }
}

/// Cuts `square` out of a picture of any size as `side` x `side` pixels, smoothed so that no detail is aliased.
pub(super) fn cut_out(picture: &GrayImage, square: Square, side: usize) -> Plane {
    // The upright square around the turned one, with a margin for the blur, halved until it is near the wanted size.
    let reach = square.side * 0.75 + 4.0;
    let left = (square.centre.0 - reach).floor() as isize;
    let top = (square.centre.1 - reach).floor() as isize;
    let length = (2.0 * reach).ceil() as usize;
    let mut halvings = 0;
    while square.side / (side << (halvings + 1)) as f32 > 1.0 {
        halvings += 1;
    }
    let block = 1_usize << halvings;
    let (right, bottom) = (picture.width() as isize - 1, picture.height() as isize - 1);
    let pixel = |x: isize, y: isize| {
        f32::from(
            picture
                .get_pixel(x.clamp(0, right) as u32, y.clamp(0, bottom) as u32)
                .0[0],
        )
    };
    let reduced = length.div_ceil(block);
    let region = Plane::from_fn(reduced, reduced, |x, y| {
        let mut sum = 0.0;
        for dy in 0..block {
            for dx in 0..block {
                sum += pixel(left + (x * block + dx) as isize, top + (y * block + dy) as isize);
            }
        }
        sum / (block * block) as f32
    });
    let scale = block as f32;
    let inside = Square {
        centre: (
            (square.centre.0 - left as f32) / scale,
            (square.centre.1 - top as f32) / scale,
        ),
        side: square.side / scale,
        angle: square.angle,
    };
    let step = inside.side / side as f32;
    if step > 1.0 {
        region.blurred(0.5 * step).cut(inside, side)
    } else {
        region.cut(inside, side)
    }
}
