//! The last resort of the fence: the kernel ends the process at the moment when its lease ends.
//!
//! The fence is asked directly before bytes are handed to the kernel, but a process can be stopped between the question
//! and the system call, and a busy machine makes that moment long. A timer of the kernel needs no cooperation: SIGKILL
//! reaches a stopped process too, and it is pending before any of its threads runs again.
//!
//! The first process of a PID namespace is spared by signals that come from inside, timers included; the chart therefore
//! shares the process namespace of the pod, so that the operator is not the first.

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use nix::sys::signal::{SigEvent, SigevNotify, Signal};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;

use crate::apply::fence::Held;

/// A new end and where to say that it is set.
type Order = (Option<Held>, SyncSender<()>);

/// Ends the process when the lease ends; a cheap handle.
#[derive(Clone, Debug)]
pub(crate) struct Deadline(Sender<Order>);

impl Deadline {
    /// A timer that is not set yet. It lives on a thread of its own, because a timer's handle may not leave its thread.
    ///
    /// # Errors
    /// The system grants no timer or no thread.
    pub(crate) fn new() -> io::Result<Self> {
        let (orders, incoming) = channel::<Order>();
        let (made, answer) = sync_channel(1);
        std::thread::Builder::new().name("lease-deadline".into()).spawn(move || match timer() {
            Ok(timer) => {
                let _ = made.send(Ok(()));
                obey(timer, &incoming);
            }
            Err(error) => {
                let _ = made.send(Err(error));
            }
        })?;
        answer.recv().map_err(io::Error::other)??;
        Ok(Self(orders))
    }

    /// Moves the end; `None` takes it away. Returns when that is in force.
    pub(crate) fn set(&self, held: Option<Held>) {
        let (done, in_force) = sync_channel(1);
        if self.0.send((held, done)).is_ok() {
            let _ = in_force.recv();
        }
    }
}

fn timer() -> io::Result<Timer> {
    let kill = SigevNotify::SigevSignal { signal: Signal::SIGKILL, si_value: 0 };
    // This clock goes on while the machine sleeps, and nobody can set it.
    Ok(Timer::new(ClockId::CLOCK_BOOTTIME, SigEvent::new(kill))?)
}

fn obey(mut timer: Timer, incoming: &Receiver<Order>) {
    for (held, done) in incoming {
        // Zero would switch the timer off.
        let end = held.map_or(TimeSpec::from_duration(std::time::Duration::ZERO), Held::boot_time);
        let set = timer.set(Expiration::OneShot(end), TimerSetTimeFlags::TFD_TIMER_ABSTIME);
        if let Err(error) = set {
            tracing::warn!(%error, "the kernel's timer could not be set; the fence alone guards the end of the lease");
        }
        let _ = done.send(());
    }
}
