//! `cargo xtask watch`: what is changed in `app/` is soon in the local stack, beside what all of its parts print.
//!
//! The site is served by Vite, which asks the API of the cluster. The backend is compiled, put into an image and released as any other release
//! is, so that a change that does not build, or does not pass its gates, leaves the one before. At the end the stack is as it was.

mod backend;
mod logs;
mod site;

use std::future::Future;

use anyhow::{Context, Result};
use appstack_operator::api::AppStack;
use clap::Args;
use kube::Api;
use local_cluster::Progress;

use self::backend::Backend;
use crate::demo::{NAMESPACE, STACK};
use crate::{Named, images, tell};

/// Have each change in app/ in the stack of the demo
#[derive(Args, Debug)]
pub(crate) struct Watch {
    #[command(flatten)]
    cluster: Named,
    /// Where Vite serves the site
    #[arg(long, default_value_t = 5174)]
    port: u16,
}

impl Watch {
    /// Goes on until it is told to stop.
    pub(crate) async fn run(self, stopped: impl Future<Output = Result<()>>) -> Result<()> {
        let cluster = self.cluster.open()?;
        let client = cluster.client().await?;
        let stacks: Api<AppStack> = Api::namespaced(client.clone(), NAMESPACE);
        let stack = stacks.get(STACK).await;
        let stack = stack.context("there is no stack to change: `cargo xtask demo` makes it")?;
        images::dependencies(&Progress::new()).await?;
        let backend = Backend {
            cluster: &cluster,
            stacks,
        };
        let before = backend::without_us(&stack.spec.backend.image).to_owned();
        tell(&format!(
            "\nA change in app/backend is released, one in app/frontend is at once at http://localhost:{}. Ctrl-C ends it.\n",
            self.port
        ));
        let outcome = tokio::select! {
            ended = backend.follow() => ended,
            ended = logs::follow(&client) => ended,
            ended = site::serve(&cluster, self.port) => ended,
            // That is how it is meant to end.
            _ = stopped => Ok(()),
        };
        backend.put_back(&before).await?;
        outcome
    }
}
