//! Prepares a release that waits for somebody's approval: its images are pulled, so that whoever approves it knows that they
//! can be, and its pods start without a pull.

use crate::build::Pull;
use crate::cluster::apply::Writer;
use crate::cluster::observe::Observer;
use crate::error::Result;
use crate::model::fact::Record;
use crate::model::observed::Images;

/// Goes on with the pulls. What is pulled is written down, so that the next reconcile takes its pods away and no later one pulls
/// it again.
///
/// # Errors
/// At the first request that fails.
pub async fn images(
    writer: &Writer<'_>,
    observer: &Observer<'_>,
    pulls: &[Pull],
) -> Result<Images> {
    let mut images = Images::Pulled;
    for pull in pulls {
        let applied = writer.apply([&pull.object]).await?;
        let seen = observer.images(&applied).await?;
        if seen == Images::Pulled {
            let hash = pull.hash.clone();
            writer.record(&Record::Pulled { hash }, 1).await?;
        }
        images = images.worst(seen);
    }
    Ok(images)
}
