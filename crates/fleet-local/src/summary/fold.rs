//! From any number of texts to one, through questions of a bounded size.
//!
//! As many texts as there is room for go into one question. While more than one answer comes back, the answers are the next
//! texts. An answer is cut to a quarter of the room, so each round has at most a third of the questions of the one before.

use std::pin::Pin;

use futures::stream::{self, Peekable, Stream, StreamExt as _, TryStreamExt as _};

use crate::cut::cut;

/// Bytes of an answer that are kept, however much room there is.
const ANSWER: usize = 16 << 10;

/// Between two texts.
const GAP: &str = "\n\n";

/// The size and number of questions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of the texts of one question.
    pub(crate) room: usize,
    /// Questions at a time.
    pub(crate) parallel: usize,
}

/// Asks until one answer is left. No more texts are in memory than the questions under way have, and one.
pub(crate) async fn fold<E, A>(
    texts: impl Stream<Item = Result<String, E>> + Send,
    limits: Limits,
    ask: impl Fn(String) -> A,
) -> Result<String, E>
where
    A: Future<Output = Result<String, E>>,
{
    let mut answers = ask_all(texts, limits, &ask).await?;
    while answers.len() > 1 {
        let texts = stream::iter(answers.into_iter().map(Ok));
        answers = ask_all(texts, limits, &ask).await?;
    }
    Ok(answers.pop().unwrap_or_default())
}

async fn ask_all<E, A>(
    texts: impl Stream<Item = Result<String, E>> + Send,
    limits: Limits,
    ask: impl Fn(String) -> A,
) -> Result<Vec<String>, E>
where
    A: Future<Output = Result<String, E>>,
{
    packed(texts, limits.room)
        .map_ok(ask)
        .try_buffered(limits.parallel)
        .map_ok(|answer| cut(&answer, ANSWER.min(limits.room / 4)))
        .try_collect()
        .await
}

/// Joins neighbours as long as they fit; a text that is too long alone is cut.
fn packed<E>(
    texts: impl Stream<Item = Result<String, E>> + Send,
    room: usize,
) -> impl Stream<Item = Result<String, E>> {
    let texts = texts.map_ok(move |text| cut(&text, room));
    stream::try_unfold(Box::pin(texts.peekable()), move |mut texts| async move {
        let Some(mut pack) = texts.try_next().await? else {
            return Ok(None);
        };
        while let Some(text) = next_that_fits(texts.as_mut(), room.saturating_sub(pack.len())).await
        {
            pack.push_str(GAP);
            pack.push_str(&text?);
        }
        Ok(Some((pack, texts)))
    })
}

/// The next text if it fits, or the error that is in its place.
async fn next_that_fits<E, S>(
    texts: Pin<&mut Peekable<S>>,
    room: usize,
) -> Option<Result<String, E>>
where
    S: Stream<Item = Result<String, E>>,
{
    texts
        .next_if(|text| {
            text.as_ref()
                .map_or(true, |text| GAP.len() + text.len() <= room)
        })
        .await
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn texts(texts: &[&str]) -> impl Stream<Item = Result<String, &'static str>> + Send {
        stream::iter(
            texts
                .iter()
                .map(|text| Ok((*text).to_owned()))
                .collect::<Vec<_>>(),
        )
    }

    #[tokio::test]
    async fn neighbours_share_a_question_as_long_as_they_fit() {
        let packs: Vec<String> = packed(texts(&["aaaa", "bb", "cccc", "dddddddddddddddd"]), 8)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(packs, ["aaaa\n\nbb", "cccc", "dddddddd"]);
    }

    #[tokio::test]
    async fn one_question_is_the_whole_when_all_fits() {
        let limits = Limits {
            room: 100,
            parallel: 2,
        };
        let told = fold(texts(&["a", "b"]), limits, |text| async move {
            Ok(format!("<{text}>"))
        });
        assert_eq!(told.await, Ok("<a\n\nb>".to_owned()));
    }

    /// Answers as long as they may be: still, three of them fit into one question.
    #[tokio::test]
    async fn many_long_texts_end_in_one_answer_of_all_of_them() {
        let limits = Limits {
            room: 4_000,
            parallel: 8,
        };
        let (questions, at_once, most) = Default::default();
        let (questions, at_once, most): (AtomicUsize, AtomicUsize, AtomicUsize) =
            (questions, at_once, most);
        let sessions =
            stream::iter((0..3_000).map(|n| Ok::<_, Infallible>(format!("{n} ").repeat(2_000))));
        let answer = fold(sessions, limits, |text| {
            assert!(text.len() <= limits.room, "{}", text.len());
            questions.fetch_add(1, Ordering::Relaxed);
            let (at_once, most) = (&at_once, &most);
            async move {
                most.fetch_max(
                    at_once.fetch_add(1, Ordering::Relaxed) + 1,
                    Ordering::Relaxed,
                );
                tokio::task::yield_now().await;
                at_once.fetch_sub(1, Ordering::Relaxed);
                Ok("x".repeat(10_000))
            }
        });
        assert_eq!(answer.await.unwrap().len(), limits.room / 4);
        let asked = questions.into_inner();
        assert!((3_000..4_600).contains(&asked), "{asked}");
        assert_eq!(most.into_inner(), limits.parallel);
    }

    #[tokio::test]
    async fn one_question_without_an_answer_ends_all_of_it() {
        let limits = Limits {
            room: 4,
            parallel: 2,
        };
        let asked = fold(
            texts(&["good", "evil", "good"]),
            limits,
            |text| async move { if text == "evil" { Err("no") } else { Ok(text) } },
        );
        assert_eq!(asked.await, Err("no"));
        let broken = stream::iter([Ok("a".to_owned()), Err("unreadable")]);
        let asked = fold(broken, limits, |text| async move { Ok(text) });
        assert_eq!(asked.await, Err("unreadable"));
    }
}
