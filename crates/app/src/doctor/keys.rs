//! What the doctor says of the signing keys.

use std::fs;
use std::io::ErrorKind;

use mango_security::SigningKey;

use crate::config::Settings;
use crate::keys;

use super::checks::readable_by_others;
use super::report::Finding;

/// Looks at the key that signs, at the one of before, and at whether there can be a next one.
pub(super) fn all(settings: &Settings, in_use: bool) -> Vec<Finding> {
    let (signs, current) = match &settings.jwt_secret {
        Some(key) => (Finding::ok("is set by MANGO_JWT_SECRET"), Some(key.id())),
        None => in_file(settings, in_use),
    };
    let mut findings = vec![signs];
    findings.extend(previous(settings.jwt_secret_previous.as_ref(), current.as_deref()));
    findings.extend(draft(settings));
    findings
}

/// What is said of the file, and the name of the key in it that signs.
fn in_file(settings: &Settings, in_use: bool) -> (Finding, Option<String>) {
    let path = settings.key_file();
    let shown = path.display();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let finding = match error.kind() {
                ErrorKind::NotFound if in_use => Finding::warn(
                    format!(
                        "{shown} is missing though there are users: a start makes a new one, which logs everybody out"
                    ),
                    "restore it from the backup that the database is from",
                ),
                ErrorKind::NotFound => Finding::ok(format!("{shown} is not there yet, it is made at the first start")),
                _ => Finding::fail(
                    format!("{shown} cannot be read: {error}"),
                    "let the user that runs Mango read it, and nobody else",
                ),
            };
            return (finding, None);
        }
    };
    match keys::read(&path, &text) {
        Err(error) => {
            let remedy = "restore it, or remove it to get a new one, which logs everybody out";
            (Finding::fail_for(error.to_string(), remedy), None)
        }
        Ok(keys) => {
            let finding = match readable_by_others(&path) {
                true => {
                    let text = format!("other users of this machine can read {shown}");
                    Finding::warn(text, format!("chmod 600 {shown}"))
                }
                false => Finding::ok(format!("{shown} can be read by its owner alone")),
            };
            (finding, Some(keys.current.key.id()))
        }
    }
}

/// A key of before that signs still was not replaced: whoever has it can go on.
fn previous(previous: Option<&SigningKey>, current: Option<&str>) -> Option<Finding> {
    let is_current = previous.is_some_and(|key| Some(&*key.id()) == current);
    is_current.then(|| {
        Finding::warn(
            "MANGO_JWT_SECRET_PREVIOUS is the key that signs: nothing was replaced",
            "set another MANGO_JWT_SECRET, or take MANGO_JWT_SECRET_PREVIOUS away",
        )
    })
}

/// What a rotation leaves that was cut off keeps all others from beginning.
fn draft(settings: &Settings) -> Option<Finding> {
    let draft = keys::draft(&settings.key_file());
    let shown = draft.display();
    let is_left = settings.jwt_secret.is_none() && draft.exists();
    let text = format!("{shown} is there: a rotation is under way, or one was cut off and no other can begin");
    is_left.then(|| Finding::warn(text, format!("if none is under way, remove {shown}")))
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    const ONE: &str = "an open secret of more than thirty-two bytes";
    const OTHER: &str = "another open secret of more than 32 bytes";

    #[test]
    fn a_previous_key_that_signs_and_a_draft_that_was_left_are_told() {
        let dir = tempdir().unwrap();
        let told = |set: &[(&str, &str)]| {
            let set = [&[("MANGO_DATA_DIR", dir.path().to_str().unwrap())], set].concat();
            let set = set.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            let settings = Settings::load(set, None).unwrap().settings;
            let warned: Vec<String> = all(&settings, true).iter().map(|finding| format!("{finding:?}")).collect();
            warned.into_iter().filter(|finding| finding.contains("severity: Warn")).collect::<Vec<_>>()
        };
        let (secret, previous) = (("MANGO_JWT_SECRET", ONE), "MANGO_JWT_SECRET_PREVIOUS");
        assert!(told(&[secret, (previous, OTHER)]).is_empty());
        let same = told(&[secret, (previous, ONE)]);
        assert!(same.len() == 1 && same[0].contains("nothing was replaced") && !same[0].contains(ONE), "{same:?}");

        fs::write(dir.path().join("jwt.key"), format!("{ONE}\n")).unwrap();
        let open = told(&[]).len();
        assert_eq!(told(&[(previous, OTHER)]).len(), open);
        assert_eq!(told(&[(previous, ONE)]).len(), open + 1, "the file has it as well");
        fs::write(dir.path().join("jwt.key.new"), "").unwrap();
        let left = told(&[]);
        assert!(left.len() == open + 1 && left[open].contains("jwt.key.new is there"), "{left:?}");
        assert!(told(&[secret]).is_empty(), "nobody rotates a key that is set");
    }
}
