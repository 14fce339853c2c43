//! Tasks: workers that take their time, write a log, and end in a status.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::{App, Ctx};
use crate::clock;
use crate::faults::TaskAction;
use crate::locks::VmGuard;
use crate::state::{Cluster, Task, Vm};

/// Log lines of one task that are kept.
const LOG_LINES_MAX: usize = 2_000;

/// How a worker ends other than well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskError {
    /// With an error text, after cleaning up.
    Failed(String),
    /// Stopped on request, after cleaning up.
    Interrupted,
    /// Killed: no cleaning up, no status.
    Killed,
}

impl From<String> for TaskError {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

impl From<&str> for TaskError {
    fn from(text: &str) -> Self {
        Self::Failed(text.to_owned())
    }
}

pub(crate) type TaskResult<T = ()> = Result<T, TaskError>;

/// What a worker has in hand.
pub(crate) struct Worker {
    pub(crate) app: Arc<App>,
    pub(crate) node: String,
    pub(crate) upid: String,
    kind: String,
    cancel: CancellationToken,
    fault: Option<TaskAction>,
    warnings: AtomicU32,
}

impl Worker {
    pub(crate) fn log(&self, line: impl Into<String>) {
        let line = line.into();
        self.app.write(|cluster| {
            if let Some(task) = cluster.task_mut(&self.upid)
                && task.log.len() < LOG_LINES_MAX
            {
                task.log.push(line);
            }
        });
    }

    pub(crate) fn warn(&self, line: &str) {
        self.log(format!("WARN: {line}"));
        self.warnings.fetch_add(1, Ordering::SeqCst);
    }

    /// The part of the work that takes time, and in which injected faults strike.
    pub(crate) async fn work(&self) -> TaskResult {
        self.work_for(self.app.timings().of_task(&self.kind)).await
    }

    /// As [`Worker::work`], for a given time.
    pub(crate) async fn work_for(&self, time: Duration) -> TaskResult {
        let time = match &self.fault {
            Some(TaskAction::Slow { ms }) => Duration::from_millis(*ms),
            _ => time,
        };
        // What was done so far must be on disk before anything can be seen to take time.
        self.app.persist_or_log();
        tokio::select! {
            () = self.app.stop.cancelled() => return Err(TaskError::Killed),
            () = self.cancel.cancelled() => return Err(TaskError::Interrupted),
            () = self.pass(time) => {}
        }
        match &self.fault {
            Some(TaskAction::Fail { exit, log }) => {
                for line in log {
                    self.log(line.clone());
                }
                Err(TaskError::Failed(exit.clone()))
            }
            Some(TaskAction::Kill) => Err(TaskError::Killed),
            _ => Ok(()),
        }
    }

