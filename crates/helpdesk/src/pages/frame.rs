//! What all pages share: the frame around them, the stylesheet, links between pages of a list, and
//! the page that says that something went wrong.

use askama::Template;
use axum::{
    extract::{
        FromRequest, FromRequestParts,
        rejection::{FormRejection, PathRejection, QueryRejection},
    },
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};

use crate::{
    model::Rows,
    store::{Store, StoreError},
};

/// The frame of a page: who, when, where, and what just happened.
pub(super) struct Frame {
    pub(super) title: String,
    /// Which entry of the menu is lit.
    pub(super) menu: &'static str,
    pub(super) actor: String,
    pub(super) today: String,
    /// What the last form did.
    pub(super) notice: &'static str,
    /// Why the last form did nothing.
    pub(super) problem: String,
}

impl Frame {
    pub(super) fn new(store: &Store, menu: &'static str, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            menu,
            actor: store.actor().to_owned(),
            today: store.today().date().strftime("%A, %-d %B %Y").to_string(),
            notice: "",
            problem: String::new(),
        }
    }

    /// Announces the outcome that a redirect carries in `?done=`. Only known words are shown, so a
    /// link cannot put text on the page.
    pub(super) fn done(mut self, word: &str) -> Self {
        self.notice = match word {
            "created" => "The ticket was created.",
            "saved" => "Your changes were saved.",
            "commented" => "Your comment was added.",
            "tagged" => "The tag was added.",
            "untagged" => "The tag was removed.",
            "merged" => "The ticket was merged.",
            _ => "",
        };
        self
    }

    pub(super) fn problem(mut self, problem: &StoreError) -> Self {
        self.problem = sentence(&problem.to_string());
        self
    }
}

/// The links below a list that goes over several pages.
pub(super) struct Pager {
    pub(super) summary: String,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
}

impl Pager {
    pub(super) fn new<T>(page: &Rows<T>, what: &str, link: impl Fn(i64) -> String) -> Self {
        let first = (page.page - 1).saturating_mul(page.per_page) + 1;
        let last = first + i64::try_from(page.items.len()).unwrap_or(0) - 1;
        let summary = if page.total == 0 {
            format!("No {what}")
        } else if page.items.is_empty() {
            format!("{} {what}, but none on page {}", page.total, page.page)
        } else {
            format!("{first}–{last} of {} {what}", page.total)
        };
        Self {
            summary,
            previous: (page.page > 1).then(|| link((page.page - 1).min(page.pages()))),
            next: (page.page < page.pages()).then(|| link(page.page + 1)),
        }
    }
}

/// One entry of a select field.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) selected: bool,
}

impl Choice {
    pub(super) fn new(
        value: &(impl ToString + ?Sized),
        label: &(impl ToString + ?Sized),
        chosen: &str,
    ) -> Self {
        let value = value.to_string();
        Self {
            selected: value == chosen,
            label: label.to_string(),
            value,
        }
    }

    /// Entries whose value is also their label, with a capital.
    pub(super) fn of_words<'a>(
        words: impl IntoIterator<Item = &'a str>,
        chosen: &str,
    ) -> Vec<Self> {
        words
            .into_iter()
            .map(|word| Self::new(word, &capital(word), chosen))
            .collect()
    }
}

/// "open" → "Open".
pub(super) fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}

/// "2026-11-03T05:12:00Z" → "3 Nov 2026, 05:12"; anything else as it is.
pub(super) fn when(timestamp: &str) -> String {
    timestamp.parse::<jiff::Timestamp>().map_or_else(
        |_| timestamp.to_owned(),
        |time| time.strftime("%-d %b %Y, %H:%M").to_string(),
    )
}

fn sentence(text: &str) -> String {
    format!("{}.", capital(text))
}

/// A page, or the 500 that a template which cannot be rendered is.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a page could not be rendered"
            );
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// To `path`, announcing what was done; 303, so that a reload does not send the form again.
pub(super) fn done(path: &str, word: &str) -> Response {
    Redirect::to(&format!("{path}?done={word}")).into_response()
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    message: String,
}

/// Why a page cannot be shown.
pub(super) struct PageError {
    status: StatusCode,
    message: String,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let frame = Frame {
            title: if self.status == StatusCode::NOT_FOUND {
                "Not found".into()
            } else {
                "That did not work".into()
            },
            menu: "",
            actor: String::new(),
            today: String::new(),
            notice: "",
            problem: String::new(),
        };
        page(
            self.status,
            &ErrorPage {
                frame,
                message: sentence(&self.message),
            },
        )
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::NotFound { .. } => StatusCode::NOT_FOUND,
            StoreError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            StoreError::Database(_) | StoreError::Interrupted(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a page failed");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self {
            status,
            message: error.to_string(),
        }
    }
}

impl From<PathRejection> for PageError {
    fn from(_: PathRejection) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            message: "there is no such page".into(),
        }
    }
}

impl From<QueryRejection> for PageError {
    fn from(rejection: QueryRejection) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            message: rejection.body_text(),
        }
    }
}

impl From<FormRejection> for PageError {
    fn from(rejection: FormRejection) -> Self {
        Self {
            status: rejection.status(),
            message: rejection.body_text(),
        }
    }
}

/// A form whose errors are pages.
#[derive(FromRequest)]
#[from_request(via(axum::extract::Form), rejection(PageError))]
pub(super) struct Form<T>(pub(super) T);

/// A query string whose errors are pages.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(PageError))]
pub(super) struct Query<T>(pub(super) T);

/// Path parameters whose errors are pages.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(PageError))]
pub(super) struct Path<T>(pub(super) T);

pub(super) async fn stylesheet() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("../../templates/style.css"),
    )
}

pub(super) async fn no_such_page() -> Response {
    PageError {
        status: StatusCode::NOT_FOUND,
        message: "there is no such page".into(),
    }
    .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_for_people() {
        assert_eq!(when("2026-11-03T05:12:00Z"), "3 Nov 2026, 05:12");
        assert_eq!(when("soon"), "soon");
    }

    #[test]
    fn the_pager_counts() {
        let page = Rows {
            items: vec![(); 7],
            total: 57,
            page: 3,
            per_page: 25,
        };
        let pager = Pager::new(&page, "tickets", |page| format!("page={page}"));
        assert_eq!(pager.summary, "51–57 of 57 tickets");
        assert_eq!(
            (pager.previous.as_deref(), pager.next.as_deref()),
            (Some("page=2"), None)
        );
        let far = Rows {
            items: Vec::<()>::new(),
            total: 57,
            page: 9,
            per_page: 25,
        };
        assert_eq!(
            Pager::new(&far, "tickets", |page| page.to_string())
                .previous
                .as_deref(),
            Some("3")
        );
    }
}
