//! `ExportOrders`: the operator's orders as CSV, page by page, as fast as the caller takes them.

use std::sync::Arc;

use eservices::orders::v1 as pb;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tonic::Status;

use super::read::narrowed;
use crate::{
    orders::{
        store::{self, Filter},
        wire::export,
    },
    platform::{
        Platform, csv,
        error::{Error, Violations},
        identity::Caller,
    },
};

/// Orders that are read at once.
const PAGE: usize = 200;

/// The pieces of an export.
pub type Pieces = BoxStream<'static, Result<pb::ExportOrdersResponse, Status>>;

/// An export under way. Between two pages it holds nothing of the database.
pub struct Export {
    platform: Arc<Platform>,
    party_id: String,
    filter: Filter,
    lines: String,
    over: bool,
}

impl Export {
    /// Form, and which offers the caller may see.
    pub fn parse(
        request: &pb::ExportOrdersRequest,
        platform: &Arc<Platform>,
        caller: &Caller,
    ) -> Result<Self, Error> {
        let mut violations = Violations::default();
        let accepted = (request.created_from.as_ref(), request.created_before.as_ref());
        let filter = narrowed(caller, &request.types, &request.states, accepted, &mut violations);
        violations.check()?;
        Ok(Self {
            platform: Arc::clone(platform),
            party_id: caller.party_id().to_owned(),
            filter,
            lines: export::HEADER.to_owned(),
            over: false,
        })
    }

    /// One piece at a time, when the caller has room for it: nothing is read that is not sent.
    pub fn pieces(self) -> Pieces {
        stream::try_unfold(self, |mut export| async move {
            let lines = export.next().await.map_err(Status::from)?;
            Ok(lines.map(|lines| (pb::ExportOrdersResponse { lines: lines.into() }, export)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<String>, Error> {
        while self.lines.len() < csv::PIECE && !self.over {
            self.page().await?;
        }
        let piece = std::mem::take(&mut self.lines);
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    async fn page(&mut self) -> Result<(), Error> {
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let mut reader = self.platform.db.read().await?;
        let rows = store::list(&mut reader.conn(), &self.party_id, &self.filter, limit).await?;
        drop(reader);
        self.over = rows.len() < PAGE;
        rows.iter().for_each(|order| export::push(order, &mut self.lines));
        if let Some(last) = rows.last() {
            self.filter.after = Some((last.created_at, last.number.clone()));
        }
        Ok(())
    }
}
