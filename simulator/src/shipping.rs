//! Other servers, made up: what MIGRATE sends lies here until a test says what became of it.

use std::sync::{Arc, Mutex, MutexGuard};

use basalt_shard::migration::{Delivery, Journey, Shipment};

#[derive(Default)]
struct Harbour {
    waiting: Vec<Freight>,
    /// Deliveries that no core has looked at yet.
    unread: usize,
}

/// Where the shipments of all cores of a cluster lie.
#[derive(Clone, Default)]
pub struct Shipping(Arc<Mutex<Harbour>>);

/// A shipment under way.
pub struct Freight {
    /// What was sent.
    pub shipment: Shipment,
    receipt: Arc<Mutex<Option<Delivery>>>,
}

struct Ticket {
    harbour: Shipping,
    receipt: Arc<Mutex<Option<Delivery>>>,
}

impl Journey for Ticket {
    fn delivery(&mut self) -> Option<Delivery> {
        let delivery = self.receipt.lock().expect("tests have one thread").take()?;
        self.harbour.lock().unread -= 1;
        Some(delivery)
    }
}

impl Shipping {
    fn lock(&self) -> MutexGuard<'_, Harbour> {
        self.0.lock().expect("tests have one thread")
    }

    /// Takes a shipment in.
    pub fn accept(&self, shipment: Shipment) -> Box<dyn Journey> {
        let receipt = Arc::default();
        self.lock().waiting.push(Freight { shipment, receipt: Arc::clone(&receipt) });
        Box::new(Ticket { harbour: self.clone(), receipt })
    }

    /// The shipments nobody has seen to yet, in the order they came.
    pub fn take(&self) -> Vec<Freight> {
        std::mem::take(&mut self.lock().waiting)
    }

    /// Says what became of one.
    pub fn deliver(&self, freight: &Freight, delivery: Delivery) {
        *freight.receipt.lock().expect("tests have one thread") = Some(delivery);
        self.lock().unread += 1;
    }

    /// Whether a core has something to look at.
    pub fn has_news(&self) -> bool {
        self.lock().unread > 0
    }
}

/// Everything arrived.
pub fn all_arrived(shipment: &Shipment) -> Delivery {
    Delivery { acknowledged: vec![true; shipment.key_count], error: None }
}
