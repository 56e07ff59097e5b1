//! The folder of photos: whole photos or nothing, whatever happens.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use mango_domain::FailureKind;
use mango_domain::model::{Epoch, PhotoFile, PhotoId, Timestamp};
use mango_domain::ports::{Media, PhotoSet};
use mango_media::FileMedia;
use tempfile::TempDir;

fn photo(number: u8) -> PhotoId {
    PhotoId::from_random([number; 16])
}

fn files(text: &str) -> PhotoSet {
    let file = |name: &str| format!("{text} {name}").into_bytes();
    PhotoSet { original: file("o"), square400: file("400"), square100: file("100"), square50: file("50") }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn assert_nothing_temporary(folder: &Path) {
    assert_eq!(names(&folder.join(".tmp")), ["lock"]);
}

#[tokio::test]
async fn a_photo_is_stored_read_and_removed() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("deep/media");
    let media = FileMedia::open(&root).unwrap();
    media.put(&photo(1), files("one")).await.unwrap();
    media.put(&photo(2), files("two")).await.unwrap();

    for (file, text) in PhotoFile::ALL.into_iter().zip(["one o", "one 400", "one 100", "one 50"]) {
        let path = media.path(&photo(1), file);
        assert_eq!(path, root.join(photo(1).as_str()).join(file.name()));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o137,
            0,
            "only the owner writes, others see nothing"
        );
    }
    assert_eq!(fs::metadata(root.join(photo(1).as_str())).unwrap().permissions().mode() & 0o027, 0);

    media.remove(&photo(1)).await.unwrap();
    assert!(!media.path(&photo(1), PhotoFile::Original).exists());
    media.remove(&photo(1)).await.unwrap();
    media.remove(&photo(3)).await.unwrap();
    assert_eq!(names(&root), [".tmp", photo(2).as_str()]);
    assert_nothing_temporary(&root);
}

#[tokio::test]
async fn a_photo_that_cannot_be_stored_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let media = FileMedia::open(folder.path()).unwrap();
    media.put(&photo(1), files("first")).await.unwrap();
    // The last step, the renaming, fails: there is a photo of that name, and photos never change.
    let failure = media.put(&photo(1), files("second")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Broken);
    assert_eq!(fs::read_to_string(media.path(&photo(1), PhotoFile::Original)).unwrap(), "first o");
    assert_nothing_temporary(folder.path());

    // The first step fails: something else stands where the files would be written.
    fs::write(folder.path().join(".tmp").join(photo(2).as_str()), "in the way").unwrap();
    media.put(&photo(2), files("third")).await.unwrap_err();
    assert!(!folder.path().join(photo(2).as_str()).exists());
}

#[tokio::test]
async fn what_an_interrupted_process_left_is_removed_at_the_next_start() {
    let folder = TempDir::new().unwrap();
    let media = FileMedia::open(folder.path()).unwrap();
    media.put(&photo(1), files("kept")).await.unwrap();
    let leftover = folder.path().join(".tmp").join(photo(2).as_str());
    fs::create_dir(&leftover).unwrap();
    fs::write(leftover.join("original.jpeg"), "half").unwrap();
    fs::write(folder.path().join(".tmp/stray"), "stray").unwrap();

    // While somebody uses the folder, these might be theirs.
    let second = FileMedia::open(folder.path()).unwrap();
    assert!(leftover.exists());
    drop(media);
    drop(FileMedia::open(folder.path()).unwrap());
    assert!(leftover.exists());

    drop(second);
    let media = FileMedia::open(folder.path()).unwrap();
    assert_nothing_temporary(folder.path());
    assert_eq!(fs::read_to_string(media.path(&photo(1), PhotoFile::Square50)).unwrap(), "kept 50");
}

#[tokio::test]
async fn readers_see_all_files_of_a_photo_or_none() {
    let folder = TempDir::new().unwrap();
    let media = FileMedia::open(folder.path()).unwrap();
    for number in 0..50 {
        let path = folder.path().join(photo(number).as_str());
        let watcher = tokio::task::spawn_blocking(move || {
            // Spins until the photo is there, and at the first sight of it all files must be.
            let started = Instant::now();
            while !path.exists() {
                assert!(started.elapsed() < Duration::from_secs(30), "the photo never appeared");
            }
            names(&path).len()
        });
        media.put(&photo(number), files("watched")).await.unwrap();
        assert_eq!(watcher.await.unwrap(), PhotoFile::ALL.len());
    }
}

