//! The two sides, and the appointments that they order with.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use eservices::orders::v1 as pb;
use eservices_server::platform::ids::Ids;
use prost::Message as _;
use tokio::task::JoinSet;

use super::{PM, by_hand::ByHand};
use crate::{
    Failure,
    load::{Question, Wire},
    stage::{IMB, Stage},
};

/// Appointments that one side has left, and whose turn it is.
pub struct Quotes {
    operators: Vec<(String, VecDeque<String>)>,
    next: usize,
    ordered: usize,
}

/// One order to come.
pub struct Quote {
    /// Which operator.
    pub n: usize,
    /// Its SIREN.
    pub siren: String,
    /// The appointment.
    pub appointment: String,
    /// The operator's own reference.
    pub reference: String,
}

/// The whole server.
pub struct Server {
    wires: Vec<Wire>,
    ids: Ids,
}

/// Who places orders.
pub enum Side {
    /// The whole server, over gRPC.
    Server(Server),
    /// A transaction by hand.
    ByHand(ByHand),
}

impl Quotes {
    /// All that were held.
    pub fn new(held: &[(String, Vec<String>)]) -> Self {
        let operators =
            held.iter().map(|(siren, held)| (siren.clone(), held.iter().cloned().collect())).collect();
        Self { operators, next: 0, ordered: 0 }
    }

    /// The next one of the next operator.
    pub fn next(&mut self) -> Result<Quote, Failure> {
        let n = self.next;
        self.next = (n + 1) % self.operators.len();
        self.of(n)
    }

    fn of(&mut self, n: usize) -> Result<Quote, Failure> {
        let (siren, left) = self.operators.get_mut(n).ok_or("no such operator")?;
        self.ordered += 1;
        Ok(Quote {
            n,
            siren: siren.clone(),
            appointment: left.pop_front().ok_or("no appointment is left")?,
            reference: format!("LOAD-{}", self.ordered),
        })
    }
}

impl Server {
    /// One connection an operator.
    pub async fn enter(port: u16, stage: &Stage) -> Result<Self, Failure> {
        let mut wires = Vec::new();
        for tls in &stage.operators {
            wires.push(Wire::open(port, tls).await?);
        }
        Ok(Self { wires, ids: Ids::default() })
    }

    async fn order(&self, quote: &Quote) -> Result<Vec<u8>, Failure> {
        let request =
            pb::CreateOrderRequest { request_id: self.ids.call().to_string(), order: Some(order(quote)) };
        let question =
            Question::new("/eservices.orders.v1.OrderService/CreateOrder", &request.encode_to_vec())?;
        let mut wire = self.wires.get(quote.n).ok_or("no such operator")?.clone();
        Ok(wire.ask(&question).await?.to_vec())
    }
}

impl Side {
    /// Places the next order; answers the answer's message, where there is one.
    pub async fn one(&self, quotes: &mut Quotes) -> Result<Vec<u8>, Failure> {
        self.place(&quotes.next()?).await
    }

    async fn place(&self, quote: &Quote) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Server(server) => server.order(quote).await,
            Self::ByHand(hand) => {
                hand.order(&quote.siren, &quote.appointment, &quote.reference).await?;
                Ok(Vec::new())
            }
        }
    }

    /// One order after the other; microseconds of each.
    pub async fn alone(&self, quotes: &mut Quotes, orders: usize) -> Result<Vec<f64>, Failure> {
        let mut micros = Vec::with_capacity(orders);
        for _ in 0..orders {
            let quote = quotes.next()?;
            let begun = Instant::now();
            self.place(&quote).await?;
            micros.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        Ok(micros)
    }

    /// Every operator at once, each one order after the other; microseconds of each.
    pub async fn at_once(self: &Arc<Self>, quotes: &mut Quotes, each: usize) -> Result<Vec<f64>, Failure> {
        let mut ordering = JoinSet::new();
        for n in 0..quotes.operators.len() {
            let mine = (0..each).map(|_| quotes.of(n)).collect::<Result<Vec<_>, _>>()?;
            let side = Arc::clone(self);
            ordering.spawn(async move {
                let mut micros = Vec::with_capacity(mine.len());
                for quote in mine {
                    let begun = Instant::now();
                    side.place(&quote).await?;
                    micros.push(begun.elapsed().as_secs_f64() * 1e6);
                }
                Ok::<_, Failure>(micros)
            });
        }
        let mut micros = Vec::new();
        while let Some(done) = ordering.join_next().await {
            micros.append(&mut done??);
        }
        Ok(micros)
    }
}

/// A creation of Just Fibre at the house without a socket.
fn order(quote: &Quote) -> pb::NewOrder {
    let none = || "_NA_".to_owned();
    pb::NewOrder {
        operator_reference: quote.reference.clone(),
        offer_code: "JUST_FIBRE".into(),
        appointment_reference: quote.appointment.clone(),
        contact: Some(pb::Contact {
            last_name: "Martin".into(),
            first_name: "Camille".into(),
            phone: "0199000001".into(),
            other_phone: String::new(),
        }),
        imb: IMB.into(),
        pm: PM.into(),
        place: Some(pb::PlaceInBuilding { batiment: none(), escalier: none(), etage: none() }),
        delivery_address: Some(pb::PostalAddress {
            number: "6".into(),
            street: "RUE ETIENNE GANNERON".into(),
            complement: String::new(),
            postcode: "77600".into(),
            commune: "BUSSY-SAINT-GEORGES".into(),
        }),
        ..pb::NewOrder::default()
    }
}
