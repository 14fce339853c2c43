//! The ledger against files as crashes, disks and people leave them.

use super::*;

fn entry(number: u128, state: State) -> Entry {
    let command = RunCommand {
        command_id: Uuid::from_u128(number).to_string(),
        pod_id: Uuid::from_u128(7).to_string(),
        vmid: 100,
        ..RunCommand::default()
    };
    Entry {
        id: Uuid::from_u128(number),
        epoch: 3,
        pod_id: Uuid::from_u128(7),
        vmid: 100,
        command: Public(command),
        accepted_ms: 1,
        deadline_ms: 2,
        state,
        fenced: number.is_multiple_of(2),
    }
}

fn all_states() -> Vec<Entry> {
    let upid: Upid = "UPID:pve1:000002A5:0002DC55:6B003461:qmstart:100:root@pam!test:".parse().unwrap();
    let result = Box::new(CommandResult { command_id: "x".to_owned(), ..CommandResult::default() });
    let states = [
        State::Accepted,
        State::Called { at_ms: 5 },
        State::Started { upid, step: true, called_ms: 5 },
        State::Finished(result.clone()),
        State::Acknowledged { at_ms: 6, result },
    ];
    states.into_iter().enumerate().map(|(number, state)| entry(number as u128, state)).collect()
}

async fn written(directory: &Path) -> Vec<Entry> {
    let (ledger, _) = Ledger::open(directory).await.unwrap();
    for entry in all_states() {
        ledger.write(entry).await.unwrap();
    }
    all_states()
}

#[tokio::test]
async fn every_state_survives_and_what_is_removed_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let entries = written(directory.path()).await;
    let (ledger, opened) = Ledger::open(directory.path()).await.unwrap();
    assert_eq!((opened.entries, opened.set_aside), (entries, None));
    ledger.remove(vec![Uuid::from_u128(0)]).await.unwrap();
    drop(ledger);
    let (_, opened) = Ledger::open(directory.path()).await.unwrap();
    assert_eq!(opened.entries, all_states()[1..]);
}

#[tokio::test]
async fn only_one_process_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let (_ledger, _) = Ledger::open(directory.path()).await.unwrap();
    let error = Ledger::open(directory.path()).await.err().unwrap();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
}

/// Whatever is done to the file: it is either read whole, or put aside for a new one that works.
#[tokio::test]
async fn a_damaged_ledger_is_read_or_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    let entries = written(directory.path()).await;
    let path = directory.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    let mut damages: Vec<Vec<u8>> = vec![vec![0xa5; 4096], b"x".to_vec()];
    for length in [1, 64, 300, 4096, 8192, whole.len() / 2, whole.len() - 1] {
        damages.push(whole[..length.min(whole.len())].to_vec());
    }
    for at in (0..whole.len().min(64 * 1024)).step_by(1009) {
        let mut damage = whole.clone();
        let end = (at + 512).min(damage.len());
        damage[at..end].fill(0x5a);
        damages.push(damage);
    }
    let mut put_aside = 0;
    for damage in damages {
        fs::write(&path, &damage).unwrap();
        let (ledger, opened) = Ledger::open(directory.path()).await.unwrap();
        assert_eq!(ledger.error(), None);
        match &opened.set_aside {
            Some(aside) => {
                put_aside += 1;
                assert!(opened.entries.is_empty());
                fs::remove_file(aside).unwrap();
            }
            None => assert!(opened.entries.iter().all(|entry| entries.contains(entry)), "{opened:?}"),
        }
        ledger.write(entry(99, State::Accepted)).await.unwrap();
    }
    assert!(put_aside > 0, "no damage was noticed");
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_says_why_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    fs::create_dir(&path).unwrap();
    let (ledger, _) = Ledger::open(directory.path()).await.unwrap();
    assert!(ledger.write(entry(1, State::Accepted)).await.is_err());
    assert!(ledger.error().unwrap().contains(FILE));
    assert!(ledger.revive(Vec::new()).await.is_none() && ledger.error().is_some());
    fs::remove_dir(&path).unwrap();
    assert!(ledger.revive(Vec::new()).await.is_some_and(|opened| opened.entries.is_empty()));
    assert_eq!(ledger.error(), None);
    ledger.write(entry(1, State::Accepted)).await.unwrap();
}

#[tokio::test]
async fn a_ledger_knows_since_when_it_remembers() {
    let directory = tempfile::tempdir().unwrap();
    let before = now_ms();
    let (ledger, _) = Ledger::open(directory.path()).await.unwrap();
    let born_ms = ledger.born_ms();
    assert!((before..=now_ms()).contains(&born_ms));
    drop(ledger);
    let (ledger, _) = Ledger::open(directory.path()).await.unwrap();
    assert_eq!(ledger.born_ms(), born_ms);
}

#[tokio::test]
async fn a_look_at_a_ledger_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let names = || fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name()).collect::<Vec<_>>();
    assert!(matches!(peek(directory.path()), Ok(None)));
    assert!(names().is_empty());
    let entries = written(directory.path()).await;
    assert_eq!(peek(directory.path()).unwrap(), Some(entries));
    let (ledger, _) = Ledger::open(directory.path()).await.unwrap();
    let error = peek(directory.path()).err().unwrap();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    drop(ledger);
    let path = directory.path().join(FILE);
    for damage in [vec![7; 8192], fs::read(&path).unwrap()[..4096].to_vec()] {
        fs::write(&path, &damage).unwrap();
        let error = peek(directory.path()).err().unwrap();
        assert!(matches!(error, OpenError::Damaged(_)), "{error}");
        assert_eq!(fs::read(&path).unwrap(), damage);
        assert_eq!(names(), [FILE]);
    }
}

#[tokio::test]
async fn a_ledger_that_is_lost_at_run_time_is_written_anew_from_memory() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(directory.path()).await.unwrap();
    ledger.0.note(Some("the disk failed".to_owned()));
    fs::write(directory.path().join(FILE), vec![7; 8192]).unwrap();
    let opened = ledger.revive(all_states()).await.unwrap();
    assert!(opened.set_aside.is_some() && opened.entries.is_empty());
    assert_eq!(ledger.error(), None);
    drop(ledger);
    let (_, opened) = Ledger::open(directory.path()).await.unwrap();
    assert_eq!(opened.entries, all_states());
}
