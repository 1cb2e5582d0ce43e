//! `.anyfnignore`: which files of a folder stay out of the package. A simple part of what git understands: one pattern a
//! line, `#` begins a comment, `!` takes back, a trailing `/` means folders only, a `/` elsewhere binds the pattern to the
//! top, `*` and `?` stop at `/`, `**` does not. The last pattern that matches decides; what lies in an ignored folder
//! cannot be taken back.

#[derive(Debug)]
struct Rule {
    pattern: String,
    keep: bool,
    dirs_only: bool,
    anchored: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Ignore(Vec<Rule>);

impl Ignore {
    pub(crate) fn parse(text: &str) -> Self {
        let rule = |line: &str| {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                return None;
            }
            let (keep, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
            let (dirs_only, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
            let anchored = line.contains('/');
            let pattern = line.strip_prefix('/').unwrap_or(line).to_owned();
            Some(Rule { pattern, keep, dirs_only, anchored })
        };
        Self(text.lines().filter_map(rule).collect())
    }

    /// `path` is relative with `/`.
    pub(crate) fn ignored(&self, path: &str, is_dir: bool) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let matches = |rule: &&Rule| {
            let subject = if rule.anchored { path } else { name };
            (is_dir || !rule.dirs_only) && glob(rule.pattern.as_bytes(), subject.as_bytes())
        };
        self.0.iter().rev().find(matches).is_some_and(|rule| !rule.keep)
    }
}

/// `*` and `?` within one part, `**` over parts, `**/` also over none. Time is the product of the lengths: both are walked
/// as one table row that is moved on per byte of the pattern.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // reach[i]: the pattern so far can have eaten the first i bytes of the text
    let mut reach = vec![false; text.len() + 1];
    reach[0] = true;
    let mut rest = pattern;
    while let Some((&byte, tail)) = rest.split_first() {
        let mut next = vec![false; text.len() + 1];
        if let Some(after) = rest.strip_prefix(b"**/") {
            let mut open = false;
            for i in 0..=text.len() {
                next[i] = reach[i] || (open && i > 0 && text[i - 1] == b'/');
                open |= reach[i];
            }
            rest = after;
        } else if let Some(after) = rest.strip_prefix(b"**") {
            let mut open = false;
            for i in 0..=text.len() {
                open |= reach[i];
                next[i] = open;
            }
            rest = after;
        } else {
            for i in 0..=text.len() {
                next[i] = match byte {
                    b'*' => reach[i] || (i > 0 && next[i - 1] && text[i - 1] != b'/'),
                    b'?' => i > 0 && reach[i - 1] && text[i - 1] != b'/',
                    _ => i > 0 && reach[i - 1] && text[i - 1] == byte,
                };
            }
            rest = tail;
        }
        reach = next;
    }
    reach[text.len()]
}

#[cfg(test)]
mod tests {
    use super::Ignore;

    #[test]
    fn patterns_match_as_git_reads_them() {
        let rules = Ignore::parse("# c\n*.log\n!keep.log\nbuild/\n/top.txt\ndocs/**/*.md\n**/tmp\na?c\n");
        for (path, is_dir, ignored) in [
            ("x.log", false, true),
            ("deep/x.log", false, true),
            ("deep/keep.log", false, false),
            ("build", true, true),
            ("deep/build", true, true),
            ("build", false, false),
            ("top.txt", false, true),
            ("deep/top.txt", false, false),
            ("docs/a.md", false, true),
            ("docs/a/b/c.md", false, true),
            ("docs/a.txt", false, false),
            ("tmp", true, true),
            ("a/b/tmp", false, true),
            ("atmp", false, false),
            ("abc", false, true),
            ("abbc", false, false),
        ] {
            assert_eq!(rules.ignored(path, is_dir), ignored, "{path}");
        }
    }

    #[test]
    fn many_stars_end_soon() {
        let rules = Ignore::parse(&"*a".repeat(200));
        assert!(!rules.ignored(&"a".repeat(4000).replace("aaaa", "aaab"), false));
    }
}