    /// The point at which what is made is claimed and nothing else is done.
    pub(crate) async fn claimed(&self) -> TaskResult {
        if matches!(self.fault, Some(TaskAction::KillEarly)) {
            return Err(TaskError::Killed);
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn pass(&self, time: Duration) {
        if matches!(self.fault, Some(TaskAction::Hold)) {
            self.app.faults.hold(&self.upid).await;
        }
        tokio::time::sleep(time).await;
    }

    /// Waits for something that faults do not touch.
    pub(crate) async fn unless_stopped<T>(&self, wait: impl Future<Output = T>) -> TaskResult<T> {
        tokio::select! {
            () = self.app.stop.cancelled() => Err(TaskError::Killed),
            () = self.cancel.cancelled() => Err(TaskError::Interrupted),
            out = wait => Ok(out),
        }
    }

    /// The VM's lock; the log says so when it has to be waited for.
    pub(crate) async fn lock(&self, vmid: u32) -> TaskResult<VmGuard> {
        let wait = self.app.timings().vm_lock;
        let waited = self.app.locks.is_held(vmid);
        if waited {
            self.log("trying to acquire lock...");
        }
        let guard = tokio::select! {
            () = self.app.stop.cancelled() => return Err(TaskError::Killed),
            () = self.cancel.cancelled() => return Err(TaskError::Interrupted),
            guard = self.app.locks.exclusive(vmid, wait) => guard?,
        };
        if waited {
            self.app.write(|cluster| {
                let last = cluster.task_mut(&self.upid).and_then(|task| task.log.last_mut());
                if let Some(last) = last {
                    last.push_str(" OK");
                }
            });
        }
        Ok(guard)
    }

    /// Reads the VM, or fails as a worker does that finds none.
    pub(crate) fn vm<T>(&self, vmid: u32, read: impl FnOnce(&Vm) -> T) -> TaskResult<T> {
        let found = self.app.read(|cluster| crate::app::node_vm(cluster, &self.node, vmid).map(read));
        found.ok_or_else(|| crate::app::no_config(&self.node, vmid).into())
    }

    /// Changes the VM, or fails as a worker does that finds none.
    pub(crate) fn vm_mut<T>(&self, vmid: u32, change: impl FnOnce(&mut Vm) -> T) -> TaskResult<T> {
        let node = &self.node;
        let changed = self.app.write(|cluster| cluster.nodes.get_mut(node)?.vms.get_mut(&vmid).map(change));
        changed.ok_or_else(|| crate::app::no_config(node, vmid).into())
    }

    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut Cluster) -> T) -> T {
        self.app.write(change)
    }
}

/// Registers a task and starts its worker; the UPID.
pub(crate) fn spawn<F, Fut>(ctx: &Ctx, kind: &str, id: &str, work: F) -> String
where
    F: FnOnce(Arc<Worker>) -> Fut,
    Fut: Future<Output = TaskResult> + Send + 'static,
{
    let app = Arc::clone(&ctx.app);
    let upid = register(&app, &ctx.node, kind, id, &ctx.who.full());
    let cancel = CancellationToken::new();
    let worker = Arc::new(Worker {
        app: Arc::clone(&app),
        node: ctx.node.clone(),
        upid: upid.clone(),
        kind: kind.to_owned(),
        cancel: cancel.clone(),
        fault: app.faults.take_task(kind, id),
        warnings: AtomicU32::new(0),
    });
    app.workers.lock().unwrap_or_else(PoisonError::into_inner).insert(upid.clone(), cancel);
    let future = work(Arc::clone(&worker));
    app.tracker.spawn(async move {
        let result = future.await;
        end(&worker, result);
    });
    upid
}

fn register(app: &App, node: &str, kind: &str, id: &str, user: &str) -> String {
    app.write(|cluster| {
        let pid = cluster.take_pid();
        let pstart = ((clock::now_ms() - cluster.boot_ms).max(0) / 10) as u64;
        let start = clock::now_s();
        let upid = format!("UPID:{node}:{pid:08X}:{pstart:08X}:{start:08X}:{kind}:{id}:{user}:");
        let task = Task {
            upid: upid.clone(),
            node: node.to_owned(),
            pid,
            pstart,
            start,
            kind: kind.to_owned(),
            id: id.to_owned(),
            user: user.to_owned(),
            end: None,
            exit: None,
            log: Vec::new(),
        };
        if let Some(node) = cluster.nodes.get_mut(node) {
            node.push_task(task);
        }
        upid
    })
}

fn end(worker: &Worker, result: TaskResult) {
    let app = &worker.app;
    app.workers.lock().unwrap_or_else(PoisonError::into_inner).remove(&worker.upid);
    if result == Err(TaskError::Killed) && app.stop.is_cancelled() {
        // The whole server goes down: what is on disk says "running", which the next start turns into a dead worker.
        return;
    }
    if let Some(TaskAction::Warnings { count }) = worker.fault
        && result.is_ok()
    {
        for number in 1..=count {
            worker.warn(&format!("injected warning {number}"));
        }
    }
    let warnings = worker.warnings.load(Ordering::SeqCst);
    let (exit, last) = match result {
        Ok(()) if warnings > 0 => (format!("WARNINGS: {warnings}"), Some(format!("TASK WARNINGS: {warnings}"))),
        Ok(()) => ("OK".to_owned(), Some("TASK OK".to_owned())),
        Err(TaskError::Failed(text)) => {
            let line = format!("TASK ERROR: {text}");
            (text, Some(line))
        }
        Err(TaskError::Interrupted) => {
            let text = "received interrupt".to_owned();
            let line = format!("TASK ERROR: {text}");
            (text, Some(line))
        }
        Err(TaskError::Killed) => ("unexpected status".to_owned(), None),
    };
    app.write(|cluster| {
        if matches!(worker.fault, Some(TaskAction::Vanish)) {
            for node in cluster.nodes.values_mut() {
                node.tasks.retain(|task| task.upid != worker.upid);
            }
        } else if let Some(task) = cluster.task_mut(&worker.upid) {
            task.log.extend(last);
            task.end = Some(clock::now_s());
            task.exit = Some(exit);
        }
    });
    app.persist_or_log();
    app.task_ended.send_modify(|count| *count += 1);
}

/// Stops a running task and waits until its worker has cleaned up. Does nothing to a finished one.
pub(crate) async fn stop(app: &App, upid: &str) {
    let cancel = app.workers.lock().unwrap_or_else(PoisonError::into_inner).get(upid).cloned();
    let Some(cancel) = cancel else { return };
    let mut ended = app.task_ended.subscribe();
    cancel.cancel();
    let finished = async {
        while app.read(|cluster| cluster.task(upid).is_some_and(|task| task.end.is_none())) {
            if ended.changed().await.is_err() {
                break;
            }
        }
    };
    if tokio::time::timeout(Duration::from_secs(5), finished).await.is_err() {
        tracing::warn!(upid, "the worker did not end within 5 s of being stopped");
    }
}
