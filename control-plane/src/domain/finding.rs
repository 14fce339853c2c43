//! What is found wrong when the books, the hosts and the jobs are compared: the same form in every slice.

use serde::Serialize;

use crate::clock::Ms;

/// The most that one check lists: whoever has repaired these asks again.
pub const FINDINGS_MAX: usize = 100;

/// One thing that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Finding {
    /// What it is about, as the API names it: `cloudpod 0198…`, `server pve1`.
    pub subject: String,
    /// Since when, as far as it is known.
    pub since: Option<Ms>,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub cure: String,
}

/// What one check found, up to [`FINDINGS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// In the order in which they were found.
    pub items: Vec<Finding>,
    /// There are more.
    pub more: bool,
}

impl Findings {
    /// Notes one more; `false`: the list is full, and there is no use in looking on.
    pub fn push(&mut self, finding: Finding) -> bool {
        if self.items.len() < FINDINGS_MAX {
            self.items.push(finding);
        } else {
            self.more = true;
        }
        !self.more
    }

    /// These, then those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for finding in others.items {
            if !self.push(finding) {
                break;
            }
        }
        self.more |= others.more;
        self
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.items.is_empty()
    }
}

impl FromIterator<Finding> for Findings {
    fn from_iter<I: IntoIterator<Item = Finding>>(found: I) -> Self {
        let mut all = Self::default();
        for finding in found {
            if !all.push(finding) {
                break;
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_findings_is_bounded_and_says_so() {
        let finding =
            |n: usize| Finding { subject: n.to_string(), since: None, detail: String::new(), cure: String::new() };
        let some: Findings = (0..FINDINGS_MAX).map(finding).collect();
        assert_eq!((some.items.len(), some.more, some.is_ok()), (FINDINGS_MAX, false, false));
        let many: Findings = (0..FINDINGS_MAX + 5).map(finding).collect();
        assert_eq!((many.items.len(), many.more), (FINDINGS_MAX, true));
        assert!(Findings::default().is_ok());
    }
}
