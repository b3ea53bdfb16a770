//! `node`, `shutdown`, `drain`, `usage_stats`: the process and its end.

use crate::tree::options;
use crate::values::{Limit, Millis};

options! {
    /// This node among others.
    pub struct Node {
        /// Name that people see. Should be unique. Empty: made of host name and port.
        name: String;
        /// What `info` gives as the interval of its metrics, which are of the moment it is asked. Unit:
        /// duration.
        info_metrics_aggregate_interval: Millis = Millis::from_secs(60);
    }
}

options! {
    /// The end of the process.
    pub struct Shutdown {
        /// Longest time from the signal to the end. Unit: duration.
        timeout: Millis = Millis::from_secs(30);
    }
}

options! {
    /// Paced closing of connections, so that a deploy is not a storm of reconnects.
    pub struct Drain {
        /// Connections closed per second, over all draining gateways. 0: all at once.
        rate: Limit;
        /// Time between «not ready» and the first close, for balancers to notice. Unit: duration.
        delay: Millis;
        /// When what is left is closed at once. Only with `drain.rate`. Unit: duration.
        timeout: Millis = Millis::from_secs(300);
    }
}

options! {
    /// Reports about use to the makers. There are none; the section is known so that
    /// configurations that switch them off load without a warning.
    pub struct UsageStats {
        /// Nothing is ever sent, whatever stands here: known for compatibility.
        disabled: bool;
    }
}
