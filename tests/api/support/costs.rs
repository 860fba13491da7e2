//! What a request costs: the documented table of DynamoDB operations and messages.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
};

use super::checkout::root;

/// Where the table is.
const DOCUMENT: &str = "tests/bench/README.md";

/// What a request costs, as documented.
pub struct Cost {
    /// DynamoDB's operations: those of one round at once, one round after the other.
    pub rounds: Vec<Vec<String>>,
    /// What goes on after the answer.
    pub after: Vec<String>,
    pub messages: usize,
}

/// The documented table, and which of its rows have been compared with a request.
pub struct Table {
    rows: BTreeMap<String, Cost>,
    compared: RefCell<BTreeSet<String>>,
}

impl Table {
    /// The rows are ``| `a`, `b` | `Operation` ∥ `Operation` → `Operation` | requests | messages | after the answer |``.
    pub fn documented() -> Self {
        let text = fs::read_to_string(root().join(DOCUMENT)).unwrap();
        let header = "| function | DynamoDB | requests | SNS | after the answer |";
        let (_, table) = text.split_once(header).expect("the document has the table");
        let lines = table.lines().skip(2).take_while(|line| !line.is_empty());
        let mut rows = BTreeMap::new();
        for line in lines {
            let line = line.replace('`', "");
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [functions, operations, requests, messages, after] = cells[..] else {
                panic!("{line}");
            };
            let rounds: Vec<Vec<String>> = operations.split('→').map(at_once).collect();
            let after: Vec<String> = after.split('→').flat_map(at_once).collect();
            let asked = rounds.iter().map(Vec::len).sum::<usize>() + after.len();
            assert_eq!(requests.parse(), Ok(asked), "{line}");
            let messages = messages.parse().unwrap();
            for function in functions.split(", ") {
                let cost = Cost {
                    rounds: rounds.clone(),
                    after: after.clone(),
                    messages,
                };
                rows.insert(function.to_owned(), cost);
            }
        }
        Self {
            rows,
            compared: RefCell::default(),
        }
    }

    /// The names of its rows.
    pub fn names(&self) -> BTreeSet<String> {
        self.rows.keys().cloned().collect()
    }

    /// The rows that have been compared with a request.
    pub fn compared(&self) -> BTreeSet<String> {
        self.compared.borrow().clone()
    }

    /// A row, to compare it with a request.
    pub fn compare(&self, name: &str) -> &Cost {
        self.compared.borrow_mut().insert(name.to_owned());
        self.row(name)
    }

    /// The DynamoDB operations of a row.
    pub fn operations(&self, name: &str) -> impl Iterator<Item = &str> {
        let cost = self.row(name);
        let operations = cost.rounds.iter().flatten().chain(&cost.after);
        operations.map(String::as_str)
    }

    fn row(&self, name: &str) -> &Cost {
        let Some(cost) = self.rows.get(name) else {
            panic!("the table has no row for {name}");
        };
        cost
    }
}

/// `Operation` ∥ `Operation`; none is –.
fn at_once(round: &str) -> Vec<String> {
    let operations = round.split('∥').map(str::trim).filter(|one| *one != "–");
    operations.map(str::to_owned).collect()
}
