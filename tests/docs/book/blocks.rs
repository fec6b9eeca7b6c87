//! Fenced blocks and marked tables of a page.

/// A fenced block.
pub struct Block {
    /// What stands between `<!--` and `-->` on the line before it.
    pub marker: String,
    pub language: String,
    pub text: String,
    /// Line of its fence, from 1.
    pub line: usize,
}

/// All fenced blocks of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found = vec![];
    let mut marker = String::new();
    let mut lines = page.lines().enumerate();
    while let Some((i, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            let comment = line.strip_prefix("<!-- ").and_then(|l| l.strip_suffix(" -->"));
            marker = comment.unwrap_or_default().to_string();
            continue;
        };
        let body: Vec<&str> = lines.by_ref().map(|(_, l)| l).take_while(|l| *l != "```").collect();
        found.push(Block {
            marker: std::mem::take(&mut marker),
            language: language.to_string(),
            text: body.join("\n"),
            line: i + 1,
        });
    }
    found
}

/// The rows of the table after the line `<!-- MARKER -->`, without its head; cells are trimmed.
pub fn table(page: &str, marker: &str) -> Vec<Vec<String>> {
    let (_, rest) = page
        .split_once(&format!("<!-- {marker} -->\n"))
        .unwrap_or_else(|| panic!("the page has no table after <!-- {marker} -->"));
    let rows = rest.lines().skip(2).map_while(|l| l.strip_prefix('|')?.strip_suffix('|'));
    // A bar inside a cell is written with a backslash.
    let cells = |row: &str| {
        let row = row.replace("\\|", "\0");
        row.split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
    };
    rows.map(cells).collect()
}

/// The code spans of a text.
pub fn spans(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

/// The code spans in the first cells of a table.
pub fn names(page: &str, marker: &str) -> Vec<String> {
    table(page, marker).iter().flat_map(|row| spans(&row[0])).collect()
}
