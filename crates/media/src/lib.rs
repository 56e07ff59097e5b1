//! Photos: strangers' pictures made safe, upright and small ([`ImageProcessor`]), and the folder they are kept in
//! ([`FileMedia`]).

mod budget;
mod colour;
mod decode;
mod encode;
mod images;
mod jpeg;
mod limits;
mod resize;
mod store;
mod webp_layout;

pub use images::{ImageProcessor, PoolSize};
pub use limits::ImageLimits;
pub use store::FileMedia;
