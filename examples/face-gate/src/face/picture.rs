//! From the bytes of a JPEG or PNG file to upright grey pixels, with limits.
use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageDecoder, ImageError, ImageReader};

/// The most pixels a picture may have: a 40-megapixel photograph decodes within 160 MiB of memory.
const MAX_PIXELS: u64 = 40_000_000;

/// Why a file is not a picture this function can look at. None of these goes away by trying again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    /// Not a JPEG or PNG, or one whose content is damaged.
    #[error("the file is not a JPEG or PNG that can be read; upload the original photograph again")]
    Unreadable(#[source] ImageError),
    /// The file stops before the end of the picture, as an interrupted upload does.
    #[error("the JPEG file ends in the middle of the picture ({len} bytes); upload it again")]
    Truncated {
        /// Bytes that there are.
        len: usize,
    },
    /// More pixels than [`MAX_PIXELS`]; refused before anything is allocated for them.
    #[error(
        "the picture is larger than this function allows ({width} x {height}, at most {MAX_PIXELS} pixels); scale it down"
    )]
    TooLarge {
        /// Width in pixels, from the file's header.
        width: u32,
        /// Height in pixels, from the file's header.
        height: u32,
    },
}

/// Decodes a JPEG or PNG file to grey pixels, turned upright as its EXIF data says.
///
/// # Errors
/// [`PictureError`], when the file is damaged, cut short, of another format or too large.
pub(crate) fn decode(file: &[u8]) -> Result<GrayImage, PictureError> {
    let reader = ImageReader::new(Cursor::new(file))
        .with_guessed_format()
        .map_err(|e| PictureError::Unreadable(e.into()))?;
    let mut decoder = reader.into_decoder().map_err(PictureError::Unreadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PictureError::TooLarge { width, height });
    }
    // The decoder fills what is missing with grey and reports no error, so a cut file is found here.
    if ends_early(file) {
        return Err(PictureError::Truncated { len: file.len() });
    }
    let orientation = decoder.orientation().map_err(PictureError::Unreadable)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(PictureError::Unreadable)?;
    image.apply_orientation(orientation);
    Ok(image.into_luma8())
}

/// Whether `file` is a JPEG whose picture data is not closed by an end-of-image marker.
///
/// Segments are walked up to the start of the picture data, because the thumbnail inside an EXIF segment has an end
/// marker of its own. In the data that follows, 0xFF is always escaped, so a marker found there is a real one.
fn ends_early(file: &[u8]) -> bool {
    const START_OF_IMAGE: [u8; 2] = [0xff, 0xd8];
    const START_OF_SCAN: u8 = 0xda;
    const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];
    let Some(mut rest) = file.strip_prefix(&START_OF_IMAGE) else {
        return false;
    };
    loop {
        match rest {
            [0xff, START_OF_SCAN, data @ ..] => return !data.windows(2).any(|pair| pair == END_OF_IMAGE),
            // Any number of 0xFF may fill the space before a marker.
            [0xff, 0xff, ..] => rest = &rest[1..],
            [0xff, _, high, low, ..] => {
                let segment = 2 + usize::from(u16::from_be_bytes([*high, *low]));
                let Some(next) = rest.get(segment..) else {
                    return true;
                };
                rest = next;
            }
            _ => return true,
        }
    }
}
