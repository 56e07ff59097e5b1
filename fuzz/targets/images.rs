//! Pictures: whatever the bytes, the files of a photo come of them or an error does, within the limits.

#![cfg_attr(not(test), no_main)]

use std::sync::LazyLock;

#[cfg(not(test))]
use libfuzzer_sys::fuzz_target;
use mango_domain::model::Client;
use mango_domain::ports::Images;
use mango_media::{ImageLimits, ImageProcessor, PoolSize};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().unwrap());

static IMAGES: LazyLock<ImageProcessor> = LazyLock::new(|| {
    // Small, so that a picture takes no second.
    let limits = ImageLimits { pixels: 250_000, side: 4096, memory: 32 * 1024 * 1024, ..ImageLimits::default() };
    ImageProcessor::new(limits, PoolSize::default())
});

fuzz_target!(|data: &[u8]| {
    if let Ok(files) = RUNTIME.block_on(IMAGES.process(data.to_vec(), Client::default())) {
        assert!(files.original.starts_with(b"\xff\xd8"), "not a JPEG");
        assert!(files.square400.starts_with(b"RIFF"), "not a WebP");
    }
});
