//! Crate edges: dependencies point inward, and the domain knows no framework.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

use super::Findings;

/// Who may know whom among the crates of the workspace, apart from tests.
const ALLOWED: [(&str, &[&str]); 11] = [
    ("mango-domain", &[]),
    ("mango-contract", &["mango-domain"]),
    ("mango-http", &["mango-contract", "mango-domain"]),
    ("mango-socketio", &["mango-contract", "mango-domain"]),
    ("mango-persistence", &["mango-domain"]),
    ("mango-media", &["mango-domain"]),
    ("mango-security", &["mango-domain"]),
    ("mango-testkit", &["mango-domain"]),
    (
        "mango",
        &[
            "mango-contract",
            "mango-domain",
            "mango-http",
            "mango-media",
            "mango-persistence",
            "mango-security",
            "mango-socketio",
        ],
    ),
    ("mango-bench", &["mango-testkit"]),
    ("xtask", &[]),
];

/// Families of crates that the domain must not reach, not even through a library.
const FRAMEWORKS: [&str; 7] = ["actix", "axum", "diesel", "hyper", "socketioxide", "tokio", "utoipa"];

/// The normal dependencies of all crates, by name. Several versions of a crate are one.
pub(super) struct Graph {
    members: BTreeSet<String>,
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Asks cargo.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let metadata = MetadataCommand::new().current_dir(root).exec().context("cannot read the dependency tree")?;
        let names: BTreeMap<_, _> =
            metadata.packages.iter().map(|package| (&package.id, package.name.to_string())).collect();
        let members = metadata.workspace_members.iter().filter_map(|id| names.get(id).cloned()).collect();
        let mut dependencies = BTreeMap::<String, BTreeSet<String>>::new();
        for node in metadata.resolve.as_ref().context("cargo resolved nothing")?.nodes.iter() {
            let normal =
                node.deps.iter().filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal));
            let named = normal.filter_map(|edge| names.get(&edge.pkg).cloned());
            dependencies.entry(names.get(&node.id).cloned().unwrap_or_default()).or_default().extend(named);
        }
        Ok(Self { members, dependencies })
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &String> {
        self.dependencies.get(name).into_iter().flatten()
    }

    /// One path of dependencies from a crate to each crate that it reaches.
    fn paths_from<'a>(&'a self, name: &'a str) -> BTreeMap<&'a str, Vec<&'a str>> {
        let mut paths = BTreeMap::from([(name, vec![name])]);
        let mut todo = vec![name];
        while let Some(current) = todo.pop() {
            let path = paths.get(current).cloned().unwrap_or_default();
            for next in self.of(current) {
                if !paths.contains_key(next.as_str()) {
                    paths.insert(next, path.iter().copied().chain([next.as_str()]).collect());
                    todo.push(next);
                }
            }
        }
        paths
    }
}

/// Compares the graph with the house.
pub(super) fn check(graph: &Graph, findings: &mut Findings) {
    for member in &graph.members {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| name == member) else {
            findings.error(format!("{member} has no place in the house: say in tidy what it may depend on"));
            continue;
        };
        for dependency in graph.of(member).filter(|name| graph.members.contains(*name)) {
            if !allowed.contains(&dependency.as_str()) {
                findings.error(format!("{member} must not depend on {dependency}"));
            }
        }
    }
    for (reached, path) in graph.paths_from("mango-domain") {
        if FRAMEWORKS.iter().any(|framework| reached.starts_with(framework)) {
            findings.error(format!("the domain reaches a framework: {}", path.join(" → ")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(edges: &[(&str, &[&str])]) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let graph = Graph {
            members: ["mango-domain", "mango-contract", "mango-http", "mango-media"].map(str::to_owned).into(),
            dependencies: edges.iter().map(|(name, to)| ((*name).to_owned(), owned(to))).collect(),
        };
        let mut findings = Findings::default();
        check(&graph, &mut findings);
        findings.errors
    }

    #[test]
    fn dependencies_that_point_inward_are_fine() {
        let inward: &[(&str, &[&str])] = &[
            ("mango-domain", &["serde"]),
            ("mango-contract", &["mango-domain"]),
            ("mango-http", &["mango-contract", "mango-domain", "actix-web", "tokio"]),
        ];
        assert!(errors(inward).is_empty());
    }

    #[test]
    fn an_adapter_that_knows_another_is_found() {
        assert_eq!(errors(&[("mango-http", &["mango-media"])]), ["mango-http must not depend on mango-media"]);
        assert_eq!(
            errors(&[("mango-domain", &["mango-contract"])]),
            ["mango-domain must not depend on mango-contract"]
        );
    }

    #[test]
    fn a_framework_behind_a_library_of_the_domain_is_found_with_the_way_to_it() {
        assert_eq!(
            errors(&[("mango-domain", &["phones"]), ("phones", &["tokio-util"])]),
            ["the domain reaches a framework: mango-domain → phones → tokio-util"]
        );
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let graph = Graph { members: ["mango-extra".to_owned()].into(), dependencies: BTreeMap::new() };
        let mut findings = Findings::default();
        check(&graph, &mut findings);
        assert_eq!(findings.errors.len(), 1);
    }
}
