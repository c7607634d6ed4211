//! A router that knows what it routes.
//!
//! `axum` does not say which routes a router has. The description of the API must name all of them and
//! no other, so they are noted while they are made, and a test compares.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};

/// Routes, and a list of them.
pub(crate) struct Routes<S> {
    router: Router<S>,
    named: Vec<(&'static str, &'static str)>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(crate) fn new() -> Self {
        Self {
            router: Router::new(),
            named: Vec::new(),
        }
    }

    pub(crate) fn get<H: Handler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(MethodFilter::GET, "get", path, handler)
    }

    pub(crate) fn post<H: Handler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(MethodFilter::POST, "post", path, handler)
    }

    pub(crate) fn put<H: Handler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on(MethodFilter::PUT, "put", path, handler)
    }

    pub(crate) fn delete<H: Handler<T, S>, T: 'static>(
        self,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.on(MethodFilter::DELETE, "delete", path, handler)
    }

    fn on<H: Handler<T, S>, T: 'static>(
        mut self,
        filter: MethodFilter,
        method: &'static str,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.named.push((method, path));
        self.router = self.router.route(path, on(filter, handler));
        self
    }

    /// Method and path of every route.
    #[cfg(test)]
    pub(crate) fn named(&self) -> &[(&'static str, &'static str)] {
        &self.named
    }

    pub(crate) fn into_router(self) -> Router<S> {
        self.router
    }
}
