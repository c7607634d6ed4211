//! From a prompt to what is to be done. Pure: only the words of the prompt count.

use regex::{Captures, Regex};

/// A kind of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Play {
    Lookup(Lookup),
    Edit(Edit),
    Policy(Policy),
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lookup {
    Assignee { ticket: i64 },
    CountOpen { priority: String },
    DisputedAmount { invoice: String },
    BusiestAgent,
}

/// Something to change that is described completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edit {
    Status {
        ticket: i64,
        status: String,
    },
    Phone {
        customer: String,
        phone: String,
    },
    PriorityOf {
        subject: String,
        company: String,
        priority: String,
    },
    AssignOldest {
        category: String,
        agent: String,
    },
    Reply {
        customer: String,
        about: String,
        message: String,
        status: String,
    },
    Create(NewTicket),
    TagBySubject {
        tag: String,
        phrases: Vec<String>,
    },
    TagByPlan {
        plan: String,
        tag: String,
    },
    PriorityByTag {
        tag: String,
        from: Vec<String>,
        to: String,
    },
    ShareLoad {
        from: String,
        to: String,
        limit: usize,
    },
    ListOnTicket {
        ticket: i64,
        category: String,
    },
    AwaitingUs {
        category: String,
        priority: String,
    },
}

/// A ticket to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewTicket {
    pub(super) customer: String,
    pub(super) subject: String,
    pub(super) body: String,
    pub(super) category: String,
    pub(super) priority: String,
    pub(super) agent: String,
    pub(super) tag: String,
}

/// Something that the handbook decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Policy {
    Merge { customer: String, about: String },
    CloseWaiting { comment: String },
    Away { agent: String, successor: String },
    Refund { ticket: i64 },
    AccountChange { ticket: i64, refusal: String },
}

/// What the prompt asks for, if it is something this agent knows.
pub(super) fn understand(prompt: &str) -> Option<Play> {
    let prompt = &prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    lookup(prompt)
        .map(Play::Lookup)
        .or_else(|| policy(prompt).map(Play::Policy))
        .or_else(|| {
            one_record(prompt)
                .or_else(|| several_tickets(prompt))
                .map(Play::Edit)
        })
}

fn lookup(prompt: &str) -> Option<Lookup> {
    if let Some(found) = find(
        prompt,
        "assignee of ticket",
        r"^Who is the assignee of ticket (\d+)\?",
    ) {
        return Some(Lookup::Assignee {
            ticket: number(&found, 1)?,
        });
    }
    if let Some(found) = find(
        prompt,
        "How many tickets",
        r"^How many tickets with the priority (\w+) are open\?",
    ) {
        return Some(Lookup::CountOpen {
            priority: text(&found, 1),
        });
    }
    if let Some(found) = find(
        prompt,
        "How many euros",
        r"^How many euros of invoice (INV-\d+) does the customer dispute\?",
    ) {
        return Some(Lookup::DisputedAmount {
            invoice: text(&found, 1),
        });
    }
    find(
        prompt,
        "Which agent has",
        r"^Which agent has the most open tickets, and how many",
    )
    .map(|_| Lookup::BusiestAgent)
}

fn policy(prompt: &str) -> Option<Policy> {
    if let Some(found) = find(
        prompt,
        "has written twice",
        r"^(\w+ \w+) has written twice about (.+?)\. Merge",
    ) {
        return Some(Policy::Merge {
            customer: text(&found, 1),
            about: text(&found, 2),
        });
    }
    if let Some(found) = find(
        prompt,
        "Close the pending",
        r#"^Close the pending tickets on which nothing has happened .*comment "([^"]+)""#,
    ) {
        return Some(Policy::CloseWaiting {
            comment: text(&found, 1),
        });
    }
    if let Some(found) = find(
        prompt,
        "is away from today",
        r"^(\w+ \w+) is away from today\..*; (\w+ \w+) takes over",
    ) {
        return Some(Policy::Away {
            agent: text(&found, 1),
            successor: text(&found, 2),
        });
    }
    if let Some(found) = find(
        prompt,
        "Decide the refund",
        r"^Decide the refund that is asked for in ticket (\d+)",
    ) {
        return Some(Policy::Refund {
            ticket: number(&found, 1)?,
        });
    }
    if let Some(found) = find(
        prompt,
        "Handle the request",
        r"^Handle the request in ticket (\d+) .*changes to an account.*answer ([A-Z ]+)\.",
    ) {
        return Some(Policy::AccountChange {
            ticket: number(&found, 1)?,
            refusal: text(&found, 2),
        });
    }
    None
}

