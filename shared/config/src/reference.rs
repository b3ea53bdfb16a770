//! The list of all options, and the reference page that is made of it.

pub mod schema;

use std::collections::BTreeSet;

use crate::Config;
use crate::load::{PREFIX, is_live, variable_part};
use crate::not_yet::NotYet;
use crate::tree::{About, Group, Leaf, List, Visitor};
use crate::values::Shape;

/// What there is to say about an option.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Path in a file; `[]` stands for any item of a list.
    pub path: String,
    /// Variable of the environment; `<NAME>` stands for the name of an item. `None` in lists whose
    /// items have no names: those are given as the JSON of the whole list.
    pub variable: Option<String>,
    /// Default, as one writes it.
    pub default: String,
    /// What may be written: the name of a type, or the words in quotes.
    pub kind: String,
    /// What may be written, for programs.
    pub shape: Shape,
    /// Meaning, unit and range: sentences.
    pub doc: String,
    /// Whether the option has an effect in this version.
    pub is_honoured: bool,
    /// Whether a change takes effect without a restart.
    pub is_live: bool,
}

/// Every option, in the order of declaration.
#[must_use]
pub fn entries() -> Vec<Entry> {
    let not_yet = NotYet::read();
    let mut entries = Lister::list();
    for entry in &mut entries {
        entry.is_honoured = !not_yet.is_inert(&entry.path);
    }
    entries
}

/// The paths of all options; `[]` stands for any item of a list.
pub(crate) fn paths() -> Vec<String> {
    Lister::list().into_iter().map(|entry| entry.path).collect()
}

struct Lister {
    path: String,
    variable: Option<String>,
    entries: Vec<Entry>,
}

impl Visitor for Lister {
    fn leaf(&mut self, about: &About, leaf: &mut dyn Leaf) {
        let shape = leaf.shape(about.bounds);
        self.add(about, leaf.shown(), (leaf.kind(), shape));
    }

    fn group(&mut self, about: &About, group: &mut dyn Group) {
        let below = (self.path_of(about.name), self.variable_of(about.name));
        self.inside(below, group);
    }

    fn list(&mut self, about: &About, list: &mut dyn List) {
        let kind = ("objects".to_owned(), Shape::Objects);
        self.add(about, "[]".to_owned(), kind);
        let variable = self.variable_of(about.name).filter(|_| list.is_named());
        let below = (
            format!("{}[]", self.path_of(about.name)),
            variable.map(|name| name + "_<NAME>"),
        );
        self.inside(below, list.push());
    }
}

impl Lister {
    fn list() -> Vec<Entry> {
        let variable = Some(String::new());
        let mut lister = Self {
            path: String::new(),
            variable,
            entries: Vec::new(),
        };
        Config::default().fields(&mut lister);
        lister.entries
    }

    fn add(&mut self, about: &About, default: String, (kind, shape): (String, Shape)) {
        let path = self.path_of(about.name);
        let variable = self
            .variable_of(about.name)
            .map(|bare| format!("{PREFIX}{bare}"));
        let lines: Vec<&str> = about.doc.lines().map(str::trim).collect();
        let doc = lines.join(" ").trim().to_owned();
        self.entries.push(Entry {
            is_live: is_live(&path),
            path,
            variable,
            default,
            kind,
            shape,
            doc,
            is_honoured: true,
        });
    }

