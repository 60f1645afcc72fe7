//! Container images from ordinary Dockerfiles. An image is known by a hash of all that its Dockerfile copies, so that the
//! same content is built and loaded once.

mod bases;
pub mod buildah;
pub mod dockerfile;
pub mod image;
pub mod standin;

pub use image::{Built, Image};
