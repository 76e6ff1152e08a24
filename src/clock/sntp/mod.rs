//! NTP servers, asked directly (RFC 5905, as an SNTP client: §14).
//!
//! A thread for each server asks it when told to, so that a name that does not resolve or a server that does not answer
//! keeps nobody waiting beyond the round's deadline. A majority of the servers that are configured (not of those that
//! answered) must agree.

mod agree;
mod packet;
mod query;

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use agree::{Interval, agree};
use packet::Answer;
use query::Server;

use super::health::ServerHealth;
use super::measure::{Measurement, Outcome, Unmeasured};
use super::settings::ServerName;
use super::{ClockFault, SourceFailure};

/// How long a round waits for its servers: beyond any sane round trip, short enough for a start within two seconds.
const ROUND_LIMIT: Duration = Duration::from_millis(1_000);

/// Servers state their own error by estimates; none is believed to be better than this.
const LEAST_ERROR_US: i64 = 1_000;

struct Asked {
    name: String,
    ask: SyncSender<u64>,
}

struct Reply {
    round: u64,
    server: usize,
    answer: Result<Answer, query::QueryError>,
}

/// The servers and the threads that ask them. The threads end when this is dropped.
pub(super) struct Servers {
    asked: Vec<Asked>,
    replies: Receiver<Reply>,
    round: u64,
}

impl Servers {
    /// Starts a thread for each server.
    pub(super) fn start(names: &[(String, ServerName)]) -> io::Result<Self> {
        let (reply, replies) = channel();
        let mut asked = Vec::with_capacity(names.len());
        for (at, (text, name)) in names.iter().enumerate() {
            let (ask, rounds) = sync_channel(1);
            let reply: Sender<Reply> = reply.clone();
            let mut server = Server::new(name.clone());
            thread::Builder::new().name(format!("ntp-{at}")).spawn(move || {
                for round in rounds {
                    let answer = server.ask(Instant::now() + ROUND_LIMIT);
                    if reply.send(Reply { round, server: at, answer }).is_err() {
                        return;
                    }
                }
            })?;
            asked.push(Asked { name: text.clone(), ask });
        }
        Ok(Self { asked, replies, round: 0 })
    }

    /// Asks all, and says by how much the clock may be wrong. With what each server said.
    pub(super) fn measure(&mut self) -> (Outcome, Vec<ServerHealth>) {
        let answers = self.ask_all();
        let mut health = Vec::with_capacity(self.asked.len());
        let mut good = Vec::new();
        for (at, asked) in self.asked.iter().enumerate() {
            let mut server =
                ServerHealth { server: asked.name.clone(), offset_us: None, error_us: None, problem: None };
            match answers.get(&at) {
                Some(Ok(answer)) => {
                    let answer = Answer { error_us: answer.error_us.max(LEAST_ERROR_US), ..*answer };
                    server.offset_us = Some(answer.offset_us);
                    server.error_us = Some(answer.error_us);
                    good.push(answer);
                }
                Some(Err(error)) => server.problem = Some(error.to_string()),
                None => server.problem = Some(query::QueryError::NoAnswer.to_string()),
            }
            health.push(server);
        }
        (judge(&good, self.asked.len()), health)
    }

    fn ask_all(&mut self) -> BTreeMap<usize, Result<Answer, query::QueryError>> {
        self.round = self.round.wrapping_add(1);
        let mut waiting = 0_usize;
        for asked in &self.asked {
            match asked.ask.try_send(self.round) {
                Ok(()) => waiting += 1,
                // Still busy with an earlier round (a name that does not resolve), or its thread is gone.
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
            }
        }
        let deadline = Instant::now() + ROUND_LIMIT;
        let mut answers = BTreeMap::new();
        while waiting > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(reply) = self.replies.recv_timeout(left) else { break };
            if reply.round == self.round {
                waiting -= 1;
                answers.insert(reply.server, reply.answer);
            }
        }
        answers
    }
}

/// What the good answers together say, with so many servers configured.
fn judge(answers: &[Answer], configured: usize) -> Outcome {
    let majority = configured / 2 + 1;
    if answers.len() < majority {
        let reason = SourceFailure::TooFewAnswers { answered: answers.len(), configured };
        return Err(Unmeasured::Silent(reason));
    }
    let intervals: Vec<Interval> =
        answers.iter().map(|answer| Interval::around(answer.offset_us, answer.error_us)).collect();
    let agreed = agree(&intervals, majority)
        .map_err(|agreeing| Unmeasured::Bad(ClockFault::NoMajority { agreeing, configured }))?;
    Ok(Measurement {
        error_us: agreed.low_us.unsigned_abs().max(agreed.high_us.unsigned_abs()),
        floor_us: 0,
        // One announcement is enough: a needless pause of some seconds harms less than a wrong second. A server whose
        // time is not the majority's is not heard.
        leap: answers
            .iter()
            .zip(&intervals)
            .filter(|(_, interval)| interval.meets(agreed))
            .find_map(|(answer, _)| answer.leap),
        evidence: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::LeapKind;

    fn answer(offset_us: i64, error_us: i64) -> Answer {
        Answer { offset_us, error_us, leap: None }
    }

    #[test]
    fn the_bound_is_the_far_end_of_what_the_majority_agrees_on() {
        let outcome = judge(&[answer(5_000, 3_000), answer(4_000, 3_000), answer(6_000, 1_500)], 3).unwrap();
        // Points that two of [2000, 8000], [1000, 7000], [4500, 7500] cover: [2000, 7500].
        assert_eq!(outcome.error_us, 7_500);
        assert_eq!(judge(&[answer(-9_000, 100)], 1).unwrap().error_us, 9_100);
    }

    #[test]
    fn a_majority_of_the_configured_must_answer_and_agree() {
        let silent =
            |answered, configured| Err(Unmeasured::Silent(SourceFailure::TooFewAnswers { answered, configured }));
        assert_eq!(judge(&[], 1), silent(0, 1));
        assert_eq!(judge(&[answer(0, 1)], 2), silent(1, 2));
        assert_eq!(judge(&[answer(0, 1), answer(0, 1)], 4), silent(2, 4));
        let wrong = answer(700_000, 1_000);
        assert_eq!(
            judge(&[answer(0, 1_000), wrong], 2),
            Err(Unmeasured::Bad(ClockFault::NoMajority { agreeing: 1, configured: 2 }))
        );
        assert_eq!(judge(&[answer(0, 1_000), wrong, answer(500, 1_000)], 3).unwrap().error_us, 1_000);
        // Two that answer and disagree, the third silent: the two are a majority by number and say two things.
        assert!(matches!(judge(&[answer(0, 1_000), wrong], 3), Err(Unmeasured::Bad(ClockFault::NoMajority { .. }))));
    }

    #[test]
    fn a_leap_second_is_heard_from_those_who_agree_only() {
        let announcing = Answer { leap: Some(LeapKind::Insert), ..answer(0, 1_000) };
        let wrong = Answer { leap: Some(LeapKind::Delete), ..answer(9_000_000, 1_000) };
        let right = answer(100, 1_000);
        assert_eq!(judge(&[wrong, right, announcing], 3).unwrap().leap, Some(LeapKind::Insert));
        assert_eq!(judge(&[wrong, right, right], 3).unwrap().leap, None);
    }
}
