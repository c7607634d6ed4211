//! Renewing a login's token by hand. A client with [`Credentials::Login`](crate::Credentials::Login) does it by itself.

use secrecy::{ExposeSecret, SecretString};

use crate::client::Client;
use crate::error::Error;
use crate::request;
use crate::types::RefreshResponse;

impl Client {
    /// A new access token for the login that `refresh_token` belongs to. Whoever calls this stores the
    /// answer: some services take a refresh token only once.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client, token: fleet_api::SecretString) -> Result<(), fleet_api::Error> {
    /// let tokens = fleet.refresh_token(&token).await?;
    /// println!("another refresh token: {}", tokens.refresh_token.is_some());
    /// # Ok(()) }
    /// ```
    pub async fn refresh_token(
        &self,
        refresh_token: &SecretString,
    ) -> Result<RefreshResponse, Error> {
        let secrets = &self.shared().secrets;
        secrets.learn(refresh_token.expose_secret());
        let tokens: RefreshResponse = self.read(request::refresh_token(refresh_token)).await?;
        secrets.learn(&tokens.access_token);
        tokens
            .refresh_token
            .iter()
            .for_each(|token| secrets.learn(token));
        Ok(tokens)
    }
}
