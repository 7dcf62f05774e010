//! Imports go one way: no top-level module reaches itself through others.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, files, is_test, module, src};

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The top-level modules, each with the modules that it names.
fn imports() -> Graph {
    let files = files(&src());
    let modules: BTreeSet<&str> =
        files.iter().map(|file| module(file)).filter(|name| !matches!(*name, "lib" | "main")).collect();
    let mut graph = Graph::new();
    for file in files.iter().filter(|file| !is_test(file) && modules.contains(module(file))) {
        let named = Source::read(file).after("crate");
        let others = named.into_iter().filter(|name| modules.contains(name.as_str()) && name != module(file));
        graph.entry(module(file).to_owned()).or_default().extend(others);
    }
    graph
}

/// A path from a module back to itself, if there is one.
fn cycle(graph: &Graph) -> Option<Vec<String>> {
    fn walk(graph: &Graph, path: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
        let here = path.last()?.clone();
        for next in graph.get(&here).into_iter().flatten() {
            if let Some(first) = path.iter().position(|one| one == next) {
                return Some([&path[first..], std::slice::from_ref(next)].concat());
            }
            if done.contains(next) {
                continue;
            }
            path.push(next.clone());
            let found = walk(graph, path, done);
            path.pop();
            if found.is_some() {
                return found;
            }
        }
        done.insert(here);
        None
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|name| walk(graph, &mut vec![name.clone()], &mut done))
}

#[test]
fn no_module_reaches_itself_through_others() {
    assert_eq!(cycle(&imports()), None);
}

#[test]
fn the_imports_are_read() {
    let graph = imports();
    assert!(graph["apply"].contains("decide") && graph["apply"].contains("tables"), "{graph:?}");
    assert!(!graph["decide"].contains("tables"), "{graph:?}");
}

#[test]
fn a_cycle_is_found() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        cycle(&graph)
    };
    assert_eq!(graph(&[("a", "b"), ("a", "c"), ("b", "c")]), None);
    let found = graph(&[("a", "b"), ("b", "c"), ("c", "b")]);
    assert_eq!(found, Some(["b", "c", "b"].map(str::to_owned).to_vec()));
}
