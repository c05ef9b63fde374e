//! Reads what `strace -f -yy` wrote: did the answer wait for the disk (R1)?
//!
//! A line is `PROCESS call(arguments) = result`. When another thread's line comes between a call
//! and its result, it is cut in two: `call(arguments <unfinished ...>` and, further down,
//! `<... call resumed>rest) = result`. The lines stand in the order in which things happened.

use std::collections::HashMap;

/// What a line of the trace says that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// The request has been read from its socket.
    Request,
    /// Bytes are on their way into the store's log; begun is enough to want a sync after it.
    Logged,
    /// The store's log is on disk.
    Synced,
    /// The answer begins to be written to a socket.
    Answer,
}

/// Why a trace does not show that the answer waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The request was never read.
    NoRequest,
    /// No answer was written after the request was read.
    NoAnswer,
    /// Nothing was written to the store's log between request and answer.
    NothingLogged,
    /// The log was not synced between its last write and the answer.
    NotSynced,
}

/// Checks that the store's write-ahead log `log` was written after `request` was read, and that
/// it was synced, with success, after its last write and before the answer was begun.
pub fn synced_before_answer(trace: &str, request: &str, log: &str) -> Result<(), Doubt> {
    let events: Vec<Event> = events(trace, request, log);
    let read = events.iter().position(|event| *event == Event::Request).ok_or(Doubt::NoRequest)?;
    let after = &events[read..];
    let end = after.iter().position(|event| *event == Event::Answer).ok_or(Doubt::NoAnswer)?;
    let between = &after[..end];
    let logged = between.iter().rposition(|event| *event == Event::Logged);
    let logged = logged.ok_or(Doubt::NothingLogged)?;
    let synced = between[logged..].contains(&Event::Synced);
    if synced { Ok(()) } else { Err(Doubt::NotSynced) }
}

fn events(trace: &str, request: &str, log: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let mut open: HashMap<&str, &str> = HashMap::new();
    for line in trace.lines() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            open.insert(process, begun);
            events.extend(begins(begun, log));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let begun = open.remove(process).unwrap_or_default();
            events.extend(ends(begun, resumed, request, log));
        } else {
            events.extend(begins(rest, log));
            events.extend(ends(rest, rest, request, log));
        }
    }
    events
}

/// What counts from the moment a call begins.
fn begins(call: &str, log: &str) -> Option<Event> {
    let (name, arguments) = call.split_once('(')?;
    let target = target(arguments);
    match name {
        "pwrite64" if target.ends_with(log) => Some(Event::Logged),
        "write" | "writev" | "sendto" | "sendmsg"
            if target.starts_with("TCP") && arguments.contains("HTTP/1.1 ") =>
        {
            Some(Event::Answer)
        }
        _ => None,
    }
}

/// What counts only when a call has ended; `begun` has its name and target, `ended` its result.
fn ends(begun: &str, ended: &str, request: &str, log: &str) -> Option<Event> {
    let (name, arguments) = begun.split_once('(')?;
    let target = target(arguments);
    let (said, result) = ended.rsplit_once(" = ")?;
    match name {
        "fdatasync" | "fsync" if target.ends_with(log) && result.trim() == "0" => {
            Some(Event::Synced)
        }
        "read" | "recvfrom" | "recvmsg" | "readv"
            if target.starts_with("TCP") && said.contains(request) =>
        {
            Some(Event::Request)
        }
        _ => None,
    }
}

/// What a call's first argument, `7</path>` or `9<TCP:[...]>`, stands for.
fn target(arguments: &str) -> &str {
    let Some((_, rest)) = arguments.split_once('<') else { return "" };
    let socket = rest.strip_prefix("TCP").and_then(|_| rest.find("]>"));
    let end = socket.map(|end| end + 1).or_else(|| rest.find('>')).unwrap_or(0);
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HONEST: &str = "\
7 recvfrom(9<TCP:[127.0.0.1:80->127.0.0.1:90]>, \"PUT /v1/tubes/T1 HTTP/1.1\\r\\n\", 8192, 0) = 99
8 pwrite64(5</d/swabline.db-wal>, \"7\\177\"..., 32, 0) = 32
8 fdatasync(5</d/swabline.db-wal> <unfinished ...>
7 recvfrom(9<TCP:[127.0.0.1:80->127.0.0.1:90]>, 0x7f, 8192, 0) = -1 EAGAIN (no data)
8 <... fdatasync resumed>)               = 0
7 sendto(9<TCP:[127.0.0.1:80->127.0.0.1:90]>, \"HTTP/1.1 201 Created\\r\\n\", 9, 0) = 9
";
    const REQUEST: &str = "PUT /v1/tubes/T1 ";
    const LOG: &str = "/swabline.db-wal";

    fn judge(trace: &str) -> Result<(), Doubt> {
        synced_before_answer(trace, REQUEST, LOG)
    }

    fn without(word: &str) -> String {
        let kept = HONEST.lines().filter(|line| !line.contains(word));
        kept.flat_map(|line| [line, "\n"]).collect()
    }

    /// The trace with the line of this number moved to the end.
    fn with_last(number: usize) -> String {
        let mut lines: Vec<_> = HONEST.lines().collect();
        let moved = lines.remove(number);
        lines.push(moved);
        lines.join("\n")
    }

    #[test]
    fn an_answer_that_waited_is_believed() {
        assert_eq!(judge(HONEST), Ok(()));
    }

    #[test]
    fn a_trace_without_one_of_its_parts_is_not_believed() {
        assert_eq!(judge(&without("PUT ")), Err(Doubt::NoRequest));
        assert_eq!(judge(&without("HTTP/1.1 201")), Err(Doubt::NoAnswer));
        assert_eq!(judge(&without("pwrite64")), Err(Doubt::NothingLogged));
        assert_eq!(judge(&without("fdatasync")), Err(Doubt::NotSynced));
    }

    #[test]
    fn a_sync_that_began_but_ended_after_the_answer_is_none() {
        assert_eq!(judge(&with_last(4)), Err(Doubt::NotSynced));
    }

    #[test]
    fn a_sync_before_the_last_write_is_none() {
        let mut lines: Vec<_> = HONEST.lines().collect();
        let written = lines.remove(1);
        lines.insert(4, written);
        assert_eq!(judge(&lines.join("\n")), Err(Doubt::NotSynced));
    }

    #[test]
    fn a_sync_that_failed_or_was_of_another_file_is_none() {
        let failed = HONEST.replace("resumed>)               = 0", "resumed>) = -1 EIO (error)");
        assert_eq!(judge(&failed), Err(Doubt::NotSynced));
        let other = HONEST.replace("fdatasync(5</d/swabline.db-wal>", "fdatasync(6</d/keys.json>");
        assert_eq!(judge(&other), Err(Doubt::NotSynced));
    }
}