    fn inside(&mut self, below: (String, Option<String>), group: &mut dyn Group) {
        let here = (
            std::mem::replace(&mut self.path, below.0),
            std::mem::replace(&mut self.variable, below.1),
        );
        group.fields(self);
        (self.path, self.variable) = here;
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    fn variable_of(&self, name: &str) -> Option<String> {
        let (top, name) = (self.variable.as_ref()?, variable_part(name));
        Some(if top.is_empty() {
            name
        } else {
            format!("{top}_{name}")
        })
    }
}

/// How the reference page begins.
const HEAD: &str = "\
# Configuration

Generated from the option tree in `shared/config`; a test keeps it true.

One file, JSON, YAML or TOML by its extension; `config.json` in the working directory if none is
named. Flags go over variables of the environment, variables over the file, the file over defaults.
The case of keys does not matter. SIGHUP has a process read its configuration again: if anything in it is
wrong, all of it stays as it was and every problem is logged; if not, the options marked *live* and new
certificates hold at once, and each other option that changed is named in a warning, because it waits for
the next start. A connection takes on what has changed with its next command; a subscription keeps the
options that it was made with.

- **Variables.** `GYRE_` and the path in capitals, with `_` between its parts: `client.ping_interval`
  is `GYRE_CLIENT_PING_INTERVAL`. `CENTRIFUGO_` works as well; if both are set, `GYRE_` counts and a
  warning says so. An empty variable counts as not set. Lists of texts have spaces between.
- **Lists of objects** are a variable with their JSON, or with names and spaces between; then each
  item has variables of its own: with `GYRE_CHANNEL_NAMESPACES=\"chat news\"`, the option
  `history_size` of the first is `GYRE_CHANNEL_NAMESPACES_CHAT_HISTORY_SIZE`. `.` and `-` in names
  become `_`. Such a variable also goes over what a file says about the item of that name. The list
  in a variable takes the place of the list in a file.
- **Durations** are texts with units: `250ms`, `25s`, `1h30m`, `-1s`. A bare number in a file counts
  nanoseconds. The least is `1ms`.
- **Zero stands for the default**, as do an empty text and an empty list: what has a default that
  is not zero is switched off by `-1` or `-1s`, where its description says so.
- **Unknown options** are named in a warning at start, as are known ones without effect in this
  version. Wrong values end the start, all named at once.
";

/// How the table of a section begins.
const TABLE: &str = "| Option | Type | Default | Meaning |\n|---|---|---|---|\n";

/// The reference page of all options, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    let mut section = None;
    for entry in entries() {
        let top = entry.path.split_once('.').map(|(top, _)| top.to_owned());
        if section.as_ref() != Some(&top) {
            let title = top.as_deref().unwrap_or("Options without a section");
            page += &format!("\n## {title}\n\n{TABLE}");
            section = Some(top);
        }
        page += &row(&entry);
    }
    page.push_str("\n## Known, without effect in this version\n\n");
    for path in later() {
        page += &format!("- `{path}`\n");
    }
    page
}

/// What there is to say about the options at and below a path, in Markdown; `None` if there are
/// none.
#[must_use]
pub fn section(path: &str) -> Option<String> {
    let is_below = |entry: &Entry| {
        let rest = entry.path.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let rows: String = entries()
        .iter()
        .filter(|entry| is_below(entry))
        .map(row)
        .collect();
    (!rows.is_empty()).then(|| format!("## {path}\n\n{TABLE}{rows}"))
}

fn row(entry: &Entry) -> String {
    let Entry {
        path,
        default,
        kind,
        doc,
        is_honoured,
        is_live,
        ..
    } = entry;
    let mark = match (is_honoured, is_live) {
        (false, _) => " *Without effect in this version.*",
        (true, true) => " *Live.*",
        (true, false) => "",
    };
    format!("| `{path}` | {kind} | `{default}` | {doc}{mark} |\n")
}

/// The options without a type; one line for all of a section that has none with a type.
fn later() -> BTreeSet<String> {
    let typed = paths();
    let is_without_type = |top: &str| {
        !typed.iter().any(|path| {
            path.strip_prefix(top)
                .is_some_and(|rest| rest.starts_with(['.', '[']))
        })
    };
    let shortened = |path: String| {
        let mut ends = path
            .match_indices('.')
            .filter_map(|(end, _)| path.get(..end));
        let section = ends
            .find(|top| is_without_type(top))
            .map(|top| format!("{top}.*"));
        section.unwrap_or(path)
    };
    NotYet::read().later().map(shortened).collect()
}
