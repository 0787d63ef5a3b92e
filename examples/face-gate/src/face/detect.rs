//! Where the faces are: the SeetaFace frontal detector of the `rustface` crate, with its model inside the binary.
use image::{GrayImage, imageops};
use rustface::{ImageData, Model};
use serde::Serialize;

/// The detector's trained model; origin and licence are in `models/README.md`.
const MODEL: &[u8] = include_bytes!("../../models/seeta_fd_frontal_v1.0.bin");
/// Pictures are scaled down to this many pixels on the longer side before the search, which takes its time by pixel.
const SEARCH_SIDE: u32 = 640;
/// The detector's window: the smallest face it can see, in pixels of the scaled picture.
const WINDOW: u32 = 40;
/// The least confidence of a face. Faces towards the camera scored 12 and more, accidental patterns less than 3.
const MIN_SCORE: f64 = 8.0;

/// A face's place in a picture, in pixels of that picture; a square from forehead to chin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct FaceBox {
    /// Left edge; may be a little outside the picture.
    pub(crate) x: f32,
    /// Top edge; may be a little outside the picture.
    pub(crate) y: f32,
    /// Length of a side.
    pub(crate) size: f32,
    /// The detector's confidence; there is no upper limit.
    pub(crate) score: f32,
}

/// Finds frontal faces. Load it once and share it: a search does not change it.
pub(crate) struct Detector {
    model: Model,
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detector").finish_non_exhaustive()
    }
}

impl Detector {
    /// Reads the model that is part of the binary.
    ///
    /// # Errors
    /// When the model is not one that `rustface` can read, which only a damaged checkout can cause.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            model: rustface::read_model(MODEL)?,
        })
    }

    /// Every face that looks towards the camera, the largest first. A face is seen when it is at least a sixteenth of
    /// the picture's longer side, and 40 pixels.
    pub(crate) fn find(&self, picture: &GrayImage) -> Vec<FaceBox> {
        let longer = picture.width().max(picture.height());
        let scaled = (longer > SEARCH_SIDE).then(|| {
            let side =
                |length: u32| (u64::from(length) * u64::from(SEARCH_SIDE) / u64::from(longer)).max(1) as u32;
            imageops::thumbnail(picture, side(picture.width()), side(picture.height()))
        });
        let view = scaled.as_ref().unwrap_or(picture);
        if view.width() < WINDOW || view.height() < WINDOW {
            return Vec::new();
        }
        let factor = longer as f32 / view.width().max(view.height()) as f32;
        let mut search = rustface::create_detector_with_model(self.model.clone());
        search.set_min_face_size(WINDOW);
        search.set_score_thresh(MIN_SCORE);
        search.set_pyramid_scale_factor(0.8);
        search.set_slide_window_step(4, 4);
        let found = search.detect(&ImageData::new(view.as_raw(), view.width(), view.height()));
        let mut faces: Vec<FaceBox> = found
            .iter()
            .map(|face| FaceBox {
                x: face.bbox().x() as f32 * factor,
                y: face.bbox().y() as f32 * factor,
                size: face.bbox().width() as f32 * factor,
                score: face.score() as f32,
            })
            .collect();
        faces.sort_by(|a, b| b.size.total_cmp(&a.size));
        faces
    }
}