fn one_record(prompt: &str) -> Option<Edit> {
    if let Some(found) = find(
        prompt,
        "the status of ticket",
        r"[Ss]et the status of ticket (\d+) to (\w+)",
    ) {
        return Some(Edit::Status {
            ticket: number(&found, 1)?,
            status: text(&found, 2),
        });
    }
    if let Some(found) = find(
        prompt,
        "new phone number",
        r"^(\w+ \w+) has a new phone number: (\+[\d ]*\d)",
    ) {
        return Some(Edit::Phone {
            customer: text(&found, 1),
            phone: text(&found, 2),
        });
    }
    if let Some(found) = find(
        prompt,
        "priority of the one from",
        r#"subject "([^"]+)"\. Set the priority of the one from (.+?) to (\w+)"#,
    ) {
        return Some(Edit::PriorityOf {
            subject: text(&found, 1),
            company: text(&found, 2),
            priority: text(&found, 3),
        });
    }
    if let Some(found) = find(
        prompt,
        "Assign the oldest",
        r"^Assign the oldest open (\w+) ticket that has no assignee to (\w+ \w+)",
    ) {
        return Some(Edit::AssignOldest {
            category: text(&found, 1),
            agent: text(&found, 2),
        });
    }
    if let Some(found) = find(
        prompt,
        "is waiting for",
        r"^(\w+ \w+) is waiting for \w+ ([^.]+)\. .*public comment that tells \w+ that (.+?), and set the status to (\w+)",
    ) {
        return Some(Edit::Reply {
            customer: text(&found, 1),
            about: text(&found, 2),
            message: text(&found, 3),
            status: text(&found, 4),
        });
    }
    if let Some(found) = find(
        prompt,
        " called. ",
        r#"^(\w+ \w+) of .+ called\. .*subject "([^"]+)" and the description "([^"]+)", category (\w+), priority (\w+), assigned to (\w+ \w+), with the tag ([a-z-]+)"#,
    ) {
        return Some(Edit::Create(NewTicket {
            customer: text(&found, 1),
            subject: text(&found, 2),
            body: text(&found, 3),
            category: text(&found, 4),
            priority: text(&found, 5),
            agent: text(&found, 6),
            tag: text(&found, 7),
        }));
    }
    None
}

fn several_tickets(prompt: &str) -> Option<Edit> {
    if let Some(found) = find(
        prompt,
        "Add the tag",
        r"^Add the tag ([a-z-]+) to every open or pending ticket whose subject contains (.+)$",
    ) {
        let phrases = quoted(&text(&found, 2));
        return Some(Edit::TagBySubject {
            tag: text(&found, 1),
            phrases,
        });
    }
    if let Some(found) = find(
        prompt,
        "Every open ticket of",
        r"^Every open ticket of a customer on the (\w+) plan must have the tag ([a-z-]+)",
    ) {
        return Some(Edit::TagByPlan {
            plan: text(&found, 1),
            tag: text(&found, 2),
        });
    }
    if let Some(found) = find(
        prompt,
        "ticket with the tag",
        r"^Set the priority of every open ticket with the tag ([a-z-]+) that has the priority (\w+) or (\w+) to (\w+)",
    ) {
        return Some(Edit::PriorityByTag {
            tag: text(&found, 1),
            from: vec![text(&found, 2), text(&found, 3)],
            to: text(&found, 4),
        });
    }
    if let Some(found) = find(
        prompt,
        "Nobody should have",
        r"^Nobody should have more than (\w+) open tickets\. (\w+ \w+) has more\. .* to (\w+ \w+) as it takes",
    ) {
        let words = [
            "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        ];
        let limit = words.iter().position(|word| *word == &found[1])? + 1;
        return Some(Edit::ShareLoad {
            from: text(&found, 2),
            to: text(&found, 3),
            limit,
        });
    }
    if let Some(found) = find(
        prompt,
        "one internal comment",
        r"^Add one internal comment to ticket (\d+) that lists the numbers of all open (\w+) tickets",
    ) {
        return Some(Edit::ListOnTicket {
            ticket: number(&found, 1)?,
            category: text(&found, 2),
        });
    }
    if let Some(found) = find(
        prompt,
        "whose newest comment",
        r"every open (\w+) ticket whose newest comment was written by the customer to (\w+)",
    ) {
        return Some(Edit::AwaitingUs {
            category: text(&found, 1),
            priority: text(&found, 2),
        });
    }
    None
}

/// The pattern in the prompt. The hint is a part of it without variables: making a pattern takes
/// longer than all of an agent's own work, so it is not made for a prompt that cannot fit.
fn find<'a>(prompt: &'a str, hint: &str, pattern: &str) -> Option<Captures<'a>> {
    if !prompt.contains(hint) {
        return None;
    }
    Regex::new(pattern)
        .expect("the patterns are literals, and a test uses each")
        .captures(prompt)
}

fn text(found: &Captures<'_>, group: usize) -> String {
    found[group].to_owned()
}

fn number(found: &Captures<'_>, group: usize) -> Option<i64> {
    found[group].parse().ok()
}

fn quoted(text: &str) -> Vec<String> {
    text.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_of_the_examples_is_understood_differently() {
        let mut seen: Vec<(String, Play)> = Vec::new();
        for file in [
            include_str!("../../../../examples/tasks/helpdesk.json"),
            include_str!("../../../../examples/tasks/helpdesk-python.json"),
        ] {
            let tasks: Vec<serde_json::Value> = serde_json::from_str(file).unwrap();
            for task in tasks {
                let key = task["key"].as_str().unwrap().to_owned();
                let play =
                    understand(task["prompt"].as_str().unwrap()).unwrap_or_else(|| panic!("{key}"));
                if let Some((other, _)) = seen.iter().find(|(_, known)| *known == play) {
                    panic!("{key} is taken for {other}: {play:?}");
                }
                seen.push((key, play));
            }
        }
        assert_eq!(seen.len(), 22);
    }

    #[test]
    fn details_are_read() {
        let prompt = "Add the tag login to every open or pending ticket whose subject contains the word \"password\" \
                      or the words \"sign in\", unless it has the tag already.";
        let play = understand(prompt);
        let phrases = vec!["password".to_owned(), "sign in".to_owned()];
        assert_eq!(
            play,
            Some(Play::Edit(Edit::TagBySubject {
                tag: "login".to_owned(),
                phrases
            }))
        );
    }

    #[test]
    fn anything_else_is_not_understood() {
        assert_eq!(understand("Write a poem about label printers."), None);
    }
}
