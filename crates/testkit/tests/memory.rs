//! The stores in memory keep the contract.

use mango_testkit::{Memory, Stores};

async fn fresh() -> Stores {
    Memory::new().stores()
}

mango_testkit::contract_suite!(fresh());
