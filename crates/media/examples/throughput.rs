//! Measures how many photos a second are made of a picture: `cargo run --release -p mango-media --example throughput FILE`.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use mango_domain::model::Client;
use mango_domain::ports::Images;
use mango_media::{ImageLimits, ImageProcessor, PoolSize};

const PHOTOS: u32 = 100;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("name a picture")?;
    let picture = std::fs::read(file)?;
    let size = PoolSize { waiting: 1000, ..PoolSize::default() };
    let processor = Arc::new(ImageProcessor::new(ImageLimits::default(), size));

    let started = Instant::now();
    let files = processor.process(picture.clone(), Client::default()).await?;
    println!(
        "one photo in {:.1} ms: {} bytes become {} (original), {}, {} and {} (squares)",
        started.elapsed().as_secs_f64() * 1e3,
        picture.len(),
        files.original.len(),
        files.square400.len(),
        files.square100.len(),
        files.square50.len()
    );

    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..PHOTOS {
        let (processor, picture) = (Arc::clone(&processor), picture.clone());
        tasks.spawn(async move { processor.process(picture, Client::default()).await.map(drop) });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    println!("{:.1} photos a second, {} at a time", f64::from(PHOTOS) / started.elapsed().as_secs_f64(), size.running);
    Ok(())
}