/// Makes something look as if it had last been changed this many seconds ago.
fn age(path: &Path, seconds: u64) {
    File::open(path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

fn seconds_ago(seconds: u64) -> Timestamp {
    (SystemTime::now() - Duration::from_secs(seconds)).into()
}

#[tokio::test]
async fn a_walk_meets_each_old_photo_once() {
    let folder = TempDir::new().unwrap();
    let media = FileMedia::open(folder.path()).unwrap();
    for number in 0..25 {
        media.put(&photo(number), files("walked")).await.unwrap();
        age(&folder.path().join(photo(number).as_str()), if number < 5 { 50 } else { 150 });
    }
    // What is no photo is passed over.
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    age(&folder.path().join("lost+found"), 150);

    let mut walk = media.stored_before(seconds_ago(100));
    let mut met = Vec::new();
    for expected in [8, 8, 4, 0, 0] {
        let photos = walk.next(8).await.unwrap();
        assert_eq!(photos.len(), expected);
        met.extend(photos);
    }
    assert_eq!(met.into_iter().collect::<HashSet<_>>(), (5..25).map(photo).collect());

    // A photo that is removed during a walk, here by who walks, harms nothing.
    let (mut walk, mut removed) = (media.stored_before(seconds_ago(0)), 0);
    loop {
        let photos = walk.next(1).await.unwrap();
        let [photo] = &photos[..] else { break };
        media.remove(photo).await.unwrap();
        removed += 1;
    }
    assert_eq!((removed, names(folder.path())), (25, vec![".tmp".to_owned(), "lost+found".to_owned()]));
}

#[tokio::test]
async fn old_leftovers_are_removed_while_the_folder_is_in_use() {
    let folder = TempDir::new().unwrap();
    let media = FileMedia::open(folder.path()).unwrap();
    let _second = FileMedia::open(folder.path()).unwrap();
    let temporary = folder.path().join(".tmp");
    for (name, age_of_it) in [("old", 150), ("young", 50)] {
        fs::create_dir(temporary.join(name)).unwrap();
        fs::write(temporary.join(name).join("original.jpeg"), "half").unwrap();
        age(&temporary.join(name), age_of_it);
    }
    fs::write(temporary.join("stray"), "old").unwrap();
    age(&temporary.join("stray"), 150);
    age(&temporary.join("lock"), 150);
    assert_eq!(media.remove_leftovers(seconds_ago(100)).await.unwrap(), 2);
    assert_eq!(names(&temporary), ["lock", "young"]);
    assert_eq!(media.remove_leftovers(seconds_ago(100)).await.unwrap(), 0);
}

#[tokio::test]
async fn photos_are_of_one_database() {
    let [first, second, third] = ["first", "second", "third"].map(|name| Epoch::new(name.to_owned()));
    let folder = TempDir::new().unwrap();
    let media = FileMedia::open(folder.path()).unwrap();
    assert!(media.bind(&first).await.unwrap());
    assert!(!media.bind(&second).await.unwrap());
    assert!(media.bind(&first).await.unwrap());
    media.rebind(&first, &second).await.unwrap();
    media.rebind(&first, &third).await.unwrap();
    drop(media);
    let media = FileMedia::open(folder.path()).unwrap();
    assert!(media.bind(&second).await.unwrap() && !media.bind(&third).await.unwrap());
    assert_nothing_temporary(folder.path());
    // As a crash may leave it that comes at the wrong moment.
    fs::write(folder.path().join(".database"), "").unwrap();
    assert!(media.bind(&third).await.unwrap());
}

#[tokio::test]
async fn a_folder_that_is_gone_is_a_failure() {
    let folder = TempDir::new().unwrap();
    let media = FileMedia::open(folder.path().join("media")).unwrap();
    fs::remove_dir_all(folder.path().join("media")).unwrap();
    assert_eq!(media.stored_before(seconds_ago(0)).next(1).await.unwrap_err().operation, "list photos");
    assert_eq!(media.remove_leftovers(seconds_ago(0)).await.unwrap_err().operation, "remove leftovers");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(FileMedia::open(file.join("media")).is_err());
}
