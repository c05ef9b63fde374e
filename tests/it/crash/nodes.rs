//! Two nodes serve one store and one Redis; one is killed under load, and its devices go on at the
//! other.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::kept::redis;

/// Devices, half of which begin at the node that is killed.
const TURNS: usize = 12;
/// Milliseconds of load before and after the kill.
const LOAD: Duration = Duration::from_millis(600);

/// A device that puts one tube after the other, and goes to the next node with the same tube when
/// it was not answered; says how many of its tubes it had to put again.
async fn put_at_either(
    nodes: Vec<Caller>,
    unused: Arc<Unused>,
    stop: Arc<AtomicBool>,
) -> (Vec<Sent>, usize) {
    let (mut sent, mut at, mut again) = (Vec::new(), 0, 0);
    while !stop.load(Ordering::SeqCst) {
        let mut tube = unused.next();
        while tube.put(&nodes[at]).await.is_err() {
            at += 1;
            again += 1;
            tube.again();
        }
        sent.push(tube);
    }
    (sent, again)
}

/// A node, with the Redis of the surroundings where there is one.
fn node(program: &Program) -> Server {
    let mut command = command();
    if let Some(redis) = redis::given() {
        command.env("SWABLINE_REDIS", redis);
    }
    program.serve_under(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_killed_under_load_and_nothing_is_lost_or_doubled() {
    let Some(program) = Program::fresh(Engine::Postgres).await else { return };
    let (killed, left) = (node(&program), node(&program));
    let city = city(&program, &killed, CODES).await;
    let (unused, stop) = (Arc::<Unused>::default(), Arc::<AtomicBool>::default());
    let device = |n| {
        // The node that is left comes last, for there is no third to go to.
        let nodes = if n % 2 == 0 { vec![&killed, &left] } else { vec![&left] };
        let nodes = nodes.into_iter().map(|node| node.caller(&city.sampler)).collect();
        tokio::spawn(put_at_either(nodes, Arc::clone(&unused), Arc::clone(&stop)))
    };
    let devices: Vec<_> = (0..TURNS).map(device).collect();
    tokio::time::sleep(LOAD).await;
    killed.kill();
    tokio::time::sleep(LOAD).await;
    stop.store(true, Ordering::SeqCst);
    let (mut sent, mut again) = (Vec::new(), 0);
    for device in devices {
        let (tubes, times) = device.await.unwrap();
        sent.extend(tubes);
        again += times;
    }
    assert!(again > 0, "the kill came under load");
    let mut story = Story { program, city, unused, sent, unanswered_but_stored: 0 };
    story.send_again(&left, 0).await;
    story.close_ledger(&left).await;
    assert!(left.stop().success());
    story.audit();
    story.look().await;
    eprintln!(
        "{} tubes at two nodes, {again} put again at the one that was left",
        story.sent.len()
    );
}
