//! The mark that the agent leaves on the VMs it makes: one line in the VM's description (its "notes").
//!
//! It is what lets an agent that lost its memory find its VM, and what keeps it from touching anybody else's. The rest of the
//! description belongs to the operator and is never changed.

use std::fmt;

use uuid::Uuid;

/// Whose VM it is and which command made it: `mpanel: pod=<uuid> command=<uuid>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The pod.
    pub pod_id: Uuid,
    /// The clone command; `None` where a person cut that part off.
    pub command_id: Option<Uuid>,
}

impl Stamp {
    /// Finds the stamp in a description. Lenient about case, spaces, order and what else the line says; two stamps of
    /// different pods are no stamp, as neither can be trusted.
    pub fn find(description: &str) -> Option<Self> {
        let mut found: Option<Self> = None;
        for stamp in description.lines().filter_map(Self::from_line) {
            match found {
                Some(first) if first.pod_id != stamp.pod_id => return None,
                Some(_) => {}
                None => found = Some(stamp),
            }
        }
        found
    }

    /// The description without its stamps, as its owner wrote it.
    pub(super) fn without(description: &str) -> String {
        let lines = description.lines().filter(|line| Self::from_line(line).is_none());
        lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    fn from_line(line: &str) -> Option<Self> {
        let line = line.trim().to_ascii_lowercase();
        let rest = line.split_once("mpanel:")?.1;
        let field = |name: &str| {
            rest.split(|c: char| c.is_whitespace() || c == ',' || c == ';')
                .filter_map(|part| part.split_once('='))
                .find(|(key, _)| *key == name)
                .and_then(|(_, value)| Uuid::parse_str(value).ok())
        };
        Some(Self { pod_id: field("pod")?, command_id: field("command") })
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mpanel: pod={}", self.pod_id)?;
        self.command_id.map_or(Ok(()), |command| write!(f, " command={command}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "0190c2d8-6b5e-7c2f-9a53-3f6a6b1c2d3e";
    const COMMAND: &str = "0190c2d8-6b5e-7c2f-9a53-aaaaaaaaaaaa";

    fn check(description: &str, expected: Option<(&str, Option<&str>)>) {
        let id = |text: &str| Uuid::parse_str(text).unwrap();
        let expected = expected.map(|(pod, command)| Stamp { pod_id: id(pod), command_id: command.map(id) });
        assert_eq!(Stamp::find(description), expected, "{description:?}");
    }

    #[test]
    fn is_found_among_the_operators_words() {
        check(&format!("mpanel: pod={POD} command={COMMAND}"), Some((POD, Some(COMMAND))));
        check(
            &format!("Web server of Anna\r\n\nmpanel: pod={POD} command={COMMAND}\n# keep"),
            Some((POD, Some(COMMAND))),
        );
        check(&format!("  MPanel:   command={COMMAND},pod={}  ", POD.to_uppercase()), Some((POD, Some(COMMAND))));
        check(&format!("mpanel: pod={POD}"), Some((POD, None)));
        check(&format!("mpanel: pod={POD} command=gone"), Some((POD, None)));
    }

    #[test]
    fn is_not_seen_where_there_is_none() {
        check("", None);
        check("mpanel: pod=1", None);
        check(&format!("pod={POD}"), None);
        check(&format!("mpanel: pod={POD}\nmpanel: pod={COMMAND}"), None);
    }

    #[test]
    fn reads_what_it_wrote() {
        let stamp =
            Stamp { pod_id: Uuid::parse_str(POD).unwrap(), command_id: Some(Uuid::parse_str(COMMAND).unwrap()) };
        assert_eq!(Stamp::find(&stamp.to_string()), Some(stamp));
    }
}
